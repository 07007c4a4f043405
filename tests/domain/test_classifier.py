"""The classifier: an ordered table, first match wins."""

import socket
import urllib.error
from email.message import Message
from typing import Any

import pytest

from redrive.domain.classifier import DEFAULT_RULES, OTHERWISE, Classifier, Rule
from redrive.domain.errors import InvalidValue

CLASSIFIER = Classifier()
CONNECT, SERVER, AUTH = "provider_connect_timeout", "provider_server_error", "provider_auth"


class ConnectTimeout(Exception):
    """Named like those of httpx and requests, which nobody imports here."""


class SlowHost(ConnectTimeout):
    """A host's own kind of it."""


class RateLimitError(Exception):
    """Named like that of a model provider's client."""


class RemoteProtocolError(Exception):
    """Named like that of httpx."""


class Unprintable(Exception):
    """Its message cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError


EXCEPTIONS = [
    (ConnectionResetError("peer"), "provider_transient", CONNECT),
    (TimeoutError(), "provider_transient", CONNECT),
    (socket.gaierror(-2, "unknown"), "provider_transient", CONNECT),
    (SlowHost("x"), "provider_transient", CONNECT),
    (RateLimitError("x"), "provider_transient", SERVER),
    (RemoteProtocolError("Server disconnected without sending a response."), "provider_transient", CONNECT),
    (urllib.error.HTTPError("http://x", 503, "Busy", Message(), None), "provider_transient", SERVER),
    (RuntimeError("Server error '502 Bad Gateway' for url 'https://x'"), "provider_transient", SERVER),
    (RuntimeError("Client error '401 Unauthorized' for url 'https://x'"), "provider_auth", AUTH),
    (urllib.error.HTTPError("http://x", 403, "No", Message(), None), "provider_auth", AUTH),
    (PermissionError("/etc/x"), "execution_error", "PermissionError"),
    (ValueError("500 rows are too many"), "execution_error", "ValueError"),
    (KeyError("x"), "execution_error", "KeyError"),
    (Unprintable(), "execution_error", "Unprintable"),
]


@pytest.mark.parametrize(("error", "failure_class", "kind"), EXCEPTIONS, ids=lambda case: type(case).__name__)
def test_exceptions_are_known_by_the_names_of_their_bases(error: Exception, failure_class: str, kind: str) -> None:
    """Along the MRO, without importing the library that raised; the message is looked at as well."""
    failure = CLASSIFIER.classify_exception(error)
    assert (failure.failure_class, failure.kind) == (failure_class, kind)
    assert failure.reason.startswith(type(error).__name__)


TEXTS = [
    ("curl: (6) Could not resolve host: example.org", CONNECT),
    ("curl: (7) Failed to connect to localhost port 1", CONNECT),
    ("curl: (28) Operation timed out after 90 s", CONNECT),
    ("connect ECONNREFUSED 127.0.0.1:80", CONNECT),
    ("Temporary failure in name resolution", CONNECT),
    ("gateway timeout", CONNECT),
    ("requests.exceptions.ReadTimeout: x", CONNECT),
    ("HTTP/1.1 500", SERVER),
    ("status code: 429", SERVER),
    ("HTTP 425 Too Early", SERVER),
    ("status: 408", SERVER),
    ("Service Unavailable", SERVER),
    ("curl: (22) The requested URL returned error: 503", SERVER),
    ("Error code: 401 - {'error': {}}", AUTH),
    ("invalid api key", AUTH),
    ("Incorrect API key provided: x", AUTH),
    ("git@x: Permission denied (publickey).", AUTH),
    ("wrote 503 rows, 401 of them new", None),
    ("the runtime output is unforbidden", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "kind"), TEXTS)
def test_texts_are_known_by_patterns(text: str, kind: str | None) -> None:
    """Numbers alone are no status."""
    failure = CLASSIFIER.classify_text(text)
    assert failure.kind == kind
    assert (failure.classified_by == OTHERWISE) == (failure.failure_class == "execution_error") == (kind is None)


EXITS = [
    (75, None, "", "provider_transient", "temporary_failure"),
    (77, None, "operation timed out", "provider_auth", "permission_denied"),
    (124, None, "", "provider_transient", CONNECT),
    (126, None, "", "missing_config", "command_not_found"),
    (127, None, "sh: nope: not found", "missing_config", "command_not_found"),
    (1, None, "connection refused", "provider_transient", CONNECT),
    (3, None, "oops", "execution_error", "exit_3"),
    (None, 9, "connection refused", "execution_error", "signal_9"),
    (None, None, "", "execution_error", None),
]


@pytest.mark.parametrize(("status", "signal", "stderr", "failure_class", "kind"), EXITS)
def test_ends_of_processes(status: Any, signal: Any, stderr: str, failure_class: str, kind: str | None) -> None:
    """What a program says by its status outranks its output; after a signal its output does not count."""
    failure = CLASSIFIER.classify_exit(status, signal, stderr)
    assert (failure.failure_class, failure.kind) == (failure_class, kind)


def test_reasons_are_readable() -> None:
    """How it ended, and the last that it wrote."""
    assert CLASSIFIER.classify_exit(3, None, "a\nb\n").reason == "exit status 3: a\nb"
    assert CLASSIFIER.classify_exit(None, 9, "").reason == "killed by signal 9"
    assert CLASSIFIER.classify_exit(None, None, "").reason == "ended in an unknown way"
    assert CLASSIFIER.classify_exception(ValueError()).reason == "ValueError"
    assert CLASSIFIER.classify_exit(1, None, "early " * 5_000 + "the end").reason.endswith("the end")


def test_reasons_are_redacted() -> None:
    """In all three ways, also where the text is cut."""
    secret = "password=hunter2"
    for failure in (
        CLASSIFIER.classify_text(secret),
        CLASSIFIER.classify_exception(ValueError(secret)),
        CLASSIFIER.classify_exit(1, None, secret),
        CLASSIFIER.classify_exit(None, 9, f"password={'hunter2' * 500}"),
    ):
        assert "hunter2" not in failure.reason


def test_the_first_match_wins_and_names_its_rule() -> None:
    """A host puts its rules before the default ones, or replaces them all."""
    mine = Rule("validation_error", "bad_row", exceptions=[ValueError], pattern="row", name="mine")
    failure = Classifier((mine, *DEFAULT_RULES)).classify_text("timeout in Row 7")
    assert (failure.failure_class, failure.kind, failure.classified_by) == ("validation_error", "bad_row", "mine")
    assert CLASSIFIER.classify_text("timeout").classified_by == f"provider_transient/{CONNECT}"
    assert Classifier(()).classify_exception(TimeoutError()).classified_by == OTHERWISE


def test_a_class_given_as_such_is_known_by_its_full_name() -> None:
    """Another class of the same name is not meant; a bare name means all of them."""
    namesake = type("SlowHost", (Exception,), {"__module__": "elsewhere"})
    by_class = Classifier((Rule("a", exceptions=[SlowHost]),))
    by_name = Classifier((Rule("a", exceptions="SlowHost"),))
    assert by_class.classify_exception(SlowHost()).failure_class == "a"
    assert by_class.classify_exception(namesake()).failure_class == "execution_error"
    assert by_name.classify_exception(namesake()).failure_class == "a"


def test_a_signal_counts_as_the_status_that_shells_report() -> None:
    """A host that knows its out-of-memory killer writes one rule."""
    classifier = Classifier((Rule("out_of_memory", exit_statuses=[137]),))
    assert classifier.classify_exit(None, 9, "").failure_class == "out_of_memory"
    assert classifier.classify_exit(137, None, "").failure_class == "out_of_memory"


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"pattern": "("},
        {"pattern": " "},
        {"pattern": "x" * 3_000},
        {"exit_statuses": [256]},
        {"exit_statuses": [True]},
        {"exceptions": [7]},
        {"pattern": "x", "failure_class": " "},
        {"pattern": "x", "kind": ""},
    ],
)
def test_a_rule_without_sense_is_refused(keys: dict[str, Any]) -> None:
    """When the table is made, not when something fails."""
    with pytest.raises(InvalidValue):
        Rule(**{"failure_class": "a", **keys})


def test_only_rules_make_a_table() -> None:
    """Not their documents by accident."""
    with pytest.raises(InvalidValue, match="instances of Rule"):
        Classifier(({"failure_class": "a"},))  # type: ignore[arg-type]


def test_a_table_has_an_id_and_can_be_read_back() -> None:
    """A replay finds the table that judged."""
    document: Any = CLASSIFIER.document()
    assert Classifier.from_document(document) == CLASSIFIER
    assert CLASSIFIER.id == Classifier(list(DEFAULT_RULES)).id
    assert CLASSIFIER.id.startswith("classifier-v1-")
    assert Classifier(DEFAULT_RULES[1:]).id != CLASSIFIER.id


def test_only_a_bounded_part_is_inspected() -> None:
    """The beginning of a text, the end of an output: hostile texts cost no more than long ones."""
    far = " " * 10_000
    assert CLASSIFIER.classify_text(f"timeout{far}").kind == CONNECT
    assert CLASSIFIER.classify_text(f"{far}timeout").classified_by == OTHERWISE
    assert CLASSIFIER.classify_exit(1, None, f"{far}timeout").kind == CONNECT
    assert CLASSIFIER.classify_exit(1, None, f"timeout{far}").classified_by == OTHERWISE
