"""What the use cases need from a ledger: one transaction for one decision."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.event import Cause, Event, Recorded
from redrive.domain.flow import Flow
from redrive.domain.identity import SYSTEM, DeadLetterId, PolicyId, Principal, RunId, Tenant
from redrive.domain.records import PolicyKind
from redrive.domain.run.state import Run
from redrive.domain.values import JsonValue

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a command runs: *tenant* limits what it sees (None: the engine itself, which sees all)."""

    tenant: Tenant | None
    actor: Principal = SYSTEM
    reason: str | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A row of the agenda: something whose time has come."""

    subject: str
    tenant: Tenant
    due_ms: int
    run: RunId
    holder: str | None = None
    created: int = 0


class Policy(Protocol):
    """A policy, as the log keeps it."""

    @property
    def id(self) -> PolicyId:
        """Its kind, version and digest."""

    def document(self) -> JsonValue:
        """Its body."""


class Transaction(Protocol):
    """One decision: what it reads is asserted unchanged, what it appends is appended together or not at all."""

    @property
    def now_ms(self) -> int:
        """The time of this transaction, read once."""

    @property
    def caller(self) -> Caller:
        """On whose behalf."""

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

    def append_dead_letter(self, id_: DeadLetterId, run: Run, *events: Event) -> DeadLetter:
        """Append to a dead letter's stream (*run* is the one it belongs to) and return its new state."""

    def register_policy(self, run: Run, kind: PolicyKind, policy: Policy) -> None:
        """Log the body of a policy, unless the log of the run's tenant has it."""

    def readable(self, id_: RunId | DeadLetterId) -> bool:
        """Whether this version knows every event of a run or dead letter; what it does not is left alone."""

    def moved_by(self, id_: DeadLetterId) -> Cause:
        """The last event that changed a dead letter, as a cause."""

    def next_claimable(self, handlers: Container[str] | None, limit: int, run: RunId | None) -> Sequence[Due]:
        """Due queued runs in the order (due, created) that a worker with *handlers* (None: any) may execute; only
        *run*, when it is given."""

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

    def transact_together(self, jobs: Sequence[tuple[Caller, Callable[[Transaction], T]]]) -> Sequence[Outcome[T]]:
        """Run several commands in one commit; one refusal harms no other."""

    def now_ms(self) -> int:
        """The time by the ledger's clock."""

    def next_work_ms(self, tenant: Tenant | None, handlers: Container[str] | None, run: RunId | None) -> int | None:
        """When the next run that *handlers* can go on with (only *run*, when given), or the next dispatch, is due;
        None: there is none."""

    def subscribe(self, listener: Callable[[Sequence[Recorded]], None]) -> Callable[[], None]:
        """Call *listener* with what this process commits, until the returned function is called."""

    def due_needs(self, tenant: Tenant | None) -> Sequence[str]:
        """The handlers that due queued runs wait for."""

    def live_claims(self, runs: Sequence[RunId]) -> set[RunId]:
        """Those of *runs* that are claimed by anybody."""

    def due_dead_letters(self, tenant: Tenant | None, after: tuple[int, int], limit: int) -> Sequence[Due]:
        """Dead letters whose dispatch is due, the oldest first, beyond *after* (due_ms, created)."""

    def expired_claims(self, tenant: Tenant | None, limit: int) -> Sequence[Due]:
        """Claims whose lease has expired."""

    def holders(self, tenant: Tenant | None) -> Mapping[str, Sequence[RunId]]:
        """The runs that are claimed, by the process that holds them."""
