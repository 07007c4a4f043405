"""What an executor is handed: claims, attempts, leases, and how far a run is after a report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redrive.domain.effect.request import Compensation, Scope
from redrive.domain.identity import NodeId, RunId, Tenant
from redrive.domain.run import events as e
from redrive.domain.run.attempts import AttemptId
from redrive.domain.run.state import Run, Status
from redrive.domain.values import JsonValue
from redrive.processes.given import instance_given, send_given
from redrive.processes.wanted import wanted_effect
from redrive.projections.logs import log

if TYPE_CHECKING:
    from redrive.processes.outbox import Outbox, Send


class Signals:
    """What the holder of a claim, or of one attempt of it, is told while it works."""

    __slots__ = ("_cancelled", "_claim", "pausing")

    def __init__(self, claim: "Signals | None" = None) -> None:
        self._claim = claim
        self._cancelled = False
        self.pausing = False

    @property
    def cancelled(self) -> bool:
        """Whether to stop: this attempt, or the whole claim."""
        return self._cancelled or (self._claim is not None and self._claim.cancelled)

    def cancel(self) -> None:
        """Tell to stop."""
        self._cancelled = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a node, with all that a handler needs. Every report about it carries it.

    *number* counts from 1 since the node's last reset, *lifetime* never resets. *input* is the node's own input,
    *run_input* the run's, *outputs* what the parents returned. Times are UTC milliseconds.
    """

    tenant: Tenant
    run_id: RunId
    automation: str
    generation: int
    node: NodeId
    number: int
    lifetime: int
    epoch: int
    worker: str
    handler: str
    input: Any
    run_input: Any
    params: Any
    outputs: Mapping[str, Any]
    resource: str | None
    started_at_ms: int
    deadline_ms: int | None
    provider: str | None = None
    signals: Signals = field(default_factory=Signals, compare=False, repr=False)
    outbox: "Outbox | None" = field(default=None, compare=False, repr=False)

    def effect(
        self,
        key: str,
        *,
        operation: str,
        send: "Send",
        target: str = "",
        request: Any = None,
        tolerate: bool = False,
        compensation: Compensation | None = None,
        scope: Scope = "node",
    ) -> Any:
        """Do something in the outside world, once: returns the stored (redacted) receipt.

        *key* names it within this node of this run (*scope* "tenant": within the tenant); when it succeeded before,
        the receipt is returned and nothing is sent. Else the intent is made durable, *send* is called (with the
        ``EffectCall``, if it takes an argument), and the outcome is recorded. *send* returns the receipt, raises
        ``NotSent`` or ``Rejected`` when nothing happened; after any other exception the outcome is unknown, and the
        reconciler for *operation* is asked before it may be sent again. *tolerate*: its failure opens no dead letter
        when the node succeeds. *compensation* is proposed with its dead letter.

        Raises what *send* raised; AttemptError when the gate withholds it or its outcome stays unknown; InFlight,
        KeyReused, Compensated; NotRunning, StaleEpoch, StaleAttempt when this attempt is over: then nothing was sent.
        """
        send_given(send)
        wanted = wanted_effect(self.tenant, key, operation, target, request, tolerate, compensation, scope, self.id)
        return self._outbox().perform(wanted, self.worker, send)

    async def effect_async(
        self,
        key: str,
        *,
        operation: str,
        send: "Send",
        target: str = "",
        request: Any = None,
        tolerate: bool = False,
        compensation: Compensation | None = None,
        scope: Scope = "node",
    ) -> Any:
        """As ``effect``, for async handlers: *send* may be a coroutine function."""
        send_given(send)
        wanted = wanted_effect(self.tenant, key, operation, target, request, tolerate, compensation, scope, self.id)
        return await self._outbox().perform_async(wanted, self.worker, send)

    def _outbox(self) -> "Outbox":
        if self.outbox is None:
            raise RuntimeError("this attempt was not handed out by an engine: it cannot send effects")
        return self.outbox

    @property
    def id(self) -> AttemptId:
        """What reports name it by."""
        return AttemptId(self.run_id, self.node, self.number, self.lifetime, self.epoch)

    @property
    def log(self) -> Any:
        """A logger that names the tenant, run, node and attempt."""
        return log.bind(tenant=str(self.tenant), run=self.run_id, node=self.node, lifetime=self.lifetime)

    @property
    def cancelled(self) -> bool:
        """Whether to stop: the run was cancelled, the claim was lost, or the worker is shutting down."""
        return self.signals.cancelled


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to execute a run until *expires_at_ms*; *attempts* are those that were started with it."""

    tenant: Tenant
    run_id: RunId
    automation: str
    generation: int
    epoch: int
    worker: str
    lease_ms: int
    expires_at_ms: int
    attempts: tuple[Attempt, ...] = ()
    signals: Signals = field(default_factory=Signals, compare=False, repr=False)
    outbox: "Outbox | None" = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Lease:
    """What a heartbeat says: until when the claim lasts, and whether the run is to stop or to pause."""

    expires_at_ms: int
    cancelled: bool
    pausing: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the run stands after a report: *ready* nodes can start now, *next_due_ms* is the next that waits."""

    status: Status
    ready: tuple[NodeId, ...]
    next_due_ms: int | None


def attempt_of(run: Run, event: e.AttemptStarted, signals: Signals, outbox: "Outbox | None" = None) -> Attempt:
    """The attempt that *event* started. By position: twenty keywords take longer than all the rest."""
    node = event.node
    spec = run.flow.nodes[node]
    return Attempt(
        run.tenant,
        run.id,
        run.automation,
        run.generation,
        node,
        event.number,
        event.lifetime,
        event.epoch,
        run.claim.worker if run.claim else "",
        spec.handled_by,
        _own(spec.input),
        _own(run.input),
        _own(spec.params),
        {parent: _own(run.nodes[NodeId(parent)].output) for parent in spec.after},
        spec.resource,
        event.started_at_ms,
        event.deadline_ms,
        spec.provider,
        Signals(signals),
        outbox,
    )


def _own(value: JsonValue) -> JsonValue:
    """A copy: what a handler does to its input must not reach the states in memory, nor other runs of the flow."""
    if isinstance(value, dict):
        return {key: _own(item) for key, item in value.items()}
    return [_own(item) for item in value] if isinstance(value, list) else value


def progress_of(run: Run) -> Progress:
    """Where *run* stands."""
    startable = () if run.pause_requested or run.stopped_by is not None else tuple(run.ready)
    due = min((*run.waiting.values(), *run.timers.values()), default=None) if run.due_ms is None else run.due_ms
    return Progress(run.status, startable, due)


def claim_given(claim: Claim) -> Claim:
    """*claim* as it is. Raises InvalidValue for what is none."""
    return instance_given(claim, Claim, "claim", "a Claim, as claim() returns it when something is due")


def attempt_given(attempt: Attempt) -> Attempt:
    """*attempt* as it is. Raises InvalidValue for what is none."""
    return instance_given(attempt, Attempt, "attempt", "an Attempt, as start_attempts() and claim.attempts have it")
