"""Approvals that are pending, and what approvals and timed waits change in the row of their run."""

from redrive.domain.run import wait_events as w
from redrive.projections.batch import Batch
from redrive.projections.queues import folds, leave, note_failure, succeed
from redrive.projections.tables import Row, Table

APPROVALS = Table(
    "approvals",
    ("run_id", "node"),
    {
        "run_id": "",
        "node": "",
        "tenant": "",
        "prompt": "",
        "lifetime": 0,
        "requested_at_ms": 0,
        "expires_at_ms": None,
        "created": 0,
    },
    indexes=("tenant, created", "created"),
)


@folds.on(w.ApprovalRequested)
def _requested(batch: Batch, row: Row, event: w.ApprovalRequested, position: int) -> None:
    pending = APPROVALS.blank()
    pending["run_id"], pending["node"], pending["tenant"] = row["run_id"], event.node, row["tenant"]
    pending["prompt"], pending["lifetime"], pending["created"] = event.prompt, event.lifetime, position
    pending["requested_at_ms"], pending["expires_at_ms"] = event.requested_at_ms, event.expires_at_ms
    batch.approvals.setdefault(row["run_id"], {})[event.node] = pending


@folds.on(w.ApprovalGiven)
def _given(batch: Batch, row: Row, event: w.ApprovalGiven, _position: int) -> None:
    _decided(batch, row, event.node)
    succeed(batch, row, event.node)


@folds.on(w.ApprovalDenied)
def _denied(batch: Batch, row: Row, event: w.ApprovalDenied, _position: int) -> None:
    _decided(batch, row, event.node)
    note_failure(row, event.node, event.failure)


@folds.on(w.ApprovalExpired)
def _expired(batch: Batch, row: Row, event: w.ApprovalExpired, _position: int) -> None:
    _decided(batch, row, event.node)
    note_failure(row, event.node, event.failure)


@folds.on(w.WaitStarted)
def _wait_started(_batch: Batch, _row: Row, _event: w.WaitStarted, _position: int) -> None:
    pass


@folds.on(w.WaitEnded)
def _wait_ended(batch: Batch, row: Row, event: w.WaitEnded, _position: int) -> None:
    succeed(batch, row, event.node)


@folds.on(w.RunAwaitingApproval)
def _awaiting(_batch: Batch, row: Row, _event: w.RunAwaitingApproval, _position: int) -> None:
    leave(row, "awaiting_approval")


def _decided(batch: Batch, row: Row, node: str) -> None:
    batch.approvals.setdefault(row["run_id"], {})[node] = None
