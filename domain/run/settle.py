"""Settle: the one rule that decides where a run stands once no attempt is running."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from redrive.domain.event import Event
from redrive.domain.retry_policy import Mode, RetryDecision, stopping
from redrive.domain.run import events as e
from redrive.domain.run.state import FINAL, Run, Status
from redrive.domain.run.wait_events import RunAwaitingApproval

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class Standing:
    """What settle looks at: the run's counters as they will be after the events of this decision. *due_ms* and
    *was_ready* tell how it is queued before them, if it is, and *held* how many ready nodes wait for limits."""

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
    approvals: int = 0
    due_ms: int | None = None
    was_ready: bool = False
    held: int = 0


def standing_of(run: Run) -> Standing:
    """The standing of *run* as it is. By position: many keywords take longer than all the rest."""
    ready = len(run.ready)
    return Standing(
        run.status,
        run.claim is not None,
        len(run.nodes),
        run.succeeded,
        len(run.running),
        ready,
        None,
        "retry_backoff",
        run.stopped_by,
        run.pause_requested,
        run.failing > 0,
        "released",
        len(run.approvals),
        run.due_ms,
        ready > 0,
        ready if run.held_by else 0,
    )


def waits(run: Run, standing: Standing, without: "Iterable[str]" = ()) -> None:
    """Note in *standing* the earliest due time among the waiting nodes and timed waits, leaving out *without*."""
    for group in (run.waiting, run.timers):
        for node, due in group.items():
            if node not in without:
                wait_until(standing, due, run.nodes[node].due_reason)


def wait_until(standing: Standing, due_ms: int, reason: e.QueueReason) -> None:
    """Note in *standing* that a node is due at *due_ms*."""
    if standing.next_due_ms is None or due_ms < standing.next_due_ms:
        standing.next_due_ms, standing.next_due_reason = due_ms, reason


def stop(standing: Standing, decision: RetryDecision) -> None:
    """Note in *standing* that a node failed for good, by *decision*."""
    standing.failing = standing.failing or decision.mode is Mode.FAIL_RUN
    standing.stopped_by = stopping(decision.mode, standing.stopped_by)


def settle(standing: Standing, now_ms: int) -> list[Event]:
    """The event that moves the run to where it stands; none when it is there already. First match wins."""
    if standing.running or standing.status in FINAL:
        return []
    if standing.succeeded == standing.nodes:
        return [e.RunCompleted(finished_at_ms=now_ms)]
    if standing.stopped_by is not None:
        return _stopped(standing, standing.stopped_by is Mode.FAIL_RUN, now_ms)
    if standing.pause_requested:
        return _unless(standing, Status.PAUSED, e.RunPaused())
    if standing.ready:
        new = 0 < standing.held < standing.ready  # what became ready does not stand in the line of the others
        there = standing.claimed or (standing.status is Status.QUEUED and standing.was_ready and not new)
        return [] if there else _queued(standing.ready_reason, now_ms)
    if (due := standing.next_due_ms) is not None:
        there = standing.status is Status.QUEUED and standing.due_ms == due
        return [] if there else _queued(standing.next_due_reason, due)
    if standing.approvals:
        return _unless(standing, Status.AWAITING_APPROVAL, RunAwaitingApproval())
    return _stopped(standing, standing.failing, now_ms)


def _stopped(standing: Standing, failed: bool, now_ms: int) -> list[Event]:
    if failed:
        return _unless(standing, Status.FAILED, e.RunFailed(finished_at_ms=now_ms))
    return _unless(standing, Status.BLOCKED, e.RunBlocked(finished_at_ms=now_ms))


def _queued(reason: e.QueueReason, due_ms: int) -> list[Event]:
    return [e.RunQueued(reason=reason, due_ms=due_ms)]


def _unless(standing: Standing, there: Status, event: Event) -> list[Event]:
    return [] if standing.status is there else [event]
