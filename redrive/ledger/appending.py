"""What one decision appends: the half of a transaction that the commands write with."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from redrive.domain.compensation.state import CompensationState
from redrive.domain.dead_letter.events import DeadLetterOpened
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.effect.state import Effect
from redrive.domain.event import Cause, Event
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
from redrive.ledger.limit_book import LIMITS_STREAM
from redrive.ledger.mapper import Appended
from redrive.ledger.seams import nonces
from redrive.ledger.states import BYTES_PER_NODE, Entry, cause_of

if TYPE_CHECKING:
    from redrive.ledger.committer import Committer

S = TypeVar("S", bound=State)
_REGISTERED = (FlowRegistered, PolicyRegistered)  # written beside what first uses them: they cause nothing
_NUMBERS = tuple(f"{number:04x}" for number in range(64))


class Appending(AgendaReading):
    """The part of a transaction that notes what is to be written."""

    __slots__ = ("_cause", "_leads", "_nonce", "_origin", "_redrivable", "appended", "registered")

    def __init__(self, committer: "Committer", caller: Caller, now_ms: int, *, first: bool) -> None:
        AgendaReading.__init__(self, committer, caller, now_ms, first=first)
        self.appended: list[Appended] = []
        self.registered: set[str] = set()
        self._nonce = nonces.get()()  # asked of the system once: the ids of its events count on from it
        self._origin = self._cause = caller.cause or cause_of("command", self._nonce)
        self._leads = True
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

    def alone(self) -> None:
        """From here on nobody else writes to the log: for what reads past the states, or does what cannot be undone. A
        command says so before anything else."""
        if self._committer.ahead:
            raise NotAhead

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
