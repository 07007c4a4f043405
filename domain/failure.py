"""A failure: its class (what the policy looks at), its reason, and a fingerprint that groups like failures."""

import hashlib
import re
from dataclasses import dataclass

from redrive.domain.values import clean_integer, clean_name, clean_text

MAX_REASON_BYTES = 4_096  # are kept, after what is secret was taken out
MAX_GIVEN_BYTES = 262_144
MAX_DELAY_MS = 86_400_000  # of a retry, whoever asked for it: a day

PROVIDER_TRANSIENT = "provider_transient"
PROVIDER_AUTH = "provider_auth"
EXECUTION_ERROR = "execution_error"
INTERRUPTED = "interrupted"
OUTBOX_SEND = "outbox_send"
OUTCOME_UNKNOWN = "outcome_unknown"
APPROVAL_DENIED = "approval_denied"
APPROVAL_EXPIRED = "approval_expired"
POLICY_WITHHELD = "policy_withheld"


def failure_class_named(name: object, field: str = "failure_class") -> str:
    """*name* as a failure class: trimmed, lower case, ``-`` and space as ``_``."""
    return re.sub(r"[\s-]", "_", clean_name(name, field).strip().lower())


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed.

    *failure_class* is what retry policies decide by, *kind* refines it for people, *reason* is free text (the engine
    keeps at most 4,096 bytes of it, redacted). When the host gave no class, *classified_by* names the rule of the
    *classifier* that did. *final*: no other attempt whatever the policy says. *delay_ms*: the delay that the
    provider (or the handler) asked for; it takes the place of the policy's delay.
    """

    failure_class: str
    reason: str = ""
    kind: str | None = None
    classified_by: str | None = None
    final: bool = False
    delay_ms: int | None = None
    classifier: str | None = None

    def __post_init__(self) -> None:
        if self.delay_ms is not None:
            clean_integer(self.delay_ms, "delay_ms", 0, MAX_DELAY_MS)
        name, reason = self.failure_class, self.reason
        if not (type(name) is str and name.isidentifier() and name.islower() and len(name) < 100):
            object.__setattr__(self, "failure_class", failure_class_named(name))
        if not (type(reason) is str and reason.isascii() and len(reason) <= MAX_REASON_BYTES):
            reason = clean_text(reason, "reason", most=MAX_GIVEN_BYTES)
            object.__setattr__(self, "reason", reason)
        for field in ("kind", "classified_by"):
            if getattr(self, field) is not None:
                object.__setattr__(self, field, clean_name(getattr(self, field), field))


_VARIABLE = re.compile(  # what may stand at the front is looked for first: it is on the way of every dead letter
    r"(?=[\da-f])(?:0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9a-f]{12,}\b|\d+)"
)


def fingerprint_of(failure: Failure) -> str:
    """16 hex digits, equal for failures that differ only in numbers and identifiers."""
    reason = _VARIABLE.sub("#", " ".join(failure.reason[:400].lower().split()))
    text = f"{failure.failure_class}\n{failure.kind or ''}\n{reason[:200]}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
