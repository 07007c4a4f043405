"""One decision: what it reads, what it appends, and the agenda rows that follow, in one transaction."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeVar, cast

from redrive.domain.compensation.state import CompensationState
from redrive.domain.dead_letter.events import DeadLetterOpened
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
from redrive.domain.ports import Caller, Policy, Subject
from redrive.domain.records import FlowRegistered, LimitRemoved, LimitSet, PolicyKind, PolicyRegistered
from redrive.domain.run.state import Run
from redrive.ledger.agenda_reading import AgendaReading, NotAhead
from redrive.ledger.agenda_rows import State
from redrive.ledger.agenda_rows import rows_of as agenda_rows_of
from redrive.ledger.capacity_rows import waiters_of
from redrive.ledger.database import Connection
from redrive.ledger.encrypting import require_none_in_plain
from redrive.ledger.limit_book import LIMITS_STREAM
from redrive.ledger.mapper import Appended, Envelope, NewRow, rows_of
from redrive.ledger.seams import nonces
from redrive.ledger.states import BYTES_PER_NODE, Entry, cause_of

if TYPE_CHECKING:
    from redrive.ledger.committer import Committer

S = TypeVar("S", bound=State)
_REGISTERED = (FlowRegistered, PolicyRegistered)  # written beside what first uses them: they cause nothing
_NUMBERS = tuple(f"{number:04x}" for number in range(64))


class LedgerTransaction(AgendaReading):
    """The unit of work of one command. Nothing reaches the database before ``flush``."""

    __slots__ = (
        "_cause", "_last", "_leads", "_nonce", "_origin", "_recorded_at_ms", "_redrivable", "_rows",
        "appended", "hints", "refused", "registered",
    )  # fmt: skip

    def __init__(self, committer: "Committer", caller: Caller, now_ms: int, *, first: bool = True) -> None:
        AgendaReading.__init__(self, committer, caller, now_ms, first=first)
        self.refused = False
        self._recorded_at_ms = committer.recorded_at_ms
        self.appended: list[Appended] = []
        self.registered: set[str] = set()
        self.hints = False  # whether something was written that is no fact, yet worth a commit
        self._nonce = nonces.get()()  # asked of the system once: the ids of its events count on from it
        self._origin = self._cause = caller.cause or cause_of("command", self._nonce)
        self._leads = True
        self._last = 0
        self._redrivable: dict[str, bool] = {}

    def begin_run(self, tenant: Tenant, flow: Flow, event: Event, id_: RunId) -> Run:
        """Begin the stream of a new run and return its state; the flow is registered when it is new."""
        flow = self._committer.states.flows.own(flow)
        run = Run(flow=flow, tenant=tenant, id=id_)
        for policy in flow.policies.values():
            self.register_policy(run, "retry", policy)
        stream = flow_stream_of(tenant, flow.digest)
        if self._is_new(stream):
            self._note(stream, 1, FlowRegistered(flow=flow.digest, document=flow.document()), tenant, id_)
        entry = Entry(id_, run, 0, BYTES_PER_NODE * len(flow))
        self._committer.states.begin(entry)
        self._committer.recorder.heads.setdefault(id_, 0)  # found empty, or drawn; no row stands where another does
        self._append(entry, (event,), run, None)
        return run

    def append_run(self, run: Run, *events: Event, cause: Cause | None = None) -> Run:
        """Append to a run's stream and return its new state."""
        entry = self._require(run.id)
        if (run.dead_letters or run.effect_letters) and run.id not in self._redrivable:
            self._redrivable[run.id] = run.redrivable
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
        opens = self._committer.ahead and bool(events) and type(events[0]) is DeadLetterOpened
        entry = None if opens else self._entry(stream)  # its run knows of none, and the commit checks it
        if entry is None:
            entry = Entry(stream, kind(tenant=subject.tenant), 0)
            self._committer.states.begin(entry)
        self._append(entry, events, subject, None)
        return cast(S, entry.state)

    def append_limit(self, tenant: Tenant, event: LimitSet | LimitRemoved) -> None:
        """Set or remove a limit: for every process, from its next transaction on. The first one counts what all runs
        use, which others may be changing while this is decided ahead of the lock."""
        self.alone()
        book = self._committer.limit_book
        book.require_writable()
        changed = self.limits.changed
        changed.append(event.limit if isinstance(event, LimitRemoved) else event.limit.key)
        self._note(LIMITS_STREAM, book.version + len(changed), event, tenant, LIMITS_STREAM)

    def append_record(self, tenant: Tenant, stream: StreamId, event: Event, correlation: str | None = None) -> None:
        """Append to a stream that is no aggregate; *correlation*: what it belongs to (default: to nothing else)."""
        here = sum(1 for written, *_ in self.appended if written == stream)
        self._note(stream, self._committer.recorder.head(stream) + here + 1, event, tenant, correlation or stream)

    def append_once(self, tenant: Tenant, stream: StreamId, event: Event) -> bool:
        """Write a stream of one event; False when it was written before."""
        if not self._is_new(stream):
            return False
        self._note(stream, 1, event, tenant, stream)
        return True

    def afresh(self) -> None:
        """What is appended from here on has the cause of the whole command: it concerns something else."""
        self._cause, self._leads = self._origin, True

    def register_policy(self, run: Run, kind: PolicyKind, policy: Policy) -> None:
        """Log the body of a policy, unless the log of the run's tenant has it."""
        stream = policy_stream_of(run.tenant, policy.id)
        if self._is_new(stream):
            event = PolicyRegistered(policy=policy.id, kind=kind, body=policy.document())
            self._note(stream, 1, event, run.tenant, run.correlation)

    @property
    def connection(self) -> Connection:
        """The connection that writes, within this transaction: for maintenance that undoes what it cannot finish."""
        self.alone()
        return self._committer.recorder.writer

    def alone(self) -> None:
        """From here on nobody else writes to the log: for what reads past the states, or does what cannot be undone. A
        command says so before anything else."""
        if self._committer.ahead:
            raise NotAhead

    def emptying(self) -> AbstractContextManager[None]:
        """States of events may be emptied within, because an archive has them."""
        return self._committer.recorder.emptying()

    def encode(self) -> None:
        """Turn what was appended into rows, before anything reaches the database."""
        self._rows = rows_of(self.appended, self._envelope()) if self.appended else []
        recorder = self._committer.recorder
        if recorder.encryption is not None:
            self._rows = recorder.encryption.encrypt(self._rows, self.caller.subject)
        elif recorder.keys_away:
            require_none_in_plain(self._rows)

    def events(self) -> list[Recorded]:
        """What was appended, as it stands in the log: after ``flush``, for those who want to be told."""
        now, actor, reason, engine, at = self._envelope()
        begun = self._last - len(self.appended) + 1
        return [
            Recorded(
                stream, version, event, id_, now, tenant, correlation, actor, reason, cause, engine, begun + number, at
            )
            for number, (stream, version, event, id_, tenant, correlation, cause) in enumerate(self.appended)
        ]

    def _envelope(self) -> Envelope:
        caller, committer = self.caller, self._committer
        return Envelope(self.now_ms, caller.actor, caller.reason, committer.engine, self._recorded_at_ms)

    def overlay(self, heads: dict[str, int]) -> None:
        """Let the commands that follow see how far this one went with its streams."""
        heads.update((row[0], row[1]) for row in self.appended)

    def flush(self) -> None:
        """Insert what was appended, and bring the agenda up to it."""
        self.leave_hints()
        if self.appended:
            unchanged = [read for read in self._read.items() if read[0] not in self._written]
            self.stands(self._committer.recorder.insert(self.rows(), unchanged))

    def leave_hints(self) -> None:
        """Write what is no fact, yet worth a commit: who is expected."""
        if self._tally is not None:
            self.hints = self._tally.flush_expected()

    def rows(self) -> list[NewRow]:
        """What is to be inserted, recorded no earlier than what others wrote meanwhile."""
        if (latest := self._committer.recorded_at_ms) > self._recorded_at_ms:
            self._recorded_at_ms = latest
            self._rows = [(*row[:6], latest) for row in self._rows]
        return self._rows

    def stands(self, last: int) -> None:
        """Its events were inserted, up to position *last*: bring memory and the agenda up to them."""
        self._last = last
        written, sizes = self._written, dict.fromkeys(self._written, 0)
        for position, row in enumerate(self._rows, last - len(self._rows) + 1):
            stream = row[0]
            if stream in sizes:  # else it is written once: a flow, a policy, a limit
                sizes[stream] += len(row[3])
                if row[1] == 1:
                    written[stream].created = position
        tally = self._tally if self._tally is not None and self._tally.concerned else None
        for stream, entry in written.items():
            self._committer.states.grew(entry, sizes[stream])
            if tally is not None and isinstance(entry.state, Run):
                tally.bring_waiters(entry.stream, waiters_of(entry.state, entry.created))
            self._bring_agenda(stream, entry)
        if tally is not None:
            tally.flush(self._committer)

    def rests(self) -> AbstractSet[str]:
        """The streams that were read, found empty, or are to be written: others must have left them alone."""
        return self._read.keys() | self._missed | {row[0] for row in self.appended}

    @property
    def last_position(self) -> int:
        """Where its last event stands, after ``flush``."""
        return self._last

    def written(self) -> Iterable[Entry]:
        """The streams that it appended to."""
        return self._written.values()

    def begun(self) -> Iterator[Entry]:
        """The streams that it began."""
        return (self._written[row[0]] for row in self.appended if row[1] == 1 and row[0] in self._written)

    def moved_up(self, shift: int, recorded_at_ms: int) -> None:
        """Others wrote before it was committed: what it appended stands so much higher in the log, and is recorded no
        earlier than what they wrote."""
        self._last += shift
        self._recorded_at_ms = max(self._recorded_at_ms, recorded_at_ms)

    def refuse(self) -> None:
        """Nothing is to be written."""
        self.discard()
        self.appended.clear()
        self._written.clear()
        self.refused = True

    def discard(self) -> None:
        """Forget the states that this command changed in memory."""
        for stream in self._written:
            self._committer.states.forget(stream)
        for stream, *_ in self.appended:
            self._committer.recorder.heads.pop(stream, None)

    def _append(self, entry: Entry, events: Sequence[Event], subject: Subject, cause: Cause | None) -> None:
        if not events:
            return
        entry.require_writable(events)
        stream, state = entry.stream, entry.state
        tenant, correlation = subject.tenant, subject.correlation
        self._written[stream] = entry
        for event in events:
            entry.apply(event, self._note(stream, state.version + 1, event, tenant, correlation, cause))

    def _note(
        self, stream: str, version: int, event: Event, tenant: Tenant, correlation: str, cause: Cause | None = None
    ) -> EventId:
        """Note an event that is to be recorded; its id."""
        number = len(self.appended)
        id_ = EventId(self._nonce + (_NUMBERS[number] if number < 64 else f"{number:04x}"))
        self.appended.append((StreamId(stream), version, event, id_, tenant, correlation, cause or self._cause))
        if self._leads and type(event) not in _REGISTERED:
            self._cause, self._leads = cause_of("event", id_), False  # of all that follow, until something else begins
        return id_

    def _is_new(self, stream: str) -> bool:
        """Whether a write-once stream is empty; from now on it is not."""
        if stream in self._committer.known_streams or stream in self.registered:
            return False
        self.registered.add(stream)
        return self._committer.recorder.head(stream) == 0

    def _bring_agenda(self, stream: str, entry: Entry) -> None:
        state, agenda = entry.state, self._committer.agenda
        rows, before = agenda_rows_of(state, entry.created, self._committer.engine, self.find_run), entry.rows
        if type(state) is Run:
            self._arm_letters(state)
        if rows == before:
            return
        if before is None or (before and not {row.needs for row in rows}.issuperset([row.needs for row in before])):
            agenda.remove(stream)
        for row in rows:
            agenda.put(row)
        entry.rows = rows

    def _arm_letters(self, run: Run) -> None:
        """Make the dead letters of a run due, or not, when it may be requeued from now on, or not."""
        if (before := self._redrivable.get(run.id)) is None or before == run.redrivable:
            return
        letters = {*run.dead_letters.values(), *run.effect_letters.values()}
        if letters - self._written.keys():  # those written here get rows of their own
            self._committer.agenda.arm(run.id, run.redrivable)
            self._committer.rows_changed(letters)
