# ruff: noqa: ARG002  (a transaction on paper takes what a real one takes, and does less with it)
"""A transaction on paper: what the use cases need from a ledger, over states that are nobody's truth."""

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NoReturn, TypeVar

from redrive.domain.compensation.state import CompensationState
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.effect.state import Effect
from redrive.domain.event import Cause, Event
from redrive.domain.flow import Flow
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, Principal, RunId, StreamId, Tenant
from redrive.domain.limits import UNLIMITED, First, Limit, Room
from redrive.domain.ports import START, Ahead, Caller, Due, DueKey, Policy, Subject
from redrive.domain.records import LimitRemoved, LimitSet, PolicyKind
from redrive.domain.run.state import Run
from redrive.forensics.decided_again.streams import Stream
from redrive.ledger.agenda_rows import State, rows_of
from redrive.ledger.finding import Finding

S = TypeVar("S", bound=State)


class NoLimits:
    """Limits as a decision on paper sees them: none. What they said is an input that is taken as recorded."""

    def known(self, key: str) -> Limit | None:
        """None is known."""

    def set_by(self, key: str) -> Principal | None:
        """Nobody set one."""

    def room(self, keys: Iterable[str], first: Mapping[str, First] | None = None) -> Room:
        """There is always room."""
        return UNLIMITED

    def reserve(self, keys: Iterable[str]) -> None:
        """Nothing is counted."""

    def ahead(
        self, key: str, tenant: Tenant | None, handlers: Container[str] | None, *, who: Ahead,
        before: DueKey | None = None, run: str = "",
    ) -> int:  # fmt: skip
        """Nobody waits."""
        return 0

    def kept(
        self, key: str, tenant: Tenant | None, handlers: Container[str] | None, *,
        before: DueKey | None = None, run: str = "",
    ) -> int:  # fmt: skip
        """Nothing is kept for anybody."""
        return 0

    def sought(self, handlers: Container[str] | None, run: RunId | None, most: int) -> list[RunId]:
        """Nobody waits."""
        return []

    def unexpected(self, runs: Iterable[RunId]) -> list[RunId]:
        """Nobody is looked for."""
        return []

    def expect(self, runs: Iterable[RunId]) -> None:
        """Nobody is told."""


class OnPaper(Finding, ABC):
    """One decision. Subclasses say where streams are found, and what becomes of events."""

    limited = False
    limits = NoLimits()
    spread = 1

    def __init__(self, caller: Caller, now_ms: int, engine: str) -> None:
        self.caller = caller
        self.now_ms = now_ms
        self._engine = engine

    @abstractmethod
    def stream_of(self, id_: str) -> Stream | None:
        """A stream as of now."""

    @abstractmethod
    def _append(self, id_: str, subject: Subject, kind: type[S], events: Sequence[Event]) -> S:
        """Take what a command appends, and return the new state."""

    @abstractmethod
    def draw(self) -> float:
        """A die in [0, 1)."""

    def begin_run(self, tenant: Tenant, flow: Flow, event: Event, id_: RunId) -> Run:
        """Begin the stream of a new run."""
        return self._append(id_, Run(flow=flow, tenant=tenant, id=id_), Run, [event])

    def append_run(self, run: Run, *events: Event, cause: Cause | None = None) -> Run:
        """Append to a run's stream and return its new state."""
        return self._append(run.id, run, Run, events)

    def append_dead_letter(self, id_: DeadLetterId, subject: Subject, *events: Event) -> DeadLetter:
        """Append to a dead letter's stream and return its new state."""
        return self._append(id_, subject, DeadLetter, events)

    def append_effect(self, id_: EffectId, subject: Subject, *events: Event) -> Effect:
        """Append to an effect's stream and return its new state."""
        return self._append(id_, subject, Effect, events)

    def append_compensation(self, id_: CompensationId, subject: Subject, *events: Event) -> CompensationState:
        """Append to a compensation's stream and return its new state."""
        return self._append(id_, subject, CompensationState, events)

    def register_policy(self, run: Run, kind: PolicyKind, policy: Policy) -> None:
        """On paper nothing is registered: whether the log has a policy already is no decision."""

    def append_limit(self, tenant: Tenant, event: LimitSet | LimitRemoved) -> NoReturn:
        """Limits are set by operators, never re-decided."""
        raise AssertionError(f"{event.TOPIC} is an input, not a decision")

    def append_record(self, tenant: Tenant, stream: StreamId, event: Event, correlation: str | None = None) -> NoReturn:
        """Records, such as notes, are written by people, never re-decided."""
        raise AssertionError(f"{event.TOPIC} is an input, not a decision")

    def afresh(self) -> None:
        """On paper causes are not told."""

    def readable(self, id_: RunId | DeadLetterId | EffectId | CompensationId) -> bool:
        """Whether this version knows every event of a stream so far."""
        stream = self.stream_of(id_)
        return stream is None or not stream.unknown

    def require_writable(self, stream: str, events: Sequence[Event] = ()) -> None:
        """What was written was writable."""

    def moved_by(self, id_: DeadLetterId) -> Cause:
        """The last event that changed a dead letter, as a cause."""
        stream = self.stream_of(id_)
        return Cause("event", "" if stream is None else stream.moved_by)

    def next_claimable(
        self,
        handlers: Container[str] | None,
        limit: int,
        run: RunId | None,
        without: Container[str] = (),
        after: DueKey | None = START,
    ) -> Sequence[Due]:
        """On paper nobody asks for work."""
        return ()

    def due_dead_letters(self, run: RunId) -> Sequence[DeadLetterId]:
        """The dead letters of *run* whose dispatch is due, in the order in which they opened."""
        found = self.find_run(run)
        letters = () if found is None else (*found.dead_letters.values(), *found.effect_letters.values())
        due: list[tuple[int, DeadLetterId]] = []
        for id_ in letters:
            stream = self.stream_of(id_)
            if stream is not None and isinstance(stream.state, DeadLetter):
                rows = rows_of(stream.state, stream.created, self._engine, self.find_run)
                due += [(stream.created, id_) for row in rows if row.due_ms is not None and row.due_ms <= self.now_ms]
        return [id_ for _, id_ in sorted(due)]

    def _find(self, id_: str, kind: type[S]) -> S | None:
        stream = self.stream_of(id_)
        return stream.state if stream is not None and isinstance(stream.state, kind) else None
