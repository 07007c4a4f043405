"""Redaction: the documented table, documents, argument lists, host extensions, and time linear in the text."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrive.domain import redaction
from redrive.domain.redaction import DEFAULT, REDACTED, Redactor, redact_text
from redrive.domain.values import JsonValue

TABLE = re.findall(r"^\| `(.*)` \| `(.*)` \|$", redaction.__doc__ or "", re.MULTILINE)

SECRET_KEYS = [
    "token", "access_token", "accessToken", "X-Auth-Token", "client_secret", "SECRET", "dbPassword", "password2",
    "Authorization", "proxy-authorization", "api_key", "apikey", "apiKey", "API-KEY", "x api key", "private_key",
    "privateKey", "token_id", "tokenizer", "token_secret", "last_used_token",
]  # fmt: skip
COUNT_KEYS = [
    "max_tokens", "maxTokens", "MAX_TOKENS", "token_count", "tokenCount", "tokens_used", "prompt_tokens", "tokens",
    "maxtokens", "token-limit", "tokens_per_second",
]  # fmt: skip

PIECES = [
    "token", "api_key", "--password", "Authorization", "AUTHORIZATION", "max_tokens", "Bearer ", "basic ", "=", ": ",
    ":", "=>", " ", "\n", '"', "'", "\\", '\\"', "&", ",", ".", "]", "}", "[", "{", "https://", "@", "a", "12", "é",
    "\0", "-", "://", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", REDACTED,
]  # fmt: skip
HOSTILE = [
    "a", "token", "token=", 'token="', 'token=\\"', "token:[", 'token:{"', '{"token":', "token:['", "Authorization: ",
    "'authorization:x\n", "://", "://a:", "://a@", "https://u:", "Bearer ", "bearer", "-----BEGIN PRIVATE KEY-----",
    "-", "--token ", "--token', ", "\\", '"', "'", " ", "=", "token==", "a.", 'token=a"', "token=)",
    "basic token=basic ", "max_tokens=1,", "max_tokens=[", "max_tokens=[1,", "max_tokens=1", "tokens:1 ",
    "token\\\\", "-----END", "\n", 'token=\\\\"\n', "TOKEN=\n",
]  # fmt: skip


@pytest.mark.parametrize(("text", "shown"), TABLE)
def test_the_documented_examples_hold(text: str, shown: str) -> None:
    """The table of the module is what it does; the table was found."""
    assert len(TABLE) > 10
    assert redact_text(text) == shown


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_everything_under_a_secret_key_goes(key: str) -> None:
    """However it is spelt, and whatever its value is."""
    values: list[JsonValue] = ["x", 17, None, True, ["x"], {"a": "x"}]
    for value in values:
        assert DEFAULT.value([{key: value, "user": "ana"}]) == [{key: REDACTED, "user": "ana"}]


@pytest.mark.parametrize("key", COUNT_KEYS)
def test_numbers_of_tokens_stay(key: str) -> None:
    """Counts are no secrets; a text under such a key is."""
    document: JsonValue = {key: 17, "n": {key: [1.5, {"gpt": 2}]}}
    assert DEFAULT.value(document) == document
    assert DEFAULT.value({key: "abc"}) == DEFAULT.value({key: REDACTED})
    assert DEFAULT.value({key: {"gpt": "abc"}}) == {key: {"gpt": REDACTED}}
    assert redact_text(f"{key}=17, {key}: 12") == f"{key}=17, {key}: 12"


def test_texts_within_a_document_are_redacted() -> None:
    """Also where no key tells; the document passed in is not touched."""
    document: JsonValue = {"log": ["login --password=x", {"url": "https://a:b@c/d"}], "n": 1.5, "on": True, "no": None}
    before = repr(document)
    shown = {
        "log": [f"login --password={REDACTED}", {"url": f"https://{REDACTED}@c/d"}],
        "n": 1.5,
        "on": True,
        "no": None,
    }
    assert DEFAULT.value(document) == shown
    assert repr(document) == before


def test_a_document_may_be_deeper_than_the_stack() -> None:
    """No recursion, no RecursionError."""
    deep: JsonValue = "token=x"
    for _ in range(50_000):
        deep = [deep]
    shown = DEFAULT.value(deep)
    while isinstance(shown, list):
        shown = shown[0]
    assert shown == f"token={REDACTED}"


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["login", "--token", "abc", "-v"], ["login", "--token", REDACTED, "-v"]),
        (["login", "--token=abc"], ["login", f"--token={REDACTED}"]),
        (["login", "-password", "-abc"], ["login", "-password", "-abc"]),
        (["login", "--api-key", "-_x/y+z=="], ["login", "--api-key", REDACTED]),
        (["login", "--password-stdin", "--user", "ana"], ["login", "--password-stdin", "--user", "ana"]),
        (["login", "--token", "-v", "abc"], ["login", "--token", "-v", "abc"]),
        (
            ["ask", "--max-tokens", "4096", "--max-tokens", "x"],
            ["ask", "--max-tokens", "4096", "--max-tokens", REDACTED],
        ),
        (["curl", "-H", "Authorization: Basic eA=="], ["curl", "-H", f"Authorization: {REDACTED}"]),
        (["git", "clone", "https://ghp_x@github.com/a"], ["git", "clone", f"https://{REDACTED}@github.com/a"]),
        (["login", "--token"], ["login", "--token"]),
        ([], []),
    ],
)
def test_arguments_of_a_command(argv: list[str], shown: list[str]) -> None:
    """Name and value may be one argument or two; an option after the name is no value."""
    assert DEFAULT.argv(argv) == shown


@pytest.mark.parametrize(
    "text",
    [
        "PASSWORD={}", "x\nAPI_KEY={}\ny", "password: '{}'", 'password = "{}"', "http://u:{}@h",
        "u=1&token={}&v",
        "Bearer {}", "bearer  {}", "authorization: digest {}", "X-Token: Basic {}", "{{'token': b'{}'}}",
        '"token" => "{}"',
        "user[password]={}", 'env["TOKEN"] = "{}"', "--token {}", "['--api-key', '{}']", '{{"secrets":["a","{}"]}}',
        "secrets: {{'a': '{}'}}", '"password": "{}', '{{\\"token\\": \\"{}\\"}}', "https:\\/\\/u:{}@h", "-Dpassword={}",
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "{}\n-----END PRIVATE KEY-----", 'tokens: ["{}"]',
        "'Authorization: Basic {}' x", 'PRIVATE_KEY="-----BEGIN EC PRIVATE KEY-----\\n{}',
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,0\n\n{}\n-----END RSA PRIVATE KEY-----",
    ],
)  # fmt: skip
def test_no_secret_is_left_in_text(text: str) -> None:
    """The forms in which programs print what they were given."""
    shown = redact_text(text.format("hunter2"))
    assert "hunter2" not in shown
    assert REDACTED in shown


@pytest.mark.parametrize(
    "text",
    ["a token was missing", "password:", "https://example.org:8080/a@b", "secrets.py:10:5: error", "Token::new()",
     "f(token)", "mail ana@example.org", "tokens: [1, 2.5]", '"tokens": {"in": 1, "out": 2}',
     "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", ""],
)  # fmt: skip
def test_ordinary_text_stays(text: str) -> None:
    """A word alone is no secret."""
    assert redact_text(text) == text


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_redacting_twice_changes_nothing(text: str) -> None:
    """What is stored redacted may be redacted again on display."""
    once = redact_text(text)
    assert redact_text(once) == once


@given(st.lists(st.sampled_from(PIECES), max_size=4).map("".join) | st.text(max_size=40))
def test_a_text_that_is_passed_over_holds_nothing(text: str) -> None:
    """The quick look spares most texts the rules; it may never spare one that they would change."""
    redactor = Redactor(extra_keys=("pin",))
    assert redactor._may_hold_secrets(text) or redactor._pass(text) == text


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_is_linear_in_the_text(piece: str) -> None:
    """Eight times the text costs about eight times as much; a quadratic pattern would cost 64 times."""

    def cost(size: int) -> float:
        text = "x:" + piece * (size // len(piece))
        begun = time.process_time()
        redact_text(text)
        return time.process_time() - begun

    assert any(cost(48_000) < 25 * max(cost(6_000), 0.0005) for _ in range(9))  # one of nine: a busy machine is noisy


def test_a_megabyte_of_hostile_text_ends() -> None:
    """The mixture, once, at the size that is promised."""
    text = "".join(HOSTILE) * (1_000_000 // len("".join(HOSTILE)))
    assert REDACTED in redact_text(text)


def test_a_host_adds_keys_and_patterns() -> None:
    """Keys like the built-in ones; of a pattern the group called secret, or all."""
    mine = Redactor(extra_keys=("ssn",), extra_patterns=(r"AKIA\w+", re.compile(r"card (?P<secret>\d+) ok")))
    assert mine.text("SSN=1 AKIA77, card 4242 ok") == f"SSN={REDACTED} {REDACTED}, card {REDACTED} ok"
    assert mine.value({"customer-ssn": 1, "token": "x"}) == {"customer-ssn": REDACTED, "token": REDACTED}
    assert mine.argv(["x", "--ssn", "1"]) == ["x", "--ssn", REDACTED]
    assert mine == Redactor(mine.extra_keys, mine.extra_patterns)


@pytest.mark.parametrize(
    ("keys", "patterns"), [(("",), ()), (("-_",), ()), ((), ("a*",)), ("ssn", ()), ((), "a+"), (["ssn"], ())]
)
def test_a_rule_that_would_match_everywhere_is_refused(keys: tuple[str, ...], patterns: tuple[str, ...]) -> None:
    """A text instead of a tuple would be taken letter by letter."""
    with pytest.raises(ValueError, match="extra"):
        Redactor(extra_keys=keys, extra_patterns=patterns)
