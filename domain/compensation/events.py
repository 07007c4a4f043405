"""What can happen to a compensation. Times are UTC milliseconds; who and why are in the envelope."""

from typing import ClassVar

from redrive.domain.effect.request import Compensation as Plan
from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, NodeId, RunId
from redrive.domain.run.holder import Holder
from redrive.domain.values import CleanJson, JsonValue


class CompensationProposed(Event):
    """The effect's dead letter opened, and the effect had said what would make good for it."""

    TOPIC: ClassVar[str] = "compensation.proposed"

    compensation: CompensationId
    effect: EffectId
    effect_key: str
    dead_letter: DeadLetterId
    run: RunId | None
    automation: str
    node: NodeId | None
    plan: Plan
    proposed_at_ms: int


class CompensationApprovalRequested(Event):
    """An operator chose it; somebody must approve it before it runs."""

    TOPIC: ClassVar[str] = "compensation.approval-requested"


class CompensationApproved(Event):
    """It may run: a worker with a compensator for its operation takes it."""

    TOPIC: ClassVar[str] = "compensation.approved"

    approved_at_ms: int


class CompensationStarted(Event):
    """A worker runs it until its lease expires; *epoch* fences its reports, *holder* is the worker's process."""

    TOPIC: ClassVar[str] = "compensation.started"
    VERSION: ClassVar[int] = 2
    ADDED: ClassVar[dict[int, dict[str, JsonValue]]] = {2: {"holder": None}}

    epoch: int
    worker: str
    holder: Holder | None
    lease_ms: int
    started_at_ms: int
    expires_at_ms: int


class CompensationCompleted(Event):
    """It was run, and it worked. Final."""

    TOPIC: ClassVar[str] = "compensation.completed"

    epoch: int
    receipt: CleanJson
    receipt_digest: str
    ended_at_ms: int


class CompensationFailed(Event):
    """It did not work; or, *outcome_unknown*, nobody knows. Only an operator has it run again."""

    TOPIC: ClassVar[str] = "compensation.failed"

    epoch: int
    failure: Failure
    outcome_unknown: bool
    ended_at_ms: int


class CompensationCancelled(Event):
    """It will not be run. Final."""

    TOPIC: ClassVar[str] = "compensation.cancelled"

    why: str
