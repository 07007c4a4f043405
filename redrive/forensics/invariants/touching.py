"""What may touch the columns that somebody watches: no other event need be folded.

A row of dead letters, effects or compensations follows from the events of its own stream; one of runs from others too,
but each of these changes only some of its columns. An event that cannot change what is watched is still read: one that
nobody can read ends what the row says.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

from redrive.domain.dead_letter import events as de
from redrive.domain.event import CATALOGUE, Event, UnknownEvent
from redrive.domain.run import events as e
from redrive.domain.run import wait_events as w
from redrive.ledger.database import Row
from redrive.ledger.mapper import is_read
from redrive.projections import compensations, dead_letters, effects, queues
from redrive.projections.tables import Table

_LEFT = frozenset({"status", "finished_at_ms", "due_ms", "held_by", "worker", "lease_expires_ms"})
_SUCCESS = frozenset({"succeeded", "succeeded_bits"})
_FAILURE = frozenset({f"last_failure_{name}" for name in ("class", "kind", "reason", "node")})
_CLAIM = frozenset({"worker", "lease_expires_ms"})
_QUIET = frozenset[str]()

OF_ITS_OWN: dict[str, frozenset[type]] = {
    "dead_letters": frozenset({*dead_letters.folds.by_class, de.DeadLetterOpened, UnknownEvent}),
    "effects": frozenset({*effects.folds.by_class, UnknownEvent}),
    "compensations": frozenset({*compensations.folds.by_class, UnknownEvent}),
}
"""The events that a row of these tables follows from: those of its own stream. A run's row follows from others too."""


_OF_RUNS: dict[type[Event], frozenset[str]] = {
    e.RunClaimed: _CLAIM | {"status", "due_ms", "held_by", "epoch"},
    e.LeaseRenewed: frozenset({"lease_expires_ms"}),
    e.ClaimReleased: _CLAIM,
    e.ClaimAbandoned: _CLAIM | {"takeovers"},
    e.AttemptStarted: frozenset({"attempts"}),
    e.AttemptSucceeded: _SUCCESS,
    e.AttemptFailed: _FAILURE | {"retries"},
    e.AttemptInterrupted: _FAILURE | {"retries"},
    e.AttemptSnoozed: _QUIET,
    e.RetryBackoffScheduled: frozenset({"retries"}),
    e.RunQueued: _LEFT | {"queue_reason"},
    e.RunRequeued: _LEFT | _SUCCESS | _FAILURE | {"queue_reason", "generation"},
    e.RunPauseRequested: frozenset({"pause_requested"}),
    e.RunResumed: frozenset({"pause_requested"}),
    e.RunPaused: _LEFT,
    e.RunCompleted: _LEFT,
    e.RunBlocked: _LEFT,
    e.RunFailed: _LEFT,
    e.RunCancelled: _LEFT,
    w.ApprovalRequested: _QUIET,
    w.ApprovalGiven: _SUCCESS,
    w.ApprovalDenied: _FAILURE,
    w.ApprovalExpired: _FAILURE,
    w.WaitStarted: _QUIET,
    w.WaitEnded: _SUCCESS,
    w.RunAwaitingApproval: _LEFT,
}
WRITES: dict[type[Event], frozenset[str]] = {
    **{cls: columns | ({"updated"} if cls in queues.folds.by_class else _QUIET) for cls, columns in _OF_RUNS.items()},
    **dict.fromkeys((e.DeadLetterLinked, e.EffectAdmitted, e.NoteAdded), _QUIET),
    **dict.fromkeys((*effects.folds.by_class, *compensations.folds.by_class), _QUIET),
    **dict.fromkeys((de.DeadLetterHeld, de.DeadLetterSuperseded, de.DeadLetterNoted), _QUIET),
    **dict.fromkeys(
        (
            de.DeadLetterRecurred, de.DeadLetterRetryRequested, de.DeadLetterRetryDispatched, de.RetryExhausted,
            de.RetryBudgetGranted, de.DeadLetterResolved, de.DeadLetterIgnored, de.DeadLetterAbandoned,
            de.DeadLetterLinkedToCompensation, de.DeadLetterReopened, de.DeadLetterOpened,
        ),
        frozenset({"open_letters"}),
    ),
}  # fmt: skip
"""The columns of its run that an event of a class may change; one of any other class may change all."""
_MADE_OF = {"needs_review": frozenset({"status", "open_letters"})}


def changing(columns: Iterable[str]) -> frozenset[type]:
    """The classes of events that may change one of *columns* of a run; what cannot be read is among them."""
    wanted = set[str]().union(*(_MADE_OF.get(name, {name}) for name in columns))
    classes = {cls for cls in CATALOGUE.values() if cls not in WRITES or WRITES[cls] & wanted}
    return frozenset({*classes, UnknownEvent})


def rows_changing(columns: Iterable[str]) -> Callable[[Row], bool]:
    """Tells of an event as it is stored whether it may change one of *columns* of a run."""
    quiet = {cls.TOPIC for cls in WRITES.keys() - changing(columns)}

    @cache
    def is_quiet(stored_as: str) -> bool:
        return stored_as.rpartition("/")[0] in quiet

    return lambda row: not (is_quiet(row[3]) and is_read(row))


def topics_of(classes: Iterable[type]) -> Callable[[Row], bool]:
    """Tells of an event as it is stored, by its topic and version, whether it may be of one of *classes*, or unknown.
    Of what has their kind of stream, nothing is left out: a damaged event of any topic makes its row unreadable."""
    kinds = {cls.TOPIC.partition(".")[0] for cls in classes if issubclass(cls, Event)}
    known = {cls.TOPIC for cls in CATALOGUE.values()}

    @cache
    def wanted(stored_as: str) -> bool:
        topic, _, version = stored_as.rpartition("/")
        return topic.partition(".")[0] in kinds or topic not in known or not _is_known(topic, version)

    return lambda row: wanted(row[3])


def _is_known(topic: str, version: str) -> bool:
    """Whether this version of redrive knows that version of the topic."""
    newest = max(cls.VERSION for cls in CATALOGUE.values() if topic == cls.TOPIC)
    return version.isdecimal() and int(version) <= newest


class Touching(NamedTuple):
    """What may change some columns of a table: the *classes* of events, and which rows of the log it *wants* to see,
    to find them, and what nobody can read."""

    classes: frozenset[type]
    wants: Callable[[Row], bool]


def touching(table: Table, columns: Iterable[str]) -> Touching:
    """What may change *columns* of *table*."""
    if table is queues.RUNS:
        return Touching(changing(columns), rows_changing(columns))
    return Touching(OF_ITS_OWN[table.name], topics_of(OF_ITS_OWN[table.name]))
