"""One decision on the SQLite log: reads under the write lock, appends and agenda rows in one transaction."""

import os
import sqlite3
from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from redrive.domain.compensation.state import CompensationState
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.effect.state import Effect
from redrive.domain.event import Cause, Event, Recorded
from redrive.domain.flow import Flow
from redrive.domain.identity import (
    CompensationId,
    DeadLetterId,
    EffectId,
    EventId,
    RunId,
    StreamId,
    Tenant,
    flow_stream_of,
    policy_stream_of,
)
from redrive.domain.ports import START, Caller, Due, Policy, Subject
from redrive.domain.records import FlowRegistered, LimitRemoved, LimitSet, PolicyKind, PolicyRegistered
from redrive.domain.run.state import Run
from redrive.ledger.agenda_rows import State, rows_of
from redrive.ledger.capacity import waiters_of
from redrive.ledger.limit_book import LIMITS_STREAM
from redrive.ledger.mapper import NewRow, row_of
from redrive.ledger.reading import Reading
from redrive.ledger.states import BYTES_PER_NODE, Entry, as_cause
from redrive.ledger.tally import LimitOwner, Tally

if TYPE_CHECKING:
    from redrive.ledger.committer import Committer


S = TypeVar("S", bound=State)


class LedgerTransaction(Reading):
    """The unit of work of one command. Nothing reaches the database before ``flush``."""

    def __init__(self, committer: "Committer", caller: Caller, now_ms: int) -> None:
        super().__init__(committer, caller, now_ms)
        self.pending: list[Recorded] = []
        self.registered: set[str] = set()
        self._nonce = os.urandom(10).hex()  # asked of the system once: the ids of its events count on from it
        self._cause = caller.cause or Cause("command", self._nonce)
        self._redrivable: dict[str, bool] = {}
        self._rows: list[NewRow] = []
        self._tally: Tally | None = None

    def begin_run(self, tenant: Tenant, flow: Flow, event: Event, id_: RunId) -> Run:
        """Begin the stream of a new run and return its state; the flow is registered when it is new."""
        flow = self._ledger.states.own(flow)
        run = Run(flow=flow, tenant=tenant, id=id_)
        for policy in flow.policies.values():
            self.register_policy(run, "retry", policy)
        stream = flow_stream_of(tenant, flow.digest)
        if self._is_new(stream):
            self._record(stream, 1, FlowRegistered(flow=flow.digest, document=flow.document()), run)
        entry = Entry(id_, run, created=0, size=BYTES_PER_NODE * len(flow))
        self._ledger.states.begin(entry)
        self._append(entry, (event,), run, None)
        return run

    def append_run(self, run: Run, *events: Event, cause: Cause | None = None) -> Run:
        """Append to a run's stream and return its new state."""
        entry = self._require(run.id)
        self._redrivable.setdefault(run.id, run.redrivable)
        if not self.limited:
            self._append(entry, events, run, cause)
            return run
        with self.limits.counting(run, events):
            self._append(entry, events, run, cause)
        return run

    def append_dead_letter(self, id_: DeadLetterId, subject: Subject, *events: Event) -> DeadLetter:
        """Append to a dead letter's stream (*subject* is what it belongs to) and return its new state."""
        return self._append_to(id_, DeadLetter, subject, events)

    def append_effect(self, id_: EffectId, subject: Subject, *events: Event) -> Effect:
        """Append to an effect's stream and return its new state."""
        return self._append_to(id_, Effect, subject, events)

    def append_compensation(self, id_: CompensationId, subject: Subject, *events: Event) -> CompensationState:
        """Append to a compensation's stream and return its new state."""
        return self._append_to(id_, CompensationState, subject, events)

    def _append_to(self, stream: str, kind: "Callable[..., S]", subject: Subject, events: Sequence[Event]) -> S:
        """Append to a stream that begins with its first event."""
        entry = self._entry(stream)
        if entry is None:
            entry = Entry(stream, kind(tenant=subject.tenant), created=0)
            self._ledger.states.begin(entry)
        self._append(entry, events, subject, None)
        return cast(S, entry.state)

    @property
    def limited(self) -> bool:
        """Whether there ever was a limit; else nothing needs to be asked."""
        return self._ledger.limit_book.version > 0

    @property
    def limits(self) -> Tally:
        """What limits leave room for, with what this transaction has claimed and started."""
        if self._tally is None:
            book = self._ledger.limit_book
            self._tally = Tally(self._ledger.recorder.writer, book, self.now_ms, self.caller.tenant)
            if book.version:
                self._read[LIMITS_STREAM] = book.version
        return self._tally

    def append_limit(self, tenant: Tenant, event: LimitSet | LimitRemoved) -> None:
        """Set or remove a limit: for every process, from its next transaction on."""
        book = self._ledger.limit_book
        book.require_writable()
        changed = self.limits.changed
        changed.append(event.limit if isinstance(event, LimitRemoved) else event.limit.key)
        self._record(LIMITS_STREAM, book.version + len(changed), event, LimitOwner(tenant, LIMITS_STREAM))

    def append_record(self, stream: StreamId, event: Event) -> None:
        """Append what concerns the log as a whole, one event for each transaction, to a stream that is no aggregate."""
        self._record(stream, self._ledger.recorder.head(stream) + 1, event, LimitOwner(Tenant(), stream))

    def register_policy(self, run: Run, kind: PolicyKind, policy: Policy) -> None:
        """Log the body of a policy, unless the log of the run's tenant has it."""
        stream = policy_stream_of(run.tenant, policy.id)
        if self._is_new(stream):
            self._record(stream, 1, PolicyRegistered(policy=policy.id, kind=kind, body=policy.document()), run)

    def next_claimable(
        self,
        handlers: Container[str] | None,
        limit: int,
        run: RunId | None,
        without: Container[str] = (),
        after: tuple[int, int] = START,
    ) -> Sequence[Due]:
        """Due queued runs in the order (due, created) that a worker with *handlers* (None: any) may execute, with
        those for whom a limit has room again, beyond *after*; none of the tenants *without*."""
        agenda, tenant = self._ledger.agenda, self.caller.tenant
        if run is not None:
            dues = agenda.claimable_run(run, self.now_ms)
            return dues or (self.limits.offers_of(run) if self.limited else [])
        dues = agenda.claimable(tenant, handlers, self.now_ms, limit, without, after)
        if not self.limited:
            return dues
        offers = self.limits.offers(tenant, handlers, limit, without, after)
        first: dict[str, Due] = {}
        for due in sorted([*dues, *offers], key=lambda due: (due.due_ms, due.created)):
            first.setdefault(due.subject, due)
        return list(first.values())[:limit]

    def due_dead_letters(self, run: RunId) -> Sequence[DeadLetterId]:
        """The dead letters of *run* whose dispatch is due."""
        return self._ledger.agenda.dead_letters(run, self.now_ms)

    def append_once(self, tenant: Tenant, stream: StreamId, event: Event) -> bool:
        """Write a stream of one event; False when it was written before."""
        if not self._is_new(stream):
            return False
        self._record(stream, 1, event, LimitOwner(tenant, stream))
        return True

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection that writes, within this transaction: for maintenance that undoes what it cannot finish."""
        return self._ledger.recorder.writer

    def append_next(self, tenant: Tenant, stream: StreamId, event: Event) -> None:
        """Append to a stream that no decision depends on."""
        self._record(stream, self._ledger.recorder.head(stream) + 1, event, LimitOwner(tenant, stream))

    def encode(self) -> None:
        """Turn what was appended into rows, before anything reaches the database."""
        for recorded in self.pending:
            recorded.recorded_at_ms = self._ledger.recorded_at_ms
        self._rows = [row_of(recorded) for recorded in self.pending]
        if (encryption := self._ledger.recorder.encryption) is not None:
            self._rows = encryption.encrypt(self._rows, self.caller.subject)

    def flush(self) -> None:
        """Insert what was appended, and bring the agenda up to it."""
        if not self.pending:
            return
        unchanged = {stream: version for stream, version in self._read.items() if stream not in self._written}
        last = self._ledger.recorder.insert(self._rows, unchanged)
        position = last - len(self.pending)
        for recorded, row in zip(self.pending, self._rows, strict=True):
            recorded.position = position = position + 1
            if (entry := self._written.get(recorded.stream)) is not None:
                entry.created = entry.created or position
                self._ledger.states.grew(entry, len(row[3]))
        tally = self._tally if self._tally is not None and self._tally.concerned else None
        for stream, entry in self._written.items():
            if tally is not None and isinstance(entry.state, Run):
                tally.bring_waiters(entry.stream, waiters_of(entry.state, entry.created))
            self._bring_agenda(stream, entry)
        if tally is not None:
            tally.flush(self._ledger)

    def discard(self) -> None:
        """Forget the states that this command changed in memory."""
        for stream in self._written:
            self._ledger.states.forget(stream)

    def _append(self, entry: Entry, events: Sequence[Event], subject: Subject, cause: Cause | None) -> None:
        if not events:
            return
        entry.require_writable(events)
        self._written[entry.stream] = entry
        for event in events:
            recorded = self._record(entry.stream, entry.state.version + 1, event, subject, cause)
            entry.apply(event, recorded.event_id)

    def _record(
        self, stream: str, version: int, event: Event, subject: Subject, cause: Cause | None = None
    ) -> Recorded:
        caller = self.caller
        id_ = EventId(f"{self._nonce}{len(self.pending):04x}")
        recorded = Recorded(
            StreamId(stream),
            version,
            event,
            id_,
            self.now_ms,
            subject.tenant,
            subject.correlation,
            caller.actor,
            caller.reason,
            cause or self._cause,
            self._ledger.engine,
        )
        if not self.pending:
            self._cause = as_cause(id_)  # of all that follow in this transaction
        self.pending.append(recorded)
        return recorded

    def _is_new(self, stream: str) -> bool:
        """Whether a write-once stream is empty; from now on it is not."""
        if stream in self._ledger.known_streams or stream in self.registered:
            return False
        self.registered.add(stream)
        return self._ledger.recorder.head(stream) == 0

    def _bring_agenda(self, stream: str, entry: Entry) -> None:
        state, agenda = entry.state, self._ledger.agenda
        rows = rows_of(state, entry.created, self._ledger.engine, self.find_run)
        if isinstance(state, Run):
            self._arm_letters(state)
        if rows == entry.rows:
            return
        if entry.rows is None or (entry.rows and {row.needs for row in entry.rows} - {row.needs for row in rows}):
            agenda.remove(stream)
        for row in rows:
            agenda.put(row)
        entry.rows = rows

    def _arm_letters(self, run: Run) -> None:
        """Make the dead letters of a run due, or not, when it may be requeued from now on, or not."""
        if self._redrivable.get(run.id, False) == run.redrivable:
            return
        letters = {*run.dead_letters.values(), *run.effect_letters.values()}
        if letters - self._written.keys():  # those written here get rows of their own
            self._ledger.agenda.arm(run.id, run.redrivable)
            self._ledger.rows_changed(letters)


Command = Callable[[LedgerTransaction], object]
