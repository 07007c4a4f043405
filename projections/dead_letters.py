"""Dead letters, as operators look at them."""

from redrive.domain.dead_letter import events as e
from redrive.domain.dead_letter.state import REDRIVING, SETTLED, Disposition
from redrive.domain.event import Recorded
from redrive.projections.batch import Batch, Folds
from redrive.projections.tables import Row, Table

DEAD_LETTERS = Table(
    "dead_letters",
    ("id",),
    {
        "id": "",
        "tenant": "",
        "run_id": "",
        "automation": "",
        "node": "",
        "source": "node",
        "effect_id": None,
        "effect_key": "",
        "compensation_id": None,
        "status": "open",
        "settled": 0,
        "failure_class": "",
        "kind": None,
        "reason": "",
        "fingerprint": "",
        "verdict": "",
        "recurrences": 0,
        "dispatches": 0,
        "budget_granted": 0,
        "not_before_ms": 0,
        "next_dispatch_ms": None,
        "disposition": None,
        "decided_by": None,
        "decided_reason": None,
        "held": None,
        "superseded": 0,
        "readable": 1,
        "generation": 1,
        "lifetime": 0,
        "number": 0,
        "opened_at_ms": 0,
        "updated_at_ms": 0,
        "last_failure_at_ms": 0,
        "created": 0,
        "updated": 0,
    },
    fixed=frozenset(
        {"tenant", "run_id", "automation", "node", "source", "effect_id", "effect_key", "opened_at_ms", "created"}
    ),
    indexes=(
        "created",
        "run_id",
        "tenant, created",
        "tenant, status, created",
        "tenant, settled, created",
        "tenant, fingerprint, created",
        "effect_id WHERE effect_id IS NOT NULL",
    ),
)

folds = Folds[Recorded]()


def opened(tenant: str, event: e.DeadLetterOpened, position: int) -> Row:
    """The row of a new dead letter."""
    row = DEAD_LETTERS.blank()
    row["id"], row["tenant"], row["run_id"] = event.dead_letter, tenant, event.run
    row["automation"], row["node"], row["source"] = event.automation, event.node, event.source
    row["effect_id"], row["effect_key"] = event.effect, event.effect_key
    row["opened_at_ms"], row["created"] = event.opened_at_ms, position
    _fail(row, event, event.opened_at_ms)
    return row


def _fail(row: Row, event: e.DeadLetterOpened | e.DeadLetterRecurred, at_ms: int) -> None:
    failure = event.failure
    row["failure_class"], row["kind"], row["reason"] = failure.failure_class, failure.kind, failure.reason
    row["fingerprint"], row["verdict"] = event.fingerprint, event.verdict.value
    row["generation"], row["lifetime"], row["number"] = event.generation, event.lifetime, event.number
    row["last_failure_at_ms"] = at_ms


def _move(batch: Batch, row: Row, status: str) -> None:
    """Stand at *status*; the run counts its unsettled ones."""
    row["status"], row["held"] = status, None
    row["next_dispatch_ms"] = row["not_before_ms"] if status in REDRIVING else None
    settled = int(status in SETTLED)
    if settled != row["settled"]:
        row["settled"] = settled
        if (run := batch.runs.get(row["run_id"])) is not None:
            run["open_letters"] += -1 if settled else 1


def _decide(row: Row, recorded: Recorded, disposition: str) -> None:
    row["disposition"], row["decided_reason"] = disposition, recorded.reason
    row["decided_by"] = f"{recorded.actor.kind}:{recorded.actor.id}"


def _renew(row: Row) -> None:
    row["dispatches"] = row["budget_granted"] = row["not_before_ms"] = 0


@folds.on(e.DeadLetterRecurred)
def _recurred(batch: Batch, row: Row, event: e.DeadLetterRecurred, _recorded: Recorded) -> None:
    _fail(row, event, event.recurred_at_ms)
    row["recurrences"] += 1
    if row["settled"] and event.status == Disposition.OPEN:
        row["superseded"] = 0
    if event.renewed:
        _renew(row)
    _move(batch, row, str(event.status))


@folds.on(e.DeadLetterRetryRequested)
def _requested(batch: Batch, row: Row, event: e.DeadLetterRetryRequested, recorded: Recorded) -> None:
    _decide(row, recorded, "retry")
    _move(batch, row, "retry_requested")
    row["next_dispatch_ms"] = max(row["not_before_ms"], event.requested_at_ms)


@folds.on(e.DeadLetterRetryDispatched)
def _dispatched(batch: Batch, row: Row, event: e.DeadLetterRetryDispatched, _recorded: Recorded) -> None:
    row["dispatches"], row["not_before_ms"] = event.count, event.not_before_ms
    _move(batch, row, "retrying")


@folds.on(e.RetryExhausted)
def _exhausted(batch: Batch, row: Row, event: e.RetryExhausted, recorded: Recorded) -> None:
    held = row["held"]
    _decide(row, recorded, event.disposition)
    _move(batch, row, "parked")
    row["held"] = held


@folds.on(e.RetryBudgetGranted)
def _granted(batch: Batch, row: Row, event: e.RetryBudgetGranted, recorded: Recorded) -> None:
    _decide(row, recorded, "grant_retries")
    row["budget_granted"] += event.granted
    row["held"] = None
    if row["status"] in ("open", "parked"):
        _move(batch, row, "retry_requested")
        row["next_dispatch_ms"] = max(row["not_before_ms"], event.granted_at_ms)


@folds.on(e.DeadLetterHeld)
def _held(_batch: Batch, row: Row, event: e.DeadLetterHeld, _recorded: Recorded) -> None:
    row["held"] = event.why


@folds.on(e.DeadLetterSuperseded)
def _superseded(_batch: Batch, row: Row, _event: e.DeadLetterSuperseded, _recorded: Recorded) -> None:
    row["superseded"] = 1


@folds.on(e.DeadLetterResolved)
def _resolved(batch: Batch, row: Row, event: e.DeadLetterResolved, recorded: Recorded) -> None:
    _decide(row, recorded, event.disposition)
    _move(batch, row, "resolved")


@folds.on(e.DeadLetterIgnored)
def _ignored(batch: Batch, row: Row, _event: e.DeadLetterIgnored, recorded: Recorded) -> None:
    _decide(row, recorded, "ignore")
    _move(batch, row, "ignored")


@folds.on(e.DeadLetterAbandoned)
def _abandoned(batch: Batch, row: Row, _event: e.DeadLetterAbandoned, recorded: Recorded) -> None:
    _decide(row, recorded, "abandon")
    _move(batch, row, "abandoned")


@folds.on(e.DeadLetterLinkedToCompensation)
def _linked(batch: Batch, row: Row, event: e.DeadLetterLinkedToCompensation, recorded: Recorded) -> None:
    _decide(row, recorded, "compensate")
    row["compensation_id"] = event.compensation
    _move(batch, row, "linked_to_compensation")


@folds.on(e.DeadLetterReopened)
def _reopened(batch: Batch, row: Row, event: e.DeadLetterReopened, recorded: Recorded) -> None:
    _decide(row, recorded, "reopen")
    row["superseded"] = 0
    if event.renewed:
        _renew(row)
    _move(batch, row, "open")


@folds.on(e.DeadLetterNoted)
def _noted(_batch: Batch, _row: Row, _event: e.DeadLetterNoted, _recorded: Recorded) -> None:
    pass
