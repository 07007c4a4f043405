"""Runs and what they wait for: the rows behind the queues."""

import json
from typing import Any

from redrive.domain.failure import Failure
from redrive.domain.resource import node_resource
from redrive.domain.retry_policy import RetryDecision, Verdict
from redrive.domain.run import events as e
from redrive.domain.values import cut_text
from redrive.projections.batch import Batch, Folds
from redrive.projections.tables import Row, Table

MAX_REASON_BYTES = 500

RUNS = Table(
    "runs",
    ("run_id",),
    {
        "run_id": "",
        "tenant": "",
        "automation": "",
        "key": None,
        "flow": "",
        "status": "queued",
        "queue_reason": "submitted",
        "held_by": "[]",  # the limits that it waits for
        "due_ms": None,
        "generation": 1,
        "epoch": 0,
        "worker": None,
        "lease_expires_ms": None,
        "pause_requested": 0,
        "nodes": 0,
        "succeeded": 0,
        "attempts": 0,
        "retries": 0,
        "takeovers": 0,
        "open_letters": 0,
        "needs_review": 0,
        "readable": 1,
        "last_failure_class": None,
        "last_failure_kind": None,
        "last_failure_reason": None,
        "last_failure_node": None,
        "submitted_at_ms": 0,
        "finished_at_ms": None,
        "created": 0,
        "updated": 0,
        "succeeded_bits": "",  # in hex, one bit for each node in the flow's order: what a requeue subtracts from
    },
    fixed=frozenset(
        {"tenant", "automation", "key", "flow", "nodes", "submitted_at_ms", "created"},
    ),
    indexes=(
        "created",
        "tenant, created",
        "tenant, status, created",
        "tenant, automation, created",
        "tenant, status, due_ms, created WHERE due_ms IS NOT NULL",
        "tenant, created WHERE needs_review = 1",
    ),
)

BACKOFFS = Table(
    "backoffs",
    ("run_id", "node"),
    {
        "run_id": "",
        "node": "",
        "tenant": "",
        "reason": "retry_backoff",
        "due_ms": 0,
        "number": 0,
        "next_number": 0,
        "max_attempts": 0,
        "backoff_ms": 0,
        "resource_key": "",
        "text": "",
        "created": 0,
    },
    indexes=("tenant, due_ms, created",),
)

folds = Folds[int]()


def submitted(tenant: str, event: e.RunSubmitted, position: int) -> Row:
    """The row of a new run."""
    row = RUNS.blank()
    row["run_id"], row["tenant"], row["automation"], row["key"] = event.run, tenant, event.automation, event.key
    row["flow"], row["nodes"] = event.flow, event.nodes
    row["due_ms"] = row["submitted_at_ms"] = event.submitted_at_ms
    row["created"] = row["updated"] = position
    row["succeeded_bits"] = 0  # an integer while it is in memory
    return row


def needs_review(row: Row) -> int:
    """Whether a run stands where nothing but an operator will move it, or left dead letters behind."""
    if row["status"] in ("failed", "blocked"):
        return int(row["open_letters"] == 0)
    return int(row["status"] in ("completed", "cancelled") and row["open_letters"] > 0)


@folds.on(e.RunClaimed)
def _claimed(_batch: Batch, row: Row, event: e.RunClaimed, _position: int) -> None:
    row["status"], row["due_ms"], row["epoch"], row["held_by"] = "running", None, event.epoch, "[]"
    row["worker"], row["lease_expires_ms"] = event.worker, event.expires_at_ms


@folds.on(e.LeaseRenewed)
def _renewed(_batch: Batch, row: Row, event: e.LeaseRenewed, _position: int) -> None:
    row["lease_expires_ms"] = event.expires_at_ms


@folds.on(e.ClaimReleased)
def _released(_batch: Batch, row: Row, _event: e.ClaimReleased, _position: int) -> None:
    row["worker"] = row["lease_expires_ms"] = None


@folds.on(e.ClaimAbandoned)
def _abandoned(_batch: Batch, row: Row, _event: e.ClaimAbandoned, _position: int) -> None:
    row["worker"] = row["lease_expires_ms"] = None
    row["takeovers"] += 1


@folds.on(e.AttemptStarted)
def _started(batch: Batch, row: Row, event: e.AttemptStarted, _position: int) -> None:
    row["attempts"] += 1
    if event.lifetime > 1:  # a first attempt had nothing to wait for
        batch.waiting.setdefault(row["run_id"], {})[event.node] = None


@folds.on(e.AttemptSucceeded)
def _succeeded(batch: Batch, row: Row, event: e.AttemptSucceeded, _position: int) -> None:
    succeed(batch, row, event.node)


def succeed(batch: Batch, row: Row, node: str) -> None:
    """One more node succeeded."""
    row["succeeded"] += 1
    if (graph := batch.graph(row["flow"])) is not None:
        row["succeeded_bits"] |= graph.bit.get(node, 0)


@folds.on(e.AttemptFailed)
def _failed(batch: Batch, row: Row, event: e.AttemptFailed, _position: int) -> None:
    note_failure(row, event.node, event.failure)
    _count_immediate_retry(batch, row, event.decision)


