"""Which parts of a stored event are payload: what the encryption per subject hides, and what it leaves readable.

*Payload* is whatever a host, a service or an operator put into the engine and that may be about a person: inputs,
outputs, requests, receipts, reasons, notes. Digests of payloads are keyed, because an unkeyed one could be guessed by
trying. Everything else (names, ids, numbers, times) stays readable, so that queues, leases, budgets and proofs need no
key. Names are chosen by whoever writes flows and keys: do not put personal data into them.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from redrive.domain.compensation import events as compensations
from redrive.domain.dead_letter import events as letters
from redrive.domain.effect import events as effects
from redrive.domain.event import Event
from redrive.domain.records import NoteWritten
from redrive.domain.run import events as runs
from redrive.domain.run import wait_events as waits

ENCRYPTED = "[encrypted]"
"""Stands where a payload is encrypted, for whoever has no key."""
DESTROYED = "[destroyed]"
"""Stands where a payload was encrypted with a key that is destroyed."""
KEYED = "keyed:"
"""How a keyed digest begins."""


class Paths(NamedTuple):
    """The paths of an event that are *payload*, and those that are *digests* of payload."""

    payload: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


_DECISION = Paths(("decision.failure.reason",))
_OF_LETTER = Paths(("failure.reason",), ("fingerprint",))
_REQUEST = ("request.request", "request.compensation.request")

PAYLOADS: Mapping[type[Event], Paths] = {
    runs.RunSubmitted: Paths(("input",), ("content",)),
    runs.AttemptSucceeded: Paths(("output",), ("report",)),
    runs.AttemptFailed: Paths(("decision.failure.reason",), ("report",)),
    runs.AttemptInterrupted: _DECISION,
    runs.RetryBackoffScheduled: Paths(("reason",)),
    runs.NoteAdded: Paths(("text",)),
    NoteWritten: Paths(("text",)),
    waits.ApprovalDenied: _DECISION,
    waits.ApprovalExpired: _DECISION,
    letters.DeadLetterOpened: _OF_LETTER,
    letters.DeadLetterRecurred: _OF_LETTER,
    letters.DeadLetterNoted: Paths(("text",)),
    effects.EffectIntended: Paths(_REQUEST, ("request.digest",)),
    effects.EffectWithheld: Paths((*_REQUEST, "why"), ("request.digest",)),
    effects.EffectSucceeded: Paths(("receipt",), ("receipt_digest",)),
    effects.EffectFailed: Paths(("failure.reason", "receipt"), ("receipt_digest",)),
    effects.EffectOutcomeUnknown: Paths(("failure.reason",)),
    effects.EffectReconciled: Paths(("why", "receipt"), ("receipt_digest",)),
    compensations.CompensationProposed: Paths(("plan.request",)),
    compensations.CompensationCompleted: Paths(("receipt",), ("receipt_digest",)),
    compensations.CompensationFailed: Paths(("failure.reason",)),
    compensations.CompensationCancelled: Paths(("why",)),
}
"""The payload of each event class; a class that is not named here has none beside the reason in its envelope."""

EXECUTING: frozenset[type[Event]] = frozenset(
    {
        runs.RunClaimed,
        runs.AttemptStarted,
        runs.RunRequeued,
        runs.EffectAdmitted,
        waits.ApprovalGiven,
        letters.DeadLetterRetryRequested,
        letters.RetryBudgetGranted,
        effects.EffectIntended,
        compensations.CompensationApproved,
        compensations.CompensationStarted,
    }
)
"""What would have work done, or send something: never with a payload that is gone. Facts are still recorded."""

_BY_TOPIC = {cls.STORED_AS: encrypted for cls, encrypted in PAYLOADS.items()}
_NOTHING = Paths()


def paths_of(topic: str) -> Paths:
    """What is encrypted of the stored states of *topic* (``topic/version``): paths from the top of the state."""
    own = _BY_TOPIC.get(topic, _NOTHING)
    return Paths(("reason", *(f"data.{path}" for path in own.payload)), tuple(f"data.{path}" for path in own.digests))


def value_at(state: Mapping[str, Any], path: str) -> Any:
    """What a state holds at *path*; None where there is nothing."""
    found: Any = state
    for name in path.split("."):
        if not isinstance(found, dict) or (found := found.get(name)) is None:
            return None
    return found


def put_at(state: dict[str, Any], path: str, value: Any) -> None:
    """Put *value* into a state at *path*. Raises ValueError where there is no such place."""
    *parents, last = path.split(".")
    place: Any = state
    for name in parents:
        place = place.get(name) if isinstance(place, dict) else None
    if not isinstance(place, dict) or last not in place:
        raise ValueError(f"there is no {path} to put a value into")
    place[last] = value
