"""What kind of failure it was, when the host gives no class: an ordered table in which the first match wins."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from redrive.domain.errors import InvalidValue
from redrive.domain.failure import (
    EXECUTION_ERROR,
    MAX_GIVEN_BYTES,
    PROVIDER_AUTH,
    PROVIDER_TRANSIENT,
    Failure,
    failure_class_named,
)
from redrive.domain.identity import PolicyId
from redrive.domain.redaction import redact_text
from redrive.domain.values import JsonValue, clean_integer, clean_name, clean_text, digest

MAX_INSPECTED = 8_192
"""How many characters of a text the rules look at."""

OTHERWISE = "otherwise"
"""What ``classified_by`` says when no rule matched."""

_MAX_PATTERN_BYTES = 2_000
_MAX_KIND = 100
_SHOWN = 1_000  # characters, so that 4,000 bytes at most


def _class_name(item: object) -> str:
    if isinstance(item, type) and issubclass(item, BaseException):
        return f"{item.__module__}.{item.__qualname__}"
    return clean_name(item, "rule.exceptions")


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE)  # the module keeps compiled patterns
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidValue("rule.pattern", pattern, f"a regular expression ({error})") from None


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of the table. It matches when any of its criteria does; at least one is needed.

    *exceptions* names classes, bare (``TimeoutError``) or with their module (``httpx.ConnectError``); a class given
    as such is taken by its full name. They are looked for along the MRO, so that nothing need be imported.
    *exit_statuses* are those of a process; death by signal n counts as 128 + n, as shells report it. *pattern* is
    searched in the text without regard to case; whoever writes one keeps it free of nested repetition. *name* is
    what ``Failure.classified_by`` says, by default ``class/kind``.
    """

    failure_class: str
    kind: str | None = None
    exceptions: Sequence[str | type[BaseException]] = ()
    exit_statuses: Sequence[int] = ()
    pattern: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "failure_class", failure_class_named(self.failure_class, "rule.failure_class"))
        if self.kind is not None:
            clean_name(self.kind, "rule.kind")
        given = (self.exceptions,) if isinstance(self.exceptions, str) else self.exceptions
        object.__setattr__(self, "exceptions", tuple(_class_name(item) for item in given))
        statuses = tuple(clean_integer(item, "rule.exit_statuses", 0, 255) for item in self.exit_statuses)
        object.__setattr__(self, "exit_statuses", statuses)
        if self.pattern is not None:
            _compiled(clean_text(self.pattern, "rule.pattern", most=_MAX_PATTERN_BYTES, blank=False))
        if not self.exceptions and not statuses and self.pattern is None:
            raise InvalidValue("rule", self.name or self.failure_class, "exceptions, exit_statuses or a pattern")
        named = self.name or "/".join(filter(None, (self.failure_class, self.kind)))
        object.__setattr__(self, "name", clean_name(named, "rule.name"))

    def matches(self, classes: frozenset[str], status: int | None, text: str) -> bool:
        """Whether one of the criteria holds."""
        if status is not None and status in self.exit_statuses:
            return True
        if self.exceptions and not classes.isdisjoint(map(str, self.exceptions)):
            return True
        return self.pattern is not None and bool(text) and _compiled(self.pattern).search(text) is not None

    def document(self) -> dict[str, JsonValue]:
        """The rule as JSON."""
        return {
            "name": self.name,
            "failure_class": self.failure_class,
            "kind": self.kind,
            "exceptions": [str(name) for name in self.exceptions],
            "exit_statuses": list(self.exit_statuses),
            "pattern": self.pattern,
        }


_CONNECTION = (
    r"(?:\b|connect|read|write|pool)timed?[ -]?out\b|\bdeadline exceeded\b"
    r"|\bE(?:TIMEDOUT|CONN(?:REFUSED|RESET|ABORTED)|HOSTUNREACH|NETUNREACH|NOTFOUND|AI_AGAIN)\b"
    r"|\bconnection (?:was )?(?:refused|reset|aborted|closed|error|failed|lost)\b"
    r"|\b(?:failed|unable) to (?:connect|resolve)\b|\b(?:could ?n[o']t|could not|cannot|can't) (?:connect|resolve)\b"
    r"|\bno route to host\b|\bno such host\b|\bnetwork is unreachable\b|\bgetaddrinfo\b"
    r"|\bname or service not known\b|\bname resolution\b|\bnodename nor servname\b"
)
# A bare number is no status ("500 rows written"): words that announce one must stand before it.
_STATUS = (
    r"\b(?:http(?:/[\d.]{1,4})?|http error|(?:client|server|returned) error|status(?:[ _-]?code)?|code|response)"
    r"[ :='\"]{1,4}"
)
_SERVER = (
    _STATUS + r"(?:5\d\d|408|425|429)\b|\b5\d\d server error\b|\b(?:internal )?server error\b|\bbad gateway\b"
    r"|\bservice (?:is )?(?:temporarily )?unavailable\b|\btoo many requests\b|\brate limit(?:ed|s)?\b|\boverloaded\b"
)
_AUTHENTICATION = (
    _STATUS + r"40[13]\b|\b40[13] client error\b|\bunauthori[sz]ed\b|\bforbidden\b"
    r"|\bauthentication (?:failed|failure|required|error)\b|\bpermission denied \(publickey"
    r"|\b(?:invalid|incorrect|expired) (?:api[ _-]?key|(?:access |auth |bearer )?token|credentials?)\b"
)

