"""What an executor is handed: claims, attempts, leases, and how far a run is after a report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redrive.domain.dead_letter.state import DeadLetter, Disposition
from redrive.domain.identity import DeadLetterId, NodeId, RunId, Tenant
from redrive.domain.run import events as e
from redrive.domain.run.attempts import AttemptId
from redrive.domain.run.state import Run, Status
from redrive.domain.values import JsonValue
from redrive.projections.logs import log


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


@dataclass(frozen=True, slots=True)
class LetterStanding:
    """Where a dead letter stands after a command: *dispatches* are used, *granted* were added to the policy's
    budget, the next dispatch comes at *not_before_ms* at the earliest."""

    id: DeadLetterId
    run_id: RunId
    node: NodeId
    status: Disposition
    dispatches: int
    granted: int
    not_before_ms: int


def standing_of_letter(dl: DeadLetter) -> LetterStanding:
    """Where *dl* stands."""
    return LetterStanding(dl.id, dl.run, dl.node, dl.status, dl.dispatches, dl.granted, dl.not_before_ms)


def attempt_of(run: Run, event: e.AttemptStarted, signals: Signals) -> Attempt:
    """The attempt that *event* started."""
    spec = run.flow.nodes[event.node]
    return Attempt(
        tenant=run.tenant,
        run_id=run.id,
        automation=run.automation,
        generation=run.generation,
        node=event.node,
        number=event.number,
        lifetime=event.lifetime,
        epoch=event.epoch,
        worker=run.claim.worker if run.claim else "",
        handler=spec.handled_by,
        input=_own(spec.input),
        run_input=_own(run.input),
        params=_own(spec.params),
        outputs={parent: _own(run.nodes[NodeId(parent)].output) for parent in spec.after},
        resource=spec.resource,
        provider=spec.provider,
        started_at_ms=event.started_at_ms,
        deadline_ms=event.deadline_ms,
        signals=Signals(signals),
    )


def _own(value: JsonValue) -> JsonValue:
    """A copy: what a handler does to its input must not reach the states in memory, nor other runs of the flow."""
    if isinstance(value, dict):
        return {key: _own(item) for key, item in value.items()}
    return [_own(item) for item in value] if isinstance(value, list) else value


def progress_of(run: Run) -> Progress:
    """Where *run* stands."""
    startable = () if run.pause_requested or run.stopped_by is not None else tuple(run.ready)
    return Progress(
        run.status, startable, run.due_ms if run.due_ms is not None else min(run.waiting.values(), default=None)
    )
