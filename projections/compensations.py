"""Compensations, as operators look at them."""

from redrive.domain.compensation import events as e
from redrive.domain.event import Recorded
from redrive.projections.batch import Batch, Folds
from redrive.projections.tables import Row, Table

COMPENSATIONS = Table(
    "compensations",
    ("id",),
    {
        "id": "",
        "tenant": "",
        "effect_id": "",
        "effect_key": "",
        "dead_letter": "",
        "run_id": None,
        "automation": "",
        "node": None,
        "operation": "",
        "target": "",
        "requires_approval": 1,
        "status": "proposed",
        "tries": 0,
        "worker": None,
        "expires_at_ms": None,
        "failure_class": None,
        "kind": None,
        "reason": None,
        "outcome_unknown": 0,
        "receipt_digest": None,
        "decided_by": None,
        "decided_reason": None,
        "readable": 1,
        "proposed_at_ms": 0,
        "updated_at_ms": 0,
        "created": 0,
        "updated": 0,
    },
    fixed=frozenset(
        {"tenant", "effect_id", "effect_key", "dead_letter", "run_id", "automation", "node", "operation", "target"}
        | {"requires_approval", "proposed_at_ms", "created"}
    ),
    indexes=("created", "run_id, created", "effect_id", "tenant, created", "tenant, status, created"),
)

folds = Folds[Recorded]()


def begun(recorded: Recorded) -> Row | None:
    """The row of a new compensation; None when the stream began with something strange."""
    event = recorded.event
    if not isinstance(event, e.CompensationProposed):
        return None
    row, plan = COMPENSATIONS.blank(), event.plan
    row["id"], row["tenant"], row["created"] = event.compensation, str(recorded.tenant), recorded.position
    row["effect_id"], row["effect_key"], row["dead_letter"] = event.effect, event.effect_key, event.dead_letter
    row["run_id"], row["automation"], row["node"] = event.run, event.automation, event.node
    row["operation"], row["target"], row["requires_approval"] = plan.operation, plan.target, int(plan.requires_approval)
    row["proposed_at_ms"] = event.proposed_at_ms
    return row


def _decide(row: Row, recorded: Recorded) -> None:
    row["decided_by"], row["decided_reason"] = f"{recorded.actor.kind}:{recorded.actor.id}", recorded.reason


def _leave(row: Row, status: str) -> None:
    """It is not being run (any more)."""
    row["status"], row["expires_at_ms"] = status, None


@folds.on(e.CompensationProposed)
def _proposed(_batch: Batch, row: Row, _event: e.CompensationProposed, _recorded: Recorded) -> None:
    row["status"] = "proposed"


@folds.on(e.CompensationApprovalRequested)
def _requested(_batch: Batch, row: Row, _event: e.CompensationApprovalRequested, recorded: Recorded) -> None:
    _leave(row, "awaiting_approval")
    _decide(row, recorded)


@folds.on(e.CompensationApproved)
def _approved(_batch: Batch, row: Row, _event: e.CompensationApproved, recorded: Recorded) -> None:
    _leave(row, "approved")
    _decide(row, recorded)


@folds.on(e.CompensationStarted)
def _started(_batch: Batch, row: Row, event: e.CompensationStarted, _recorded: Recorded) -> None:
    row["status"], row["tries"], row["worker"] = "running", event.epoch, event.worker
    row["expires_at_ms"], row["outcome_unknown"] = event.expires_at_ms, 0
    row["failure_class"] = row["kind"] = row["reason"] = None


@folds.on(e.CompensationCompleted)
def _completed(_batch: Batch, row: Row, event: e.CompensationCompleted, _recorded: Recorded) -> None:
    _leave(row, "completed")
    row["receipt_digest"], row["outcome_unknown"] = event.receipt_digest, 0
    row["failure_class"] = row["kind"] = row["reason"] = None


@folds.on(e.CompensationFailed)
def _failed(_batch: Batch, row: Row, event: e.CompensationFailed, _recorded: Recorded) -> None:
    _leave(row, "failed")
    failure = event.failure
    row["failure_class"], row["kind"], row["reason"] = failure.failure_class, failure.kind, failure.reason
    row["outcome_unknown"] = int(event.outcome_unknown)


@folds.on(e.CompensationCancelled)
def _cancelled(_batch: Batch, row: Row, _event: e.CompensationCancelled, recorded: Recorded) -> None:
    _leave(row, "cancelled")
    _decide(row, recorded)
