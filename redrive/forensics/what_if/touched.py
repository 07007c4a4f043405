"""What another policy can touch: told of a decision by its rows, most of them without decoding.

A retry policy is asked in one place, for the decision that an event of a failed attempt or a refused approval carries
with every input; what else such a command writes follows from that decision and the state. A redrive policy is asked by
commands that write to a dead letter, or requeue a run. No other command knows of policies: what it wrote, it would have
written.
"""

from collections import OrderedDict
from collections.abc import Container, Sequence
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING

from redrive.domain.dead_letter.events import DeadLetterOpened, DeadLetterRetryDispatched
from redrive.domain.errors import StreamUnreadable
from redrive.domain.event import Event, Recorded
from redrive.domain.flow import Flow
from redrive.domain.retry_policy import RetryPolicy
from redrive.domain.run import events as e
from redrive.domain.run.wait_events import ApprovalDenied, ApprovalExpired
from redrive.forensics.what_if.bounds import Amounts
from redrive.forensics.what_if.otherwise import OtherFlows, same_decision
from redrive.forensics.what_if.policy_file import Section, WhatIfPolicy
from redrive.ledger.database import Row
from redrive.ledger.mapper import shown

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

MOST_FLOWS = 10_000
MOST_BEGUN = 2_000
"""Runs whose first row is kept while the log is read; of others it is read again."""
_JUDGED = (e.AttemptFailed, e.AttemptInterrupted, ApprovalDenied, ApprovalExpired)
_FIRST_TRY = b'"lifetime":1,'


class Asks(IntEnum):
    """Which policy the command asked that wrote an event."""

    NONE, RETRY, REDRIVE, BEGINS = range(4)
    """BEGINS: no policy, but it says by which flow a run is decided about."""


@cache
def asks(stored_as: str) -> Asks:
    """Which policy was asked before an event was stored as this topic and version."""
    topic = stored_as.rpartition("/")[0]
    if topic in {cls.TOPIC for cls in _JUDGED}:
        return Asks.RETRY
    if topic == e.RunSubmitted.TOPIC:
        return Asks.BEGINS
    return Asks.REDRIVE if topic.startswith("dead-letter.") or topic == e.RunRequeued.TOPIC else Asks.NONE


class Touched:
    """Tells which decisions *policy* may touch. *flows* are those of the log with the other policy in them."""

    def __init__(
        self, ledger: "LogLedger", policy: WhatIfPolicy, flows: OtherFlows, dropped_at: Container[int]
    ) -> None:
        sections = (policy.default, *policy.automations.values())
        self._retries, self._redrives = any(map(_retries, sections)), any(map(_redrives, sections))
        self._ledger, self._flows, self._dropped_at = ledger, flows, dropped_at
        self._flow_of_run: OrderedDict[str, Flow | None] = OrderedDict()
        self._begun: OrderedDict[str, Row] = OrderedDict()
        self._decoded: dict[int, Recorded] = {}

    def touches(self, together: Sequence[Row]) -> bool:
        """Whether the decision that wrote these rows may have been another one; never False where it is."""
        self._decoded.clear()
        for row in together:
            if row[0] in self._dropped_at:
                return True
            asked = asks(row[3])
            if asked is Asks.NONE:
                continue
            if asked is Asks.BEGINS:
                self._note_begun(row)
            if asked is Asks.REDRIVE and self._redrives:
                return True
            if asked is Asks.RETRY and self._retries and not self._is_same(row):
                return True
        return False

    def shown(self, together: Sequence[Row]) -> list[Recorded]:
        """The events of the decision that was looked at last; what had to be decoded to tell is at hand."""
        known = self._decoded
        return [known[row[0]] if row[0] in known else shown((row,))[0] for row in together]

    def _note_begun(self, row: Row) -> None:
        """Keep the row that a run begins with: who asks for it will do so soon, if at all."""
        self._begun[row[1]] = row
        if len(self._begun) > MOST_BEGUN:
            self._begun.popitem(last=False)

    def _is_same(self, row: Row) -> bool:
        """Whether the other retry policy decides an attempt's failure by the recorded inputs as it was decided."""
        recorded = self._decoded[row[0]] = shown([row])[0]
        event = recorded.event
        flow = self._flow(row[1])
        if not isinstance(event, _JUDGED) or flow is None or event.node not in flow.nodes:
            return False
        was = event.decision
        policy: RetryPolicy = flow.nodes[event.node].retry
        began = was.decided_at_ms - was.elapsed_ms
        decided = policy.decide(
            was.failure, number=was.number, lifetime=was.lifetime, started_ms=began, now_ms=was.decided_at_ms,
            draw=was.draw,
        )  # fmt: skip
        return same_decision(decided, event)

    def _flow(self, run: str) -> Flow | None:
        """The flow of a run with the other policy; None when it cannot be told."""
        known = self._flow_of_run
        if run not in known:
            known[run] = self._read_flow(run)
            if len(known) > MOST_FLOWS:
                known.popitem(last=False)
        return known[run]

    def _read_flow(self, run: str) -> Flow | None:
        row = self._begun.pop(run, None) or self._ledger.recorder.first_of(run)
        first = None if row is None else shown([row])[0]
        if first is None or not isinstance(submitted := first.event, e.RunSubmitted):
            return None
        try:
            return self._flows.flow(first.tenant, submitted.flow, submitted.automation)
        except StreamUnreadable:
            return None


def _retries(section: Section) -> bool:
    return any(change is not None for change in (section.retry, *section.failure_classes.values()))


def _redrives(section: Section) -> bool:
    return section.redrive is not None


def count_rows(amounts: Sequence[Amounts], together: Sequence[Row], width_ms: int) -> None:
    """Count the rows of a decision to each of *amounts*, as ``Amounts.count`` does events."""
    for row in together:
        counted = _counted(row[3])
        if counted is None:
            continue
        # Within its texts quotes are escaped: what begins with a bare one is the event's own.
        if counted is DeadLetterOpened or (counted is e.AttemptStarted and _FIRST_TRY not in row[4]):
            recorded = shown([row])[0]
            for of in amounts:
                of.count(recorded, width_ms)
            continue
        for of in amounts:
            if counted is e.AttemptStarted:
                of.attempts += 1
            elif counted is e.RunCompleted:
                of.completed += 1
            else:
                of.dispatches += 1


@cache
def _counted(stored_as: str) -> type[Event] | None:
    """The class of events that are counted, by topic and version as stored."""
    topic, _, version = stored_as.rpartition("/")
    cls = next((cls for cls in _COUNTED if topic == cls.TOPIC), None)
    return cls if cls is not None and version.isdecimal() and int(version) <= cls.VERSION else None


_COUNTED: tuple[type[Event], ...] = (e.AttemptStarted, DeadLetterOpened, DeadLetterRetryDispatched, e.RunCompleted)
