"""What the use cases need from a ledger: one transaction for one decision."""

from collections.abc import Callable, Container, Generator, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeVar

from redrive.domain.compensation.state import CompensationState
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.effect.state import Effect
from redrive.domain.event import Cause, Event, Recorded
from redrive.domain.flow import Flow
from redrive.domain.identity import (
    SYSTEM,
    CompensationId,
    DeadLetterId,
    EffectId,
    PolicyId,
    Principal,
    RunId,
    StreamId,
    Tenant,
)
from redrive.domain.limits import First, Limit, Room
from redrive.domain.records import LimitRemoved, LimitSet, PolicyKind
from redrive.domain.run.state import Run
from redrive.domain.values import JsonValue

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
FallsDue = Literal["dead_letter", "timed_wait", "expiry", "lease", "effect", "compensating"]
"""What falls due, as the agenda calls it: a dispatch, the end of a timed wait, the expiry of an approval; of leases,
that of a claim, of an effect sent outside runs, of a compensation that runs."""


class Caller(NamedTuple):
    """On whose behalf a command runs: *tenant* limits what it sees (None: the engine itself, which sees all);
    *subject* is whom the payload of what it begins is about."""

    tenant: Tenant | None
    actor: Principal = SYSTEM
    reason: str | None = None
    cause: Cause | None = None
    subject: str | None = None


DueKey = tuple[int, int]
"""A place in the line of what is due: (due_ms, created)."""

START: DueKey = (-1, -1)  # before all that is due
PAGE = 200
"""So much of what is due is looked at together."""


class Due(NamedTuple):
    """A row of the agenda: something whose time has come."""

    subject: str
    tenant: Tenant
    due_ms: int
    run: RunId
    holder: str | None = None
    created: int = 0

    @property
    def place(self) -> DueKey:
        """Where it stands in the line."""
        return self.due_ms, self.created


class DuePage(NamedTuple):
    """Some of what is due; *rest*: where to go on, None when there is no more."""

    rows: Sequence[Due]
    rest: DueKey | None


class Subject(Protocol):
    """What an event is about: a state that knows its tenant and what its events belong to."""

    @property
    def tenant(self) -> Tenant:
        """Whose."""

    @property
    def correlation(self) -> str:
        """The run, or the effect outside runs."""


class Policy(Protocol):
    """A policy, as the log keeps it."""

    @property
    def id(self) -> PolicyId:
        """Its kind, version and digest."""

    def document(self) -> JsonValue:
        """Its body."""


Ahead = Literal["all", "passed_over", "elsewhere"]
"""Waiters of a limit: all of them, those that were passed over, or of these the ones in another limit's line."""


class Limits(Protocol):
    """What limits leave room for, within one decision."""

    def known(self, key: str) -> Limit | None:
        """The limit with this key, if there is one."""

    def set_by(self, key: str) -> Principal | None:
        """Who changed the limit with this key last, if there is one."""

    def room(self, keys: Iterable[str], first: Mapping[str, First] | None = None) -> Room:
        """Whether one more may run or start under the limits with these keys; *first*: how many come first."""

    def reserve(self, keys: Iterable[str]) -> None:
        """Count something that this decision is about to append."""

    def ahead(
        self,
        key: str,
        tenant: Tenant | None,
        handlers: Container[str] | None,
        *,
        who: Ahead,
        before: DueKey | None = None,
        run: str = "",
    ) -> int:
        """How many waiters that a worker could execute come first for a limit."""

    def kept(
        self,
        key: str,
        tenant: Tenant | None,
        handlers: Container[str] | None,
        *,
        before: DueKey | None = None,
        run: str = "",
    ) -> int:
        """How many waiters that a worker cannot execute, and that somebody else looked for just now, come first."""

    def sought(self, handlers: Container[str] | None, run: RunId | None, most: int) -> list[RunId]:
        """The oldest waiters of each line (or only *run*) that limits keep from a worker, at most *most* of each."""

    def unexpected(self, runs: Iterable[RunId]) -> list[RunId]:
        """Those of *runs* that nobody looked for just now."""

    def expect(self, runs: Iterable[RunId]) -> None:
        """Let others know that these are looked for."""


