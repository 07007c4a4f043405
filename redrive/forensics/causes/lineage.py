"""What each event followed from. Pure: events of one correlation, in log order, give the links back from each.

The log stores a cause with each event: the first event of a transaction has what asked for it (a command, a timer, or
an event that a sweep acted on), the others have that first event. What came before across transactions is not stored,
for the facts say it: an attempt that ends is the one that started, what is claimed was queued, and so on. Both are
links; every link goes back in the log, so that no chain of them can be endless.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from redrive.domain.compensation import events as compensation
from redrive.domain.dead_letter import events as letter
from redrive.domain.effect import events as effect
from redrive.domain.event import Event, Recorded, UnknownEvent
from redrive.domain.identity import NodeId
from redrive.domain.records import NoteWritten
from redrive.domain.run import events as run
from redrive.domain.run import wait_events as waits

How = Literal["caused", "followed", "governed"]
"""*caused*: the log stores it; *followed*: the facts in the log say it; *governed*: decided under that policy, limit
or flow."""
Children = Mapping[NodeId, Sequence[NodeId]]


@dataclass(frozen=True, slots=True)
class Link:
    """Back to the event at *position*."""

    position: int
    how: How


_ENDED = (run.AttemptSucceeded, run.AttemptFailed, run.AttemptSnoozed, run.AttemptInterrupted)
_MAKES_READY = (
    run.RetryBackoffScheduled, run.AttemptFailed, run.AttemptInterrupted, run.AttemptSnoozed
)  # fmt: skip
_SUCCESS = (run.AttemptSucceeded, waits.ApprovalGiven, waits.WaitEnded)
_BEGINS = (run.AttemptStarted, waits.ApprovalRequested, waits.WaitStarted)
_ANSWERS = (waits.ApprovalGiven, waits.ApprovalDenied, waits.ApprovalExpired, waits.WaitEnded)
_QUEUES = (run.RunSubmitted, run.RunQueued, run.RunRequeued, run.RunResumed)
_OF_CLAIM = (run.LeaseRenewed, run.ClaimReleased, run.ClaimAbandoned)
_SENDS = (run.EffectAdmitted, effect.EffectIntended, effect.EffectWithheld)
_STANDS = (run.RunQueued, run.RunBlocked, run.RunFailed, run.RunCompleted, run.RunPaused)
_NOTES = (run.NoteAdded, letter.DeadLetterNoted, NoteWritten)
_MODULES = {module.__name__ for module in (compensation, effect, letter)}


@dataclass
class Lineage:
    """What was seen so far of one correlation, and the links that follow from it. *children* is the flow's graph."""

    children: Children = field(default_factory=dict)
    links: dict[int, tuple[Link, ...]] = field(default_factory=dict)
    _ids: dict[str, int] = field(default_factory=dict)
    _ready: dict[str, int] = field(default_factory=dict)
    _parents: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _begun: dict[tuple[str, int], int] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _submitted: int | None = None
    _queued: int | None = None
    _claimed: int | None = None
    _paused: int | None = None
    _failed: dict[NodeId, tuple[int, int]] = field(default_factory=dict)

    def add(self, at: Recorded) -> tuple[Link, ...]:
        """The links back from the next event, the most telling first."""
        cause = at.causation
        stored = self._ids.get(cause.id) if cause is not None and cause.kind == "event" else None
        places = [self._followed(at)] if stored is None or self._tells_more(at) else []
        found = [Link(place, "followed") for place in places if place is not None and place < at.position]
        if stored is not None:
            found += [Link(place, "followed") for place in self._gave_up(at.event, stored)]
            found.append(Link(stored, "caused"))
            if isinstance(at.event, run.AttemptFailed):
                self._failed.pop(at.event.node, None)  # the last one is at the end
                self._failed[at.event.node] = stored, at.position
        if isinstance(at.event, _BEGINS):
            found += [Link(place, "followed") for place in self._parents.get(at.event.node, ())]
        if isinstance(at.event, _ENDED) and stored is not None:
            begun = self._begun.get((at.event.node, at.event.lifetime))
            found += [Link(begun, "followed")] if begun is not None else []
        self._learn(at)
        unique = tuple({link.position: link for link in reversed(found)}[link.position] for link in found)
        self.links[at.position] = tuple(dict.fromkeys(unique))
        return self.links[at.position]

    def _gave_up(self, event: Event | UnknownEvent, stored: int) -> list[int]:
        """The failure, written by the same claim that was taken back, for which the run stands or has a dead letter:
        where an attempt was reported, it is what the log stores."""
        failed: list[tuple[int, int]] = []
        if isinstance(event, (run.RunBlocked, run.RunFailed)):
            failed = [*self._failed.values()][-1:]
        elif isinstance(event, letter.DeadLetterOpened) and event.node in self._failed:
            failed = [self._failed[event.node]]
        return [place for cause, place in failed if cause == stored]

    def _tells_more(self, at: Recorded) -> bool:
        """Whether the facts tell more of an event than that it was appended together with another."""
        return isinstance(at.event, _BEGINS) and at.event.node in self._ready

    def _followed(self, at: Recorded) -> int | None:
        event = at.event
        if isinstance(event, _BEGINS):
            return self._ready.get(event.node, self._submitted)
        if isinstance(event, (*_ENDED, *_ANSWERS)):
            return self._begun.get((event.node, event.lifetime))
        if isinstance(event, _SENDS) and event.node is not None:
            return self._begun.get((event.node, event.lifetime), self._last.get(at.stream))
        if isinstance(event, _OF_CLAIM):
            return self._claimed
        if isinstance(event, (run.RunClaimed, run.RunResumed)):
            return self._queued if isinstance(event, run.RunClaimed) else self._paused
        of_others = isinstance(event, Event) and type(event).__module__ in _MODULES
        return self._last.get(at.stream) if of_others or isinstance(event, (*_STANDS, UnknownEvent)) else None

    def _learn(self, at: Recorded) -> None:
        event, place = at.event, at.position
        self._ids[at.event_id] = place
        if not isinstance(event, _NOTES):
            self._last[at.stream] = place
        if isinstance(event, _QUEUES):
            self._queued = place
        if isinstance(event, run.RunClaimed):
            self._claimed = place
        elif isinstance(event, run.RunPauseRequested):
            self._paused = place
        elif isinstance(event, run.RunSubmitted):
            self._submitted = place
        self._learn_nodes(event, place)

    def _learn_nodes(self, event: Event | UnknownEvent, place: int) -> None:
        if isinstance(event, _BEGINS):
            self._begun[event.node, event.lifetime] = place
            self._parents.pop(event.node, None)
        elif isinstance(event, _SUCCESS):
            for child in self.children.get(event.node, ()):
                self._ready[child] = place
                self._parents[child].append(place)
        elif isinstance(event, _MAKES_READY):
            self._ready[event.node] = place
        elif isinstance(event, run.RunRequeued):
            self._ready.update(dict.fromkeys(event.roots, place))


def lineage_of(events: Iterable[Recorded], children: Children) -> Lineage:
    """The lineage of *events*, all of one correlation."""
    lineage = Lineage(children)
    for one in events:
        lineage.add(one)
    return lineage
