"""What a run's own events say: claims, queues, attempts, backoffs, waits, pauses."""

from typing import Any

from redrive.domain.event import Event, Recorded
from redrive.domain.run import events as run
from redrive.domain.run import wait_events as waits
from redrive.forensics.timelines.story import Key, Story, failure_text, plain, tells
from redrive.forensics.timelines.timeline import Kind

LIMITED = ("resource_lock", "rate_limit")
QUEUED: Key = ("queued",)
CLAIM: Key = ("claim",)
PAUSE: Key = ("pause",)
STOPPED: Key = ("stopped",)


def _nodes(n: int) -> str:
    return f"{n:,} node{'' if n == 1 else 's'}"


@tells(run.RunSubmitted)
def _submitted(story: Story, at: Recorded, event: run.RunSubmitted) -> None:
    story.title, story.status = event.automation + (f" {event.key}" if event.key is not None else ""), "queued"
    story.moment("status", "", at, f"submitted, {_nodes(event.nodes)}", outcome="queued")
    story.begin(QUEUED, "queue", "", at, "waits for a worker", cause="submitted")


@tells(run.RunQueued)
def _queued(story: Story, at: Recorded, event: run.RunQueued) -> None:
    story.status = "queued"
    story.end(CLAIM, at, "over")
    held = ", ".join(f"{use.limit} {use.used} of {use.of}" for use in event.limits[:3])
    kind: Kind = "limit" if event.reason in LIMITED else "queue"
    what = f"waits for room: {held}" if held else "waits for a worker"
    story.begin(QUEUED, kind, "", at, what, cause=event.reason, due_ms=event.due_ms)


@tells(run.RunRequeued)
def _requeued(story: Story, at: Recorded, event: run.RunRequeued) -> None:
    story.status = "queued"
    story.end(STOPPED, at, "requeued")
    text = f"requeued by {event.cause}, generation {event.generation}: {_nodes(event.reset_count)}"
    kind: Kind = "operator" if event.cause == "recover" else "status"
    story.moment(kind, "", at, text, outcome="queued", number=event.generation)
    story.begin(QUEUED, "queue", "", at, "waits for a worker", cause=event.cause, due_ms=event.due_ms)


@tells(run.RunClaimed)
def _claimed(story: Story, at: Recorded, event: run.RunClaimed) -> None:
    story.status = "running"
    story.end(QUEUED, at, "claimed")
    story.begin(CLAIM, "claim", "", at, f"claimed by {event.worker}", cause=event.worker, number=event.epoch)


@tells(run.ClaimReleased, run.ClaimAbandoned)
def _unclaimed(story: Story, at: Recorded, event: run.ClaimReleased | run.ClaimAbandoned) -> None:
    lost = isinstance(event, run.ClaimAbandoned)
    story.end(CLAIM, at, "abandoned" if lost else "released", cause=event.why)
    if isinstance(event, run.ClaimAbandoned):
        story.moment("decision", "", at, f"claim taken back from {event.worker}: {plain(event.why)}", outcome="lost")


_STANDING: dict[type[Event], str] = {
    run.RunCompleted: "completed", run.RunBlocked: "blocked", run.RunFailed: "failed",
    run.RunCancelled: "cancelled", run.RunPaused: "paused", waits.RunAwaitingApproval: "awaiting_approval",
}  # fmt: skip


@tells(*_STANDING)
def _stands(story: Story, at: Recorded, event: Event) -> None:
    status = story.status = _STANDING[type(event)]
    for key in (QUEUED, CLAIM, STOPPED):
        story.end(key, at, status)
    if status in ("completed", "cancelled"):
        for key in [key for key in story.open if key[0] in _OF_RUN]:
            story.end(key, at, status)
    by_human = isinstance(event, run.RunCancelled)
    story.moment("operator" if by_human else "status", "", at, f"run {plain(status)}", outcome=status)
    if status in ("blocked", "failed"):
        story.begin(STOPPED, "stopped", "", at, f"run {status}", cause=status)


_OF_RUN = ("queued", "attempt", "wait", "pause")


@tells(run.RunPauseRequested)
def _pause(story: Story, at: Recorded, _event: run.RunPauseRequested) -> None:
    story.moment("operator", "", at, "pause requested")
    story.begin(PAUSE, "pause", "", at, "paused", cause=at.reason)


@tells(run.RunResumed)
def _resumed(story: Story, at: Recorded, _event: run.RunResumed) -> None:
    story.end(PAUSE, at, "resumed")
    story.moment("operator", "", at, "resumed")


@tells(run.AttemptStarted)
def _started(story: Story, at: Recorded, event: run.AttemptStarted) -> None:
    story.end(("wait", event.node), at, "over")
    story.begin(
        ("attempt", event.node), "attempt", event.node, at, f"attempt {event.number}",
        number=event.number, lifetime=event.lifetime,
    )  # fmt: skip


@tells(run.AttemptSucceeded)
def _succeeded(story: Story, at: Recorded, event: run.AttemptSucceeded) -> None:
    story.end(("attempt", event.node), at, "succeeded")


@tells(run.AttemptFailed, run.AttemptInterrupted)
def _failed(story: Story, at: Recorded, event: run.AttemptFailed | run.AttemptInterrupted) -> None:
    outcome = "failed" if isinstance(event, run.AttemptFailed) else "interrupted"
    story.end(("attempt", event.node), at, outcome, cause=failure_text(event.decision.failure))


@tells(run.AttemptSnoozed)
def _snoozed(story: Story, at: Recorded, event: run.AttemptSnoozed) -> None:
    story.end(("attempt", event.node), at, "snoozed")
    key = ("wait", event.node)
    story.begin(key, "snooze", event.node, at, "snoozed", due_ms=event.due_ms, number=event.number)


@tells(run.RetryBackoffScheduled)
def _backoff(story: Story, at: Recorded, event: run.RetryBackoffScheduled) -> None:
    what = f"backoff before attempt {event.next_number} of {event.max_attempts}"
    story.begin(
        ("wait", event.node), "backoff", event.node, at, what, due_ms=event.retry_after_ms, number=event.next_number
    )


@tells(waits.WaitStarted)
def _waits(story: Story, at: Recorded, event: waits.WaitStarted) -> None:
    key = ("wait", event.node)
    story.begin(key, "wait", event.node, at, "timed wait", due_ms=event.due_ms, lifetime=event.lifetime)


@tells(waits.WaitEnded)
def _waited(story: Story, at: Recorded, event: waits.WaitEnded) -> None:
    story.end(("wait", event.node), at, "succeeded")


@tells(waits.ApprovalRequested)
def _asked(story: Story, at: Recorded, event: waits.ApprovalRequested) -> None:
    story.begin(("wait", event.node), "approval", event.node, at, "approval", lifetime=event.lifetime)


_ANSWERS: dict[type[Event], str] = {
    waits.ApprovalGiven: "approved", waits.ApprovalDenied: "denied", waits.ApprovalExpired: "expired",
}  # fmt: skip


@tells(*_ANSWERS)
def _answered(story: Story, at: Recorded, event: Any) -> None:
    told = _ANSWERS[type(event)]
    story.end(("wait", event.node), at, told)
    story.moment("decision" if told == "expired" else "operator", event.node, at, f"approval {told}", outcome=told)