DEFAULT_RULES = (
    # What a program says by its exit status outranks guesses from its output. sysexits.h: 75 EX_TEMPFAIL, "try again
    # later"; 77 EX_NOPERM. POSIX shells: 126 found but not executable, 127 not found. timeout(1), below: 124.
    Rule(PROVIDER_TRANSIENT, "temporary_failure", exit_statuses=(75,)),
    Rule(PROVIDER_AUTH, "permission_denied", exit_statuses=(77,)),
    Rule("missing_config", "command_not_found", exit_statuses=(126, 127)),
    Rule(
        PROVIDER_TRANSIENT,
        "provider_connect_timeout",
        exceptions=(
            *("ConnectionError", "TimeoutError", "gaierror", "herror"),  # the standard library; also requests, redis
            *("TimeoutException", "NetworkError", "Timeout", "ConnectTimeout", "ReadTimeout"),  # httpx, requests
            "RemoteProtocolError",  # httpx, of a server that disconnected without an answer
            *("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ReadTimeoutError"),  # urllib3
            *("ClientConnectionError", "EndpointConnectionError"),  # aiohttp, botocore
            *("APIConnectionError", "APITimeoutError", "DeadlineExceeded"),  # clients of model providers, Google
        ),
        exit_statuses=(124,),
        pattern=_CONNECTION,
    ),
    Rule(
        PROVIDER_TRANSIENT,
        "provider_server_error",
        exceptions=(
            *("ServerError", "InternalServerError", "ServiceUnavailable", "ServiceUnavailableError", "BadGateway"),
            *("RateLimitError", "TooManyRequests", "OverloadedError"),
        ),
        pattern=_SERVER,
    ),
    Rule(
        PROVIDER_AUTH,
        "provider_auth",
        exceptions=(
            *("AuthenticationError", "AuthenticationFailed", "Unauthorized", "Unauthenticated", "Forbidden"),
            *("PermissionDeniedError", "NoCredentialsError", "InvalidApiKey"),
        ),
        pattern=_AUTHENTICATION,
    ),
)


@dataclass(frozen=True)
class Classifier:
    """An ordered table of rules; a host replaces it as a whole or puts its own rules before ``DEFAULT_RULES``.

    Reasons are redacted. What no rule knows is an execution_error, classified by *otherwise*.
    """

    rules: Sequence[Rule] = DEFAULT_RULES

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(self.rules))
        for rule in self.rules:
            if not isinstance(rule, Rule):
                raise InvalidValue("classifier.rules", type(rule).__name__, "instances of Rule")

    def classify_exception(self, error: BaseException) -> Failure:
        """The failure that an exception from a handler means."""
        kind = type(error).__name__[:_MAX_KIND]
        text = _message(error)[: MAX_GIVEN_BYTES // 4]  # redacted as a whole: a cut may hide where a secret begins
        reason = f"{kind}: {text}" if text else kind
        return self._classify(reason, kind, classes=_names_of(error), text=text[:MAX_INSPECTED])

    def classify_exit(self, exit_status: int | None, signal: int | None, stderr: str) -> Failure:
        """The failure that the end of a process means; *signal* is the one that killed it, if any.

        Rules look at the end of *stderr*, where programs say why they give up, but not after a signal: then what
        was written before is not the cause.
        """
        if signal is not None:
            reason = _ended(f"killed by signal {signal}", stderr)
            return self._classify(reason, f"signal_{signal}", status=128 + signal)
        kind = None if exit_status is None else f"exit_{exit_status}"
        reason = _ended("ended in an unknown way" if exit_status is None else f"exit status {exit_status}", stderr)
        return self._classify(reason, kind, status=exit_status, text=stderr[-MAX_INSPECTED:])

    def classify_text(self, text: str) -> Failure:
        """The failure that a mere text means."""
        return self._classify(text[:MAX_INSPECTED], None, text=text[:MAX_INSPECTED])

    @cached_property
    def id(self) -> PolicyId:
        """``classifier-v1-`` and the digest of the table."""
        return PolicyId(f"classifier-v1-{digest(self.document())}")

    def document(self) -> JsonValue:
        """The table as JSON, the same for equal tables."""
        return {"version": 1, "rules": [rule.document() for rule in self.rules]}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Classifier":
        """The classifier that ``document()`` described."""
        return cls(tuple(Rule(**body) for body in document["rules"]))

    def _classify(
        self,
        reason: str,
        kind: str | None,
        *,
        classes: frozenset[str] = frozenset(),
        status: int | None = None,
        text: str = "",
    ) -> Failure:
        shown = redact_text(reason)
        for rule in self.rules:
            if rule.matches(classes, status, text):
                return Failure(rule.failure_class, shown, kind=rule.kind, classified_by=rule.name, classifier=self.id)
        return Failure(EXECUTION_ERROR, shown, kind=kind, classified_by=OTHERWISE, classifier=self.id)


def _names_of(error: BaseException) -> frozenset[str]:
    """The names of the exception's class and of all its bases, bare and full."""
    mro = type(error).__mro__
    return frozenset([cls.__name__ for cls in mro] + [f"{cls.__module__}.{cls.__qualname__}" for cls in mro])


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001  # a broken __str__ must not hide the failure
        return "<an error that cannot be shown>"


def _ended(how: str, stderr: str) -> str:
    """*how* a process ended and the last that it wrote, short enough to be kept whole.

    Redacted over a longer stretch before it is cut, so that no cut hides the beginning of a secret from redaction.
    """
    tail = redact_text(stderr[-2 * MAX_INSPECTED :]).strip()[-_SHOWN:]
    return f"{how}: {tail}" if tail else how
