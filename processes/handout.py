"""What an executor is handed: claims, attempts, leases, and how far a run is after a report."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from redrive.domain.identity import NodeId, RunId, Tenant
from redrive.domain.run import events as e
from redrive.domain.run.attempts import AttemptId
from redrive.domain.run.state import Run, Status
from redrive.domain.values import JsonValue


@dataclass(slots=True)
class Signals:
    """What the holder of a claim is told while it works: set by heartbeats and by its worker."""

    cancelled: bool = False
    pausing: bool = False


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
    handler: str
    input: JsonValue
    run_input: JsonValue
    params: JsonValue
    outputs: Mapping[str, JsonValue]
    resource: str | None
    started_at_ms: int
    deadline_ms: int | None
    signals: Signals = field(default_factory=Signals, compare=False, repr=False)

    @property
    def id(self) -> AttemptId:
        """What reports name it by."""
        return AttemptId(self.run_id, self.node, self.number, self.lifetime, self.epoch)

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
        handler=spec.handled_by,
        input=spec.input,
        run_input=run.input,
        params=spec.params,
        outputs={parent: run.nodes[NodeId(parent)].output for parent in spec.after},
        resource=spec.resource,
        started_at_ms=event.started_at_ms,
        deadline_ms=event.deadline_ms,
        signals=signals,
    )


def progress_of(run: Run) -> Progress:
    """Where *run* stands."""
    startable = () if run.pause_requested or run.stopped_by is not None else tuple(run.ready)
    return Progress(run.status, startable, run.due_ms if run.due_ms is not None else min(run.waiting.values(), default=None))
