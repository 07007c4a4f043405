"""Settle: the one rule that decides where a run stands once no attempt is running."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from redrive.domain.event import Event
from redrive.domain.retry_policy import Mode
from redrive.domain.run import events as e
from redrive.domain.run.state import Run, Status

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class Standing:
    """What settle looks at: the run's counters as they will be after the events of this decision."""

    status: Status
    claimed: bool
    nodes: int
    succeeded: int
    running: int
    ready: int
    next_due_ms: int | None
    next_due_reason: e.QueueReason
    stopped_by: Mode | None
    pause_requested: bool
    failing: bool
    ready_reason: e.QueueReason = "released"


def standing_of(run: Run) -> Standing:
    """The standing of *run* as it is."""
    return Standing(
        status=run.status,
        claimed=run.claim is not None,
        nodes=len(run.nodes),
        succeeded=run.succeeded,
        running=len(run.running),
        ready=len(run.ready),
        next_due_ms=None,
        next_due_reason="retry_backoff",
        stopped_by=run.stopped_by,
        pause_requested=run.pause_requested,
        failing=run.failing > 0,
    )


def waits(run: Run, standing: Standing, without: "Iterable[str]" = ()) -> None:
    """Note in *standing* the earliest due time among the waiting nodes, leaving out *without*."""
    for node, due in run.waiting.items():
        if node not in without:
            wait_until(standing, due, run.nodes[node].due_reason)


def wait_until(standing: Standing, due_ms: int, reason: e.QueueReason) -> None:
    """Note in *standing* that a node is due at *due_ms*."""
    if standing.next_due_ms is None or due_ms < standing.next_due_ms:
        standing.next_due_ms, standing.next_due_reason = due_ms, reason


def settle(standing: Standing, now_ms: int) -> list[Event]:
    """The event that moves the run to where it stands; none when it is there already. First match wins."""
    if standing.running or standing.status in (Status.COMPLETED, Status.CANCELLED):
        return []
    if standing.succeeded == standing.nodes:
        return [e.RunCompleted(finished_at_ms=now_ms)]
    if standing.stopped_by is Mode.FAIL_RUN:
        return _unless(standing, Status.FAILED, e.RunFailed(finished_at_ms=now_ms))
    if standing.stopped_by is Mode.PAUSE_FOR_REVIEW:
        return _unless(standing, Status.BLOCKED, e.RunBlocked(finished_at_ms=now_ms))
    if standing.pause_requested:
        return _unless(standing, Status.PAUSED, e.RunPaused())
    if standing.ready:
        if standing.claimed or standing.status is Status.QUEUED:
            return []
        return [e.RunQueued(reason=standing.ready_reason, due_ms=now_ms)]
    if standing.next_due_ms is not None:
        return [e.RunQueued(reason=standing.next_due_reason, due_ms=standing.next_due_ms)]
    if standing.failing:
        return _unless(standing, Status.FAILED, e.RunFailed(finished_at_ms=now_ms))
    return _unless(standing, Status.BLOCKED, e.RunBlocked(finished_at_ms=now_ms))


def _unless(standing: Standing, there: Status, event: Event) -> list[Event]:
    return [] if standing.status is there else [event]
