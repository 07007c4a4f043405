"""Effects, as operators look at them."""

from redrive.domain.effect import events as e
from redrive.domain.event import Recorded
from redrive.domain.failure import Failure
from redrive.projections.batch import Batch, Folds
from redrive.projections.tables import Row, Table

EFFECTS = Table(
    "effects",
    ("id",),
    {
        "id": "",
        "tenant": "",
        "run_id": None,
        "automation": "",
        "node": None,
        "key": "",
        "scope": "node",
        "operation": "",
        "target": "",
        "status": "intended",
        "tries": 0,
        "holder": "",
        "lifetime": 0,
        "expires_at_ms": None,
        "tolerate": 0,
        "compensation": None,
        "request_digest": "",
        "receipt_digest": None,
        "failure_class": None,
        "kind": None,
        "reason": None,
        "did_not_happen": 0,
        "late": 0,
        "reconciled_by": None,
        "dead_letters": 0,
        "readable": 1,
        "began_at_ms": 0,
        "updated_at_ms": 0,
        "created": 0,
        "updated": 0,
    },
    fixed=frozenset({"tenant", "key", "scope", "began_at_ms", "created"}),
    indexes=("created", "run_id, created", "tenant, created", "tenant, status, created", "tenant, operation, created"),
)

folds = Folds[Recorded]()


def begun(recorded: Recorded) -> Row | None:
    """The row of a new effect, before its first event is folded; None when the stream began with something strange."""
    event = recorded.event
    if not isinstance(event, e.EffectIntended | e.EffectWithheld):
        return None
    row = EFFECTS.blank()
    row["id"], row["tenant"] = event.effect, str(recorded.tenant)
    row["key"], row["scope"] = event.request.key, event.request.scope
    row["created"], row["began_at_ms"] = recorded.position, recorded.occurred_at_ms
    return row


def _describe(row: Row, event: e.EffectIntended | e.EffectWithheld) -> None:
    """Whose the last try is, and what it asks: a corrected request may differ."""
    request = event.request
    row["run_id"], row["node"], row["automation"] = event.run, event.node, event.automation
    row["operation"], row["target"], row["lifetime"] = request.operation, request.target, event.lifetime
    row["request_digest"], row["tolerate"] = request.digest, int(request.tolerate)
    row["compensation"] = None if request.compensation is None else request.compensation.operation


def _fail(row: Row, status: str, failure: Failure, late: bool) -> None:
    row["status"], row["expires_at_ms"], row["late"] = status, None, int(late)
    row["failure_class"], row["kind"], row["reason"] = failure.failure_class, failure.kind, failure.reason


def _forget_failure(row: Row) -> None:
    row["failure_class"] = row["kind"] = row["reason"] = None


def _moves(row: Row, try_number: int) -> bool:
    """Whether an outcome of this try says something about the effect: an older one does not, nor any after success."""
    return bool(try_number == row["tries"] and row["status"] in ("intended", "unknown"))


def _succeed(row: Row, receipt_digest: str | None) -> None:
    row["status"], row["expires_at_ms"], row["receipt_digest"] = "succeeded", None, receipt_digest
    _forget_failure(row)


@folds.on(e.EffectIntended)
def _intended(_batch: Batch, row: Row, event: e.EffectIntended, _recorded: Recorded) -> None:
    _describe(row, event)
    _forget_failure(row)
    row["status"], row["tries"], row["holder"] = "intended", event.try_number, event.holder
    row["expires_at_ms"], row["did_not_happen"], row["late"] = event.expires_at_ms, 0, 0
    row["reconciled_by"] = None


@folds.on(e.EffectWithheld)
def _withheld(_batch: Batch, row: Row, event: e.EffectWithheld, _recorded: Recorded) -> None:
    _describe(row, event)
    row["status"], row["expires_at_ms"] = "withheld", None
    row["failure_class"], row["kind"], row["reason"] = "policy_withheld", "gate", event.why


@folds.on(e.EffectSucceeded)
def _succeeded(_batch: Batch, row: Row, event: e.EffectSucceeded, _recorded: Recorded) -> None:
    if row["status"] != "succeeded":
        row["late"] = int(event.late)
        _succeed(row, event.receipt_digest)


@folds.on(e.EffectFailed)
def _failed(_batch: Batch, row: Row, event: e.EffectFailed, _recorded: Recorded) -> None:
    if _moves(row, event.try_number):
        _fail(row, "failed", event.failure, event.late)


@folds.on(e.EffectOutcomeUnknown)
def _unknown(_batch: Batch, row: Row, event: e.EffectOutcomeUnknown, _recorded: Recorded) -> None:
    if _moves(row, event.try_number):
        _fail(row, "unknown", event.failure, event.late)


@folds.on(e.EffectReconciled)
def _reconciled(_batch: Batch, row: Row, event: e.EffectReconciled, recorded: Recorded) -> None:
    row["reconciled_by"] = f"{recorded.actor.kind}:{recorded.actor.id}" if event.by == "operator" else event.by
    if event.outcome == "succeeded":
        _succeed(row, event.receipt_digest)
    elif event.outcome == "did_not_happen":
        row["status"], row["did_not_happen"] = "failed", 1


@folds.on(e.EffectDeadLetterLinked)
def _linked(_batch: Batch, row: Row, _event: e.EffectDeadLetterLinked, _recorded: Recorded) -> None:
    row["dead_letters"] += 1
