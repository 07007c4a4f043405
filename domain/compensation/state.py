"""The state of a compensation, and how events change it. Appliers only assign."""

from dataclasses import dataclass, field
from enum import StrEnum

from redrive.domain.compensation import events as e
from redrive.domain.effect.request import Compensation as Plan
from redrive.domain.event import Event, Evolve
from redrive.domain.failure import Failure
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, NodeId, RunId, Tenant
from redrive.domain.run.holder import Holder
from redrive.domain.values import JsonValue


class CompensationStatus(StrEnum):
    """Where a compensation stands."""

    PROPOSED = "proposed"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class CompensationState:
    """What makes good for an effect. *epoch* counts its runs; *outcome_unknown*: the last one may have happened."""

    tenant: Tenant = field(default_factory=Tenant)
    id: CompensationId = CompensationId("")
    effect: EffectId = EffectId("")
    effect_key: str = ""
    dead_letter: DeadLetterId = DeadLetterId("")
    run: RunId = RunId("")
    automation: str = ""
    node: NodeId = NodeId("")
    plan: Plan | None = None
    status: CompensationStatus = CompensationStatus.PROPOSED
    epoch: int = 0
    worker: str = ""
    holder: Holder | None = None
    due_ms: int = 0
    lease_ms: int = 0
    receipt: JsonValue = None
    failure: Failure | None = None
    outcome_unknown: bool = False
    report: str = ""
    version: int = 0

    @property
    def correlation(self) -> str:
        """What its events belong to: the run of its effect, or the effect outside runs."""
        return self.run or self.effect


evolve: Evolve[CompensationState] = Evolve()


@evolve.on(e.CompensationProposed)
def _proposed(state: CompensationState, event: e.CompensationProposed) -> None:
    state.id, state.effect, state.effect_key = event.compensation, event.effect, event.effect_key
    state.dead_letter, state.run, state.node = event.dead_letter, event.run or RunId(""), event.node or NodeId("")
    state.automation, state.plan = event.automation, event.plan


@evolve.on(e.CompensationApprovalRequested)
def _requested(state: CompensationState, _event: Event) -> None:
    state.status = CompensationStatus.AWAITING_APPROVAL


@evolve.on(e.CompensationApproved)
def _approved(state: CompensationState, event: e.CompensationApproved) -> None:
    state.status, state.due_ms = CompensationStatus.APPROVED, event.approved_at_ms


@evolve.on(e.CompensationStarted)
def _started(state: CompensationState, event: e.CompensationStarted) -> None:
    state.status, state.epoch, state.worker = CompensationStatus.RUNNING, event.epoch, event.worker
    state.holder, state.lease_ms, state.due_ms = event.holder, event.lease_ms, event.expires_at_ms
    state.failure, state.outcome_unknown, state.report = None, False, ""


@evolve.on(e.CompensationCompleted)
def _completed(state: CompensationState, event: e.CompensationCompleted) -> None:
    state.status, state.receipt, state.report = CompensationStatus.COMPLETED, event.receipt, event.receipt_digest
    state.failure, state.outcome_unknown = None, False


@evolve.on(e.CompensationFailed)
def _failed(state: CompensationState, event: e.CompensationFailed) -> None:
    state.status, state.failure, state.outcome_unknown = CompensationStatus.FAILED, event.failure, event.outcome_unknown
    state.report = event.failure.reason


@evolve.on(e.CompensationCancelled)
def _cancelled(state: CompensationState, _event: Event) -> None:
    state.status = CompensationStatus.CANCELLED
