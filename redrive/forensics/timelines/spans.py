"""Events folded into a timeline. Pure: the same events give the same timeline, live, as of a position, or from a
bundle."""

from collections.abc import Iterable
from typing import Any

from redrive.domain.effect.events import EffectDeadLetterLinked
from redrive.domain.event import Event, Recorded, UnknownEvent
from redrive.domain.records import FlowRegistered, PolicyRegistered
from redrive.domain.run import events as run
from redrive.forensics.timelines import letter_spans, run_spans
from redrive.forensics.timelines.story import TELLERS, Story
from redrive.forensics.timelines.timeline import WAITS, Subject, Timeline, TimelineEntry, TimelineLane

TOLD_BY = (run_spans, letter_spans)
"""What tells of each event; a module says so by ``tells`` when it is imported, which is all that is done with it."""
QUIET: set[type[Event]] = {
    FlowRegistered, PolicyRegistered, run.LeaseRenewed, run.EffectAdmitted, run.DeadLetterLinked,
    EffectDeadLetterLinked,
}  # fmt: skip
"""Events that have no entry: what they say is said by others."""


def timeline_of(
    events: Iterable[Recorded], *, key: str, subject: Subject = "run", correlated: bool = False
) -> Timeline:
    """The timeline of *key* from its *events*, which are in log order."""
    story, first, last, n = Story(), None, None, 0
    for recorded in events:
        first, last, n = first or recorded, recorded, n + 1
        story.topics[recorded.topic] += 1
        at_ms = recorded.occurred_at_ms  # what goes on with a clock that stepped back does not count again
        story.regressions += at_ms < story.latest_ms and at_ms < story.before_ms
        story.before_ms, story.latest_ms = at_ms, max(story.latest_ms, at_ms)
        _tell(story, recorded)
    _leave_open(story, last)
    entries = tuple(draft.entry() for draft in story.drafts)
    return Timeline(
        key=key,
        subject=subject,
        correlated=correlated,
        run=first.correlation if first else key,
        title=story.title,
        status=story.status,
        begin_ms=first.recorded_at_ms if first else 0,
        end_ms=last.recorded_at_ms if last else 0,
        events=n,
        events_by_topic=dict(sorted(story.topics.items())),
        clock_regressions=story.regressions,
        lanes=_lanes(story, entries, last.recorded_at_ms if last else 0),
        entries=entries,
    )


def _leave_open(story: Story, last: Recorded | None) -> None:
    """A queued run that is not due yet does not wait for a worker yet."""
    for draft in story.open.values():
        if last is not None and draft.due_ms is not None and draft.fields["kind"] in ("queue", "limit"):
            draft.fields["begin_ms"] = max(draft.fields["begin_ms"], min(draft.due_ms, last.recorded_at_ms))


def _lanes(story: Story, entries: Iterable[TimelineEntry], end_ms: int) -> tuple[TimelineLane, ...]:
    sums: dict[str, dict[str, Any]] = {
        name: {"attempts": 0, "failed": 0, "standing": None, "busy_ms": 0, "waited_ms": 0, "dead_letter_ms": 0}
        for name in story.lanes
    }
    for entry in entries:
        told = sums[entry.lane]
        took = (end_ms if entry.end_ms is None else entry.end_ms) - entry.begin_ms
        if entry.kind == "attempt":
            told["attempts"] += 1
            told["failed"] += entry.outcome in ("failed", "interrupted")
            told["standing"] = entry.outcome or "running"
            told["busy_ms"] += took
        elif entry.kind in WAITS:
            told["waited_ms"] += took
        elif entry.kind == "dead_letter":
            told["dead_letter_ms"] += took
        if entry.kind in ("approval", "wait"):
            told["standing"] = entry.outcome or "waiting"
    return tuple(TimelineLane(name=name, **told) for name, told in sums.items())


def _tell(story: Story, at: Recorded) -> None:
    event = at.event
    if isinstance(event, UnknownEvent):
        story.moment("unknown", story.lane_of.get(at.stream, ""), at, f"{event.topic}: of a version not known here")
    elif (teller := TELLERS.get(type(event))) is not None:
        teller(story, at, event)
    elif type(event) not in QUIET:
        story.moment("other", story.lane_of.get(at.stream, ""), at, at.topic)
