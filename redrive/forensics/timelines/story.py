"""A timeline in the making: what is told of events, span by span and moment by moment."""

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from redrive.domain.event import Event, Recorded
from redrive.domain.failure import Failure
from redrive.forensics.timelines.timeline import Kind, TimelineEntry

MOST_REASON = 240
Key = tuple[Hashable, ...]


@dataclass(slots=True)
class Draft:
    """An entry in the making."""

    fields: dict[str, Any]
    due_ms: int | None = None

    def entry(self) -> TimelineEntry:
        """The entry as it stands."""
        return TimelineEntry.model_construct(None, **{**_BLANK, **self.fields})


_BLANK = {name: f.default for name, f in TimelineEntry.model_fields.items() if not f.is_required()}


@dataclass
class Story:
    """What was told so far: finished and open entries, and which lane the streams beside the run belong to."""

    drafts: list[Draft] = field(default_factory=list)
    open: dict[Key, Draft] = field(default_factory=dict)
    lane_of: dict[str, str] = field(default_factory=dict)
    lanes: dict[str, None] = field(default_factory=lambda: {"": None})
    topics: Counter[str] = field(default_factory=Counter)
    title: str = ""
    status: str | None = None
    regressions: int = 0
    latest_ms: int = 0
    before_ms: int = 0

    def begin(self, key: Key, kind: Kind, lane: str, at: Recorded, what: str, **more: Any) -> None:
        """A span begins; one of the same key that was open ends here. *due_ms*: when it is due to be over."""
        self.end(key, at)
        due_ms = more.pop("due_ms", None)
        draft = Draft(
            {"kind": kind, "lane": lane, "position": at.position, "begin_ms": at.recorded_at_ms, "end_position": None,
             "end_ms": None, "what": what, **more},
            due_ms,
        )  # fmt: skip
        self.lanes.setdefault(lane)
        self.drafts.append(draft)
        self.open[key] = draft

    def end(self, key: Key, at: Recorded, outcome: str | None = None, **more: Any) -> None:
        """A span ends, if it is open; a wait that was over when it was due ended then."""
        draft = self.open.pop(key, None)
        if draft is None:
            return
        fields, end_ms = draft.fields, at.recorded_at_ms
        if draft.due_ms is not None:
            if fields["kind"] in ("queue", "limit"):  # before it is due it waits for something else
                fields["begin_ms"] = max(fields["begin_ms"], min(draft.due_ms, end_ms))
            else:
                end_ms = max(fields["begin_ms"], min(draft.due_ms, end_ms))
        fields.update(end_position=at.position, end_ms=end_ms, **more)
        if outcome is not None:
            fields["outcome"] = outcome

    def moment(self, kind: Kind, lane: str, at: Recorded, what: str, **more: Any) -> None:
        """Something happened."""
        told = {"actor": f"{at.actor.kind}:{at.actor.id}", "reason": at.reason, "topic": at.topic, **more}
        fields = {"kind": kind, "lane": lane, "position": at.position, "begin_ms": at.recorded_at_ms,
                  "end_position": at.position, "end_ms": at.recorded_at_ms, "what": what, **told}  # fmt: skip
        self.lanes.setdefault(lane)
        self.drafts.append(Draft(fields))


def failure_text(failure: Failure) -> str:
    """``provider_transient/timeout: after 90 s``."""
    name = f"{failure.failure_class}/{failure.kind}" if failure.kind else failure.failure_class
    reason = failure.reason if len(failure.reason) <= MOST_REASON else failure.reason[: MOST_REASON - 1] + "…"
    return f"{name}: {reason}" if reason else name


def plain(word: object) -> str:
    """A word of the log as people write it."""
    return str(word).replace("_", " ")


Teller = Callable[[Story, Recorded, Any], None]
TELLERS: dict[type[Event], Teller] = {}


def tells(*classes: type[Event]) -> Callable[[Teller], Teller]:
    """Register what tells of events of *classes*."""

    def register(teller: Teller) -> Teller:
        TELLERS.update(dict.fromkeys(classes, teller))
        return teller

    return register
