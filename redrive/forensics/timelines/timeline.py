"""A timeline: what happened to one thing as spans and moments, in log order. Made by ``spans.timeline_of``."""

from typing import Literal

from pydantic import computed_field

from redrive.forensics.footing import Footing
from redrive.projections.models import Model

Kind = Literal[
    "attempt", "effect", "compensation", "claim",
    "queue", "limit", "backoff", "snooze", "wait", "approval", "pause",
    "dead_letter", "doubt", "stopped",
    "operator", "note", "status", "decision", "other", "unknown",
]  # fmt: skip
"""What an entry is: something that was done, a wait, a trouble, or (the last line) a moment."""

Subject = Literal["run", "dead letter", "effect", "compensation"]


class TimelineEntry(Model):
    """A span from *begin_ms* to *end_ms* (None: not over at the timeline's position), or a moment, where both are the
    same. Times are UTC milliseconds as recorded, so that they never go backwards.

    *lane* is the node, ``effect KEY`` outside runs, and empty for the run itself. *position* and *end_position* are
    those of the events that began and ended it. *outcome* is how it ended, *cause* what began or ended it, in words
    of the log; *number* and *lifetime* are those of an attempt, *number* the try of an effect. *id* names the effect,
    dead letter or compensation. *what* is for people; so is *cause*. *duration_ms* is how long it
    took, null while it is not over.
    """

    kind: Kind
    lane: str
    position: int
    begin_ms: int
    end_position: int | None
    end_ms: int | None
    what: str
    outcome: str | None = None
    cause: str | None = None
    number: int | None = None
    lifetime: int | None = None
    id: str | None = None
    actor: str | None = None
    reason: str | None = None
    topic: str | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def duration_ms(self) -> int | None:
        """How long it took; None while it is not over."""
        return None if self.end_ms is None else self.end_ms - self.begin_ms

    @property
    def is_moment(self) -> bool:
        """Whether it has no duration by its nature."""
        return self.kind in MOMENTS


MOMENTS = frozenset({"operator", "note", "status", "decision", "other", "unknown"})
WAITS = frozenset({"queue", "limit", "backoff", "snooze", "wait", "approval", "pause"})


class TimelineLane(Model):
    """A lane: a node, the run itself (empty *name*) or an effect outside runs, with sums over its
    spans, up to the end of the timeline for those that are not over. *standing*
    is how its last attempt ended, or ``running``."""

    name: str
    attempts: int
    failed: int
    standing: str | None
    busy_ms: int
    waited_ms: int
    dead_letter_ms: int


class Timeline(Model):
    """What happened to *key*, a *subject*: *entries* in the order of the positions where they began.

    *correlated*: with everything else of the same run. *begin_ms* and *end_ms* are the times of the first and last of
    *events* events; *events_by_topic* counts them all, those without an entry as well. *clock_regressions* counts
    the events whose own clock stood before that of an earlier one.
    """

    key: str
    subject: Subject
    correlated: bool
    run: str
    title: str
    status: str | None
    begin_ms: int
    end_ms: int
    events: int
    events_by_topic: dict[str, int]
    clock_regressions: int
    lanes: tuple[TimelineLane, ...]
    entries: tuple[TimelineEntry, ...]
    footing: Footing | None = None