class Transaction(Protocol):
    """One decision: what it reads is asserted unchanged, what it appends is appended together or not at all."""

    @property
    def now_ms(self) -> int:
        """The time of this transaction, read once."""

    @property
    def caller(self) -> Caller:
        """On whose behalf."""

    @property
    def limited(self) -> bool:
        """Whether there ever was a limit; else nothing needs to be asked of ``limits``."""

    @property
    def limits(self) -> Limits:
        """What limits leave room for."""

    @property
    def spread(self) -> int:
        """Over how many places of the line claimants spread; 1 where a decision is never made in vain."""

    def draw(self) -> float:
        """A die in [0, 1)."""

    def run(self, id_: RunId) -> Run:
        """The run as of now. Raises NotFound."""

    def find_run(self, id_: RunId) -> Run | None:
        """The run as of now, or None."""

    def dead_letter(self, id_: DeadLetterId) -> DeadLetter:
        """The dead letter as of now. Raises NotFound."""

    def find_dead_letter(self, id_: DeadLetterId) -> DeadLetter | None:
        """The dead letter as of now, or None."""

    def begin_run(self, tenant: Tenant, flow: Flow, event: Event, id_: RunId) -> Run:
        """Begin the stream of a new run and return its state; the flow is registered when it is new."""

    def append_run(self, run: Run, *events: Event, cause: Cause | None = None) -> Run:
        """Append to a run's stream and return its new state."""

    def append_dead_letter(self, id_: DeadLetterId, subject: Subject, *events: Event) -> DeadLetter:
        """Append to a dead letter's stream (*subject* is what it belongs to) and return its new state."""

    def find_effect(self, id_: EffectId) -> Effect | None:
        """The effect as of now, or None."""

    def effect(self, id_: EffectId) -> Effect:
        """The effect as of now. Raises NotFound."""

    def append_effect(self, id_: EffectId, subject: Subject, *events: Event) -> Effect:
        """Append to an effect's stream (*subject* is the run, outside runs the tenant's) and return its new state."""

    def find_compensation(self, id_: CompensationId) -> CompensationState | None:
        """The compensation as of now, or None."""

    def compensation(self, id_: CompensationId) -> CompensationState:
        """The compensation as of now. Raises NotFound."""

    def append_compensation(self, id_: CompensationId, subject: Subject, *events: Event) -> CompensationState:
        """Append to a compensation's stream and return its new state."""

    def register_policy(self, run: Run, kind: PolicyKind, policy: Policy) -> None:
        """Log the body of a policy, unless the log of the run's tenant has it."""

    def readable(self, id_: RunId | DeadLetterId | EffectId | CompensationId) -> bool:
        """Whether this version knows every event of a stream, so that it may be continued; also of one that has none
        yet. What it does not know is left alone."""

    def require_writable(self, stream: str, events: Sequence[Event] = ()) -> None:
        """Raises StreamReadOnly when a stream that was read holds an event that this version does not know."""

    def moved_by(self, id_: DeadLetterId) -> Cause:
        """The last event that changed a dead letter, as a cause."""

    def append_limit(self, tenant: Tenant, event: LimitSet | LimitRemoved) -> None:
        """Set or remove a limit; *tenant* is who may see it in the log."""

    def append_record(self, tenant: Tenant, stream: StreamId, event: Event, correlation: str | None = None) -> None:
        """Append to a stream that is no aggregate; *correlation*: what it belongs to (default: to nothing else)."""

    def afresh(self) -> None:
        """What is appended from here on has the cause of the whole command, not what was appended before: it concerns
        something else."""

    def next_claimable(
        self,
        handlers: Container[str] | None,
        limit: int,
        run: RunId | None,
        without: Container[str] = (),
        after: DueKey | None = START,
    ) -> Sequence[Due]:
        """Due queued runs in the order (due, created) that a worker with *handlers* (None: any) may execute, and
        those for whom a limit has room; only *run*, when it is given; none of the tenants *without*. Fewer than
        *limit*: there are no more beyond *after*. With *after* None they are chosen near the head: who needs more than
        these goes on from START."""

    def due_dead_letters(self, run: RunId) -> Sequence[DeadLetterId]:
        """The dead letters of *run* whose dispatch is due."""


class Outcome(Protocol[T_co]):
    """What became of a command."""

    def result(self) -> T_co:
        """What it returned; raises what it raised."""


class Ledger(Protocol):
    """The log, seen from the use cases."""

    def transact(self, caller: Caller, command: Callable[[Transaction], T]) -> T:
        """Run *command* in a transaction of its own. It must have no other effects: a ledger may run it again."""

    def transact_together(
        self, jobs: Sequence[tuple[Caller, Callable[[Transaction], T]]], reads: Sequence[str] = ()
    ) -> Sequence[Outcome[T]]:
        """Run several commands in one commit; one refusal harms no other. *reads*: what they are about to look at, as
        far as it is known, so that a log that is far away is asked once."""

    def sweeping(self, tenant: Tenant | None, after: DueKey) -> Generator[DuePage, None, None]:
        """The dead letters that are due now, beyond *after*, page by page. Until the next page is asked for, other
        processes that sweep leave it alone, as far as that can be had without waiting long."""

    def now_ms(self) -> int:
        """The time by the ledger's clock."""

    def next_work_ms(self, tenant: Tenant | None, handlers: Container[str] | None, run: RunId | None) -> int | None:
        """When the next run that *handlers* can go on with (only *run*, when given), the next timed wait, or the next
        dispatch, is due; None: there is none. That an approval expires is no work to wait for."""

    def subscribe(self, listener: Callable[[Sequence[Recorded]], None], *, others: bool = False) -> Callable[[], None]:
        """Call *listener* with what this process commits, until the returned function is called; with *others*, also
        with what other processes commit, as far as it can be heard."""

    def due_needs(self, tenant: Tenant | None) -> Sequence[str]:
        """The handlers that due queued runs wait for."""

    def live_claims(self, runs: Sequence[RunId]) -> set[RunId]:
        """Those of *runs* that are claimed by anybody."""

    def due(self, kind: FallsDue, tenant: Tenant | None, limit: int, after: DueKey = START) -> Sequence[Due]:
        """What of *kind* is due, the oldest first, beyond *after*."""

    def next_timer_ms(self, tenant: Tenant | None) -> int | None:
        """When the next timed wait ends, or the next approval expires."""

    def due_compensations(self, tenant: Tenant | None, operations: Container[str]) -> Sequence[tuple[str, Tenant]]:
        """The compensations that may be run now, and whose operation is one of *operations*; the oldest first."""

    def holders(self, tenant: Tenant | None, kind: str = "lease") -> Mapping[str, Sequence[str]]:
        """The runs that are claimed (or the compensations that run: *kind* compensating), by the process of each."""