@folds.on(e.AttemptInterrupted)
def _interrupted(batch: Batch, row: Row, event: e.AttemptInterrupted, _position: int) -> None:
    note_failure(row, event.node, event.decision.failure)
    _count_immediate_retry(batch, row, event.decision)


def note_failure(row: Row, node: str, failure: Failure) -> None:
    """The run's last failure."""
    row["last_failure_class"], row["last_failure_kind"] = failure.failure_class, failure.kind
    row["last_failure_node"] = node
    reason = failure.reason
    row["last_failure_reason"] = reason if len(reason) < MAX_REASON_BYTES // 4 else cut_text(reason, MAX_REASON_BYTES)


def _count_immediate_retry(batch: Batch, row: Row, decision: RetryDecision) -> None:
    if decision.verdict is Verdict.RETRY_ALLOWED:
        row["retries"] += 1
        batch.totals[row["tenant"], "retries"] += 1


@folds.on(e.AttemptSnoozed)
def _snoozed(batch: Batch, row: Row, event: e.AttemptSnoozed, position: int) -> None:
    resource = node_resource(row["automation"], row["run_id"], event.node)
    times = (event.due_ms, event.number, event.number, None, event.delay_ms)
    _wait(batch, row, event.node, "snoozed", times, (resource, "", position))


@folds.on(e.RetryBackoffScheduled)
def _backoff(batch: Batch, row: Row, event: e.RetryBackoffScheduled, position: int) -> None:
    row["retries"] += 1
    batch.totals[row["tenant"], "retries"] += 1
    times = (event.retry_after_ms, event.number, event.next_number, event.max_attempts, event.backoff_ms)
    _wait(batch, row, event.node, "retry_backoff", times, (event.resource_key, event.reason, position))


def _wait(batch: Batch, row: Row, node: str, reason: str, times: tuple[Any, ...], rest: tuple[Any, ...]) -> None:
    values = (row["run_id"], node, row["tenant"], reason, *times, *rest)
    batch.waiting.setdefault(row["run_id"], {})[node] = dict(zip(BACKOFFS.columns, values, strict=True))


@folds.on(e.RunQueued)
def _queued(_batch: Batch, row: Row, event: e.RunQueued, _position: int) -> None:
    leave(row, "queued")
    row["due_ms"], row["queue_reason"] = event.due_ms, event.reason
    if event.limits:
        row["held_by"] = json.dumps(list(dict.fromkeys(use.limit for use in event.limits)), ensure_ascii=False)


@folds.on(e.RunRequeued)
def _requeued(batch: Batch, row: Row, event: e.RunRequeued, _position: int) -> None:
    graph = batch.graph(row["flow"])
    reset = set(event.roots) if graph is None else graph.reset(event.roots)
    if graph is not None:
        row["succeeded_bits"] &= ~graph.bits(reset)
        row["succeeded"] = row["succeeded_bits"].bit_count()
    for group in (batch.waiting, batch.approvals):
        pending = group.get(row["run_id"], {})
        for node in pending.keys() & reset:
            pending[node] = None
    leave(row, "queued")
    row["due_ms"], row["queue_reason"], row["generation"] = event.due_ms, event.cause, event.generation
    for name in ("class", "kind", "reason", "node"):
        row[f"last_failure_{name}"] = None


@folds.on(e.RunPauseRequested)
def _pause_requested(_batch: Batch, row: Row, _event: e.RunPauseRequested, _position: int) -> None:
    row["pause_requested"] = 1


@folds.on(e.RunPaused)
def _paused(_batch: Batch, row: Row, _event: e.RunPaused, _position: int) -> None:
    leave(row, "paused")


@folds.on(e.RunResumed)
def _resumed(_batch: Batch, row: Row, _event: e.RunResumed, _position: int) -> None:
    row["pause_requested"] = 0


@folds.on(e.RunCompleted)
def _completed(_batch: Batch, row: Row, event: e.RunCompleted, _position: int) -> None:
    leave(row, "completed", event.finished_at_ms)


@folds.on(e.RunBlocked)
def _blocked(_batch: Batch, row: Row, event: e.RunBlocked, _position: int) -> None:
    leave(row, "blocked", event.finished_at_ms)


@folds.on(e.RunFailed)
def _run_failed(_batch: Batch, row: Row, event: e.RunFailed, _position: int) -> None:
    leave(row, "failed", event.finished_at_ms)


@folds.on(e.RunCancelled)
def _cancelled(batch: Batch, row: Row, event: e.RunCancelled, _position: int) -> None:
    leave(row, "cancelled", event.finished_at_ms)
    for group in (batch.waiting, batch.approvals):
        pending = group.get(row["run_id"], {})
        pending.update(dict.fromkeys(pending))


def leave(row: Row, status: str, finished_at_ms: int | None = None) -> None:
    """The run is no longer being executed: its claim ends, its epoch stays."""
    row["status"], row["finished_at_ms"], row["due_ms"] = status, finished_at_ms, None
    row["worker"] = row["lease_expires_ms"] = None
    row["held_by"] = "[]"
