r"""What is never shown or stored of a text, a JSON document or a command line.

In a document everything under a key that contains token, secret, password, authorization, api_key, apikey or
private_key goes, however the key is spelt (`apiKey`, `API-KEY`); numbers under a key that counts tokens stay. In text
(errors, output, lines of an environment) the same names are looked for before `=`, `:`, `=>` and after a dash:

| text | shown |
|---|---|
| `Authorization: Bearer eyJhbGciOi.J9` | `Authorization: Bearer [redacted]` |
| `Authorization: Basic dXNlcjpwdw==` | `Authorization: [redacted]` |
| `curl -H 'Authorization: Basic dXNlcg==' example.org` | `curl -H 'Authorization: [redacted]' example.org` |
| `GET /v1?api_key=k-123&page=2` | `GET /v1?api_key=[redacted]&page=2` |
| `login --user=ana --password=hunter2 failed` | `login --user=ana --password=[redacted] failed` |
| `Command '['login', '--token', 'abc', '-v']' failed` | `Command '['login', '--token', '[redacted]', '-v']' failed` |
| `{"token": "ab\"c", "user": "ana"}` | `{"token": "[redacted]", "user": "ana"}` |
| `{\"apiKey\": \"abc\", \"n\": 1}` | `{\"apiKey\": \"[redacted]\", \"n\": 1}` |
| `{"secrets": {"a": "x", "b": ["y"]}, "n": 1}` | `{"secrets": [redacted], "n": 1}` |
| `GITHUB_TOKEN=ghp_a&b'c` | `GITHUB_TOKEN=[redacted]` |
| `AWS_SECRET_ACCESS_KEY="a b" LANG=C` | `AWS_SECRET_ACCESS_KEY="[redacted]" LANG=C` |
| `max_tokens=4096, token_count: 17, "prompt_tokens": 12` | `max_tokens=4096, token_count: 17, "prompt_tokens": 12` |
| `cat: token.txt: No such file` | `cat: token.txt: No such file` |
| `tokenizer.py:12: token::Kind` | `tokenizer.py:12: token::Kind` |
| `GET https://ana:pw@example.org/x` | `GET https://[redacted]@example.org/x` |
| `postgres://ana:p#/w@db:5432/x` | `postgres://[redacted]@db:5432/x` |
| `key -----BEGIN RSA PRIVATE KEY----- MIIE -----END RSA PRIVATE KEY-----.` | `key [redacted].` |

Every pattern takes time linear in the text, also in a hostile one. Redacting twice changes nothing. What nobody names,
a secret alone on a line, passes: a host adds its own keys and patterns with `Redactor`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redrive.domain.values import JsonValue

REDACTED = "[redacted]"

_NAMES = ("token", "secret", "password", "authorization", "apikey", "privatekey")
_NOT_A_LETTER = re.compile(r"[\W_]+")
_ASCII_LETTERS = {code: chr(code).lower() if chr(code).isalnum() else None for code in range(128)}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_COUNTING = frozenset({"count", "limit", "budget", "total", "usage", "max", "min", "num"})
_NUMBER = re.compile(r"[+-]?\d[\d.,_/]{0,30}(?![\w-])")
_ITEM = r" ?(?:[\"'][\w.-]{1,64}[\"']: ?)?\d[\d.]{0,30}"
_NUMBERS = re.compile(rf"{_NUMBER.pattern}|[\[({{]{_ITEM}(?:,{_ITEM}){{0,63}} ?[\])}}]")

# Quantifiers are bounded or end at a character that cannot begin another match: no start is scanned twice.
_WHOLE = (
    re.compile(
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s\\:,.-]*?"
        r"(?:-----END [A-Z0-9 ]{1,60}-----|\Z|(?=[^A-Za-z0-9+/=\s\\:,.-]))"
    ),
    re.compile(r"\A[A-Za-z0-9+/=\s\\]*-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"),  # the end of a cut output
    re.compile(r"(?<=://)[^\s/?#\\\"'<>]+(?=@)|(?<=:\\/\\/)[^\s/?#\\\"'<>]+(?=@)"),
    # A password with / ? or #, which no URL may hold but many do; a port is no password.
    re.compile(
        r"(?<=://)[^\s/?#@:\[\"'<>]{1,256}:(?!\d{1,5}(?:[\s/?#\"']|\Z))[^\s@\"'<>]{1,256}"
        r"(?:@[^\s/?#@\\\"'<>]{0,256}){0,8}(?=@)"
    ),
    re.compile(r"(?i)(?<=\bbearer[ \t])[ \t]{0,8}(?:\[redacted\]|[^\s\"',;<>)}\]]+)"),
)
_KEY = re.compile(
    r"(?<![\w.-])(?:"
    r"(?P<key>[\w.-]+)[\\\"'\])]{0,6}[ \t]{0,8}(?P<sign>=>|={1,3}|:=|:(?!:))[ \t]{0,8}"
    r"|(?P<flag>-{1,2}\w[\w.-]*)[\"']?,?[ \t]{1,8})"
)
_OPENING = re.compile(r"[bBrRuUfF$]{0,2}(?P<quote>\\*[\"'])")
_QUOTED = {
    '"': re.compile(r'[^"\\\n]*(?:\\.[^"\\\n]*)*'),
    "'": re.compile(r"[^'\\\n]*(?:\\.[^'\\\n]*)*"),
}
_SCHEME = r"(?i:(?:basic|bearer|digest|negotiate|token)[ \t]{1,8})?"
_BARE = re.compile(_SCHEME + r"(?:[^\s&\"'<>]|[\"'](?![\s,;:)}\]]|\Z))+")
_TO_SPACE = re.compile(_SCHEME + r"\S+")
_BEARER_GONE = re.compile(r"(?i)bearer[ \t]{1,8}\[redacted\]")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*\Z")
_SOURCE_FILE = re.compile(r"\.[A-Za-z]\w{0,3}\Z")
_FILE = re.compile(r"\.(?:cfg|conf|csv|html|ini|json|log|md|py|sh|sql|toml|txt|xml|ya?ml)\Z")
_LINE_NUMBER = re.compile(r"\d{1,7}(?=[:,\s)]|\Z)")
_OPTION = re.compile(r"-\w|--?\w[\w.-]+(?:=.*)?", re.DOTALL)
_TRAILING = ",;.:)}]\\"
_PASSES = 4  # what one rule took away may have hidden something from another; two are enough for sane text
_FAR = 16_384  # characters; a quote further away closes nothing
_JSON = json.JSONDecoder()
_JSON_TRIES = 16  # for each text, else nested brackets that never close would be read again and again


@dataclass(frozen=True)
class Redactor:
    """The rules, with what a host adds.

    *extra_keys* are looked for like the built-in names, wherever case, `-`, `_` and spaces stand. Of what a regular
    expression in *extra_patterns* matches, the group called `secret` goes, or all when it has none; keeping it linear
    is up to the host. Raises ValueError for a key or pattern that would match everywhere.
    """

    extra_keys: tuple[str, ...] = ()
    extra_patterns: tuple[str | re.Pattern[str], ...] = ()
    _names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _patterns: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.extra_keys) is not tuple or type(self.extra_patterns) is not tuple:
            raise ValueError("extra_keys and extra_patterns must be tuples")  # a text would be taken letter by letter
        names = tuple(_letters(key) for key in self.extra_keys)
        patterns = tuple(re.compile(pattern) for pattern in self.extra_patterns)
        if not all(names) or any(pattern.search("") for pattern in patterns):
            raise ValueError("an extra key needs a letter or digit, an extra pattern must not match the empty text")
        object.__setattr__(self, "_names", (*_NAMES, *names))
        object.__setattr__(self, "_patterns", patterns)

    def value(self, value: "JsonValue") -> "JsonValue":
        """A copy of a JSON document without its secrets, of any depth."""
        root: list[Any] = [value]
        unread: list[tuple[Any, Any, bool]] = [(root, 0, False)]
        while unread:
            parent, key, counting = unread.pop()
            match parent[key]:
                case str() as text:
                    parent[key] = REDACTED if counting else self.text(text)
                case [str(), *_] as items if not counting and all(isinstance(item, str) for item in items):
                    parent[key] = self.argv(items)  # perhaps a command line
                case list() as items:
                    parent[key] = copied = list(items)
                    unread += ((copied, index, counting) for index in range(len(copied)))
                case dict() as entries:
                    parent[key] = members = dict(entries)
                    for name in members:
                        if self._secret(name) and not self._counts(name):
                            members[name] = REDACTED
                        else:
                            unread.append((members, name, counting or self._secret(name)))
                case _:
                    pass
        result: JsonValue = root[0]
        return result

    def text(self, text: str) -> str:
        """The text without its secrets."""
        for _ in range(_PASSES if self._may_hold_secrets(text) else 0):
            before, text = text, self._pass(text)
            if text == before:
                break
        for pattern in self._patterns:
            text = pattern.sub(_without_secret, text)
        return text

    def _may_hold_secrets(self, text: str) -> bool:
        """False for most texts, and quickly: plain ASCII in which no rule finds what its matches must hold; those of
        _WHOLE one of these three, every secret of _KEY one of the names."""
        marked = "-----" in text or "@" in text or "bearer" in text.lower()
        return marked or not text.isascii() or self._secret(text)

    def _pass(self, text: str) -> str:
        for pattern in _WHOLE:
            text = pattern.sub(REDACTED, text)
        parts, done = [], 0
        for start, end in self._values(text):
            parts += [text[done:start], REDACTED]
            done = end
        return "".join([*parts, text[done:]])

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The arguments without secrets, also where name and value are two of them (`--token abc`)."""
        shown: list[str] = []
        option = ""
        for argument in argv:
            if option and not _is_option(argument) and not (self._counts(option) and _NUMBER.fullmatch(argument)):
                shown.append(REDACTED)
                option = ""
            else:
                shown.append(self.text(argument))
                option = argument if _is_option(argument) and "=" not in argument and self._secret(argument) else ""
        return shown

    def _secret(self, key: str) -> bool:
        return any(map(_letters(key).__contains__, self._names))

    def _counts(self, key: str) -> bool:
        """Whether a secret-looking key is about a number of tokens."""
        letters = _letters(key)
        if any(name in letters for name in self._names[1:]):  # all but token
            return False
        words = _NOT_A_LETTER.split(_HUMP.sub("_", key).lower())
        return any(word.endswith(("tokens", "tokencount")) or word in _COUNTING for word in words)

    def _values(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the values of secret names begin and end."""
        position = tries = 0
        while found := _KEY.search(text, position):
            position = found.end()
            name = found["key"] or found["flag"]
            if not self._secret(name) or (_SOURCE_FILE.search(name) and _LINE_NUMBER.match(text, position)):
                continue
            if found["sign"] == ":" and text[position - 1] == " " and _FILE.search(name):  # "token.txt: No such file"
                continue
            if text.startswith(REDACTED, position):
                position += len(REDACTED)
                continue
            if self._counts(name) and (numbers := _NUMBERS.match(text, position)):
                position = numbers.end()
                continue
            if text.startswith(("[", "{", "("), position):
                start, end = position, _end_of_brackets(text, position, tries < _JSON_TRIES)
                tries += 1
            else:
                start, end = _span(text, found)
            if start < end:
                yield start, end
                position = end


def _letters(key: str) -> str:
    return key.translate(_ASCII_LETTERS) if key.isascii() else _NOT_A_LETTER.sub("", key).lower()


def _is_option(argument: str) -> bool:
    return _OPTION.fullmatch(argument) is not None


def _without_secret(found: re.Match[str]) -> str:
    if "secret" not in found.re.groupindex or found["secret"] is None:
        return REDACTED
    start, end = (place - found.start() for place in found.span("secret"))
    return found[0][:start] + REDACTED + found[0][end:]


def _span(text: str, found: re.Match[str]) -> tuple[int, int]:
    """The value that follows a secret name; empty when there is none."""
    start = found.end()
    opening = _OPENING.match(text, start)
    if found["flag"] and text.startswith("-", opening.end() if opening else start):
        return start, start
    if opening:
        return opening.end(), _end_of_quoted(text, opening.end(), opening["quote"])
    if "authorization" in _letters(found["key"] or ""):
        return start, _end_of_header(text, start, found.start())
    at_line_start = found.start() == 0 or text[found.start() - 1] == "\n"
    if at_line_start and found["sign"] == "=" and _VARIABLE.match(found["key"]):
        variable = _TO_SPACE.match(text, start)
        return start, variable.end() if variable else start
    bare = _BARE.match(text, start)
    if not bare:
        return start, start
    kept = bare[0].rstrip(_TRAILING)
    if (kept + "]").endswith(REDACTED):
        kept += "]"
    return start, start + len(kept)


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _end_of_quoted(text: str, start: int, quote: str) -> int:
    """The closing quote, or the end of the line; *quote* has backslashes when the text is quoted as a whole."""
    if body := _QUOTED.get(quote):
        found = body.match(text, start)
        assert found is not None  # it matches the empty text
        return found.end()
    end = text.find(quote, start, start + _FAR)
    while end > start and text[end - 1] == "\\":
        end = text.find(quote, end + 1, start + _FAR)
    return _end_of_line(text, start) if end < 0 or "\n" in text[start:end] else end


def _end_of_header(text: str, start: int, key: int) -> int:
    """The end of the credentials: of the line, or before the quote that opened in front of the name."""
    if _BEARER_GONE.match(text, start):
        return start
    before = text[key - 1 : key]
    end = text.find(before, start, start + _FAR) if before in ("'", '"') else -1
    if end < 0 or "\n" in text[start:end]:
        end = _end_of_line(text, start)
    return start + len(text[start:end].rstrip("\\\r\t "))


def _end_of_brackets(text: str, start: int, read: bool) -> int:
    """The end of a JSON list or object, or of the line."""
    if read:
        try:
            return _JSON.raw_decode(text, start)[1]
        except (ValueError, RecursionError):
            pass
    return _end_of_line(text, start)


DEFAULT = Redactor()


def redact_text(text: str) -> str:
    """A text without its secrets, by the default rules."""
    return DEFAULT.text(text)
