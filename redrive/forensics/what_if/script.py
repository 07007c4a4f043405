"""What the world did in a recorded run: how each attempt ended, how long it took, and what people asked for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from redrive.domain.compensation import events as ce
from redrive.domain.compensation.state import CompensationState
from redrive.domain.dead_letter import events as de
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.effect import events as ee
from redrive.domain.effect.state import Effect
from redrive.domain.event import Event, Recorded
from redrive.domain.failure import EXECUTION_ERROR, Failure
from redrive.domain.identity import NodeId
from redrive.domain.run import events as e
from redrive.domain.run import wait_events as w
from redrive.domain.run.state import Run
from redrive.forensics.decided_again.commits import decisions
from redrive.forensics.decided_again.streams import FlowOf, Stream, blank
from redrive.forensics.what_if.readiness import Changed

Key = tuple[NodeId, int, int]
"""A node, a generation, and the number of the attempt in it."""
_ENDS = frozenset({e.AttemptSucceeded, e.AttemptFailed, e.AttemptSnoozed, e.AttemptInterrupted})
_OF_EFFECTS = frozenset(
    {ee.EffectIntended, ee.EffectSucceeded, ee.EffectFailed, ee.EffectOutcomeUnknown, ee.EffectReconciled}
)
_NEWS: frozenset[type] = frozenset(
    {
        de.DeadLetterOpened, de.DeadLetterRecurred, de.RetryExhausted, e.RunFailed, e.RunBlocked,
        ee.EffectOutcomeUnknown,
    }
)  # fmt: skip
_ASKED: frozenset[type] = frozenset((
    e.RunPauseRequested, e.RunResumed, e.NoteAdded, w.ApprovalGiven, w.ApprovalDenied, de.DeadLetterRetryRequested,
    de.RetryBudgetGranted, de.DeadLetterIgnored, de.DeadLetterAbandoned, de.DeadLetterReopened, de.DeadLetterNoted,
    ee.EffectReconciled, ce.CompensationApproved, ce.CompensationApprovalRequested, ce.CompensationStarted,
    ce.CompensationCompleted, ce.CompensationFailed, ce.CompensationCancelled,
))  # fmt: skip
_ASKED_AT_LAST: frozenset[type] = frozenset((e.RunCancelled, de.DeadLetterLinkedToCompensation))


@dataclass(slots=True)
class Tried:
    """A recorded attempt: when it began, after which delay, how it ended (*end* None: not in this log) and what its
    effects did meanwhile."""

    began_ms: int
    delay_ms: int
    duration_ms: int = 0
    end: Event | None = None
    effects: list[Recorded] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for: the events of one decision. It answered the *nth* piece of news about *about* (since
    the histories part), *reaction_ms* later; with *nth* -1, it came at *at_ms* whatever else happened."""

    at_ms: int
    together: tuple[Recorded, ...]
    about: str = ""
    nth: int = -1
    reaction_ms: int = 0


@dataclass(slots=True)
class Script:
    """A recorded run as what happened to it from outside. *running* are the attempts that ran when the histories
    part, by node; *begun* how often each key had been tried by then; *run* is the run as it stands at the end."""

    tried: dict[Key, list[Tried]] = field(default_factory=dict)
    running: dict[NodeId, Tried] = field(default_factory=dict)
    begun: dict[Key, int] = field(default_factory=dict)
    ready_ms: dict[NodeId, int] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    run: Run | None = None
    intents: dict[str, ee.EffectIntended] = field(default_factory=dict)
    durations: dict[NodeId, int] = field(default_factory=dict)
    failures: dict[NodeId, Failure] = field(default_factory=dict)
    last_failure: Failure = Failure(EXECUTION_ERROR, "unknown")

    def outcome(self, key: Key, nth: int) -> Tried | None:
        """The *nth* try with this key, if it was recorded."""
        tries = self.tried.get(key, ())
        return tries[nth] if nth < len(tries) else None


def script_of(events: Sequence[Recorded], parts_at: int, flow_of: FlowOf, dropped: Collection[str]) -> Script:
    """The script of a run by all its *events*; the histories part at position *parts_at*. What was *dropped* (ids of
    events) is not in it."""
    reading = _Reading(parts_at, flow_of, dropped)
    for together in decisions([events]):
        reading.read(together)
    return reading.script


class _Reading:
    """Folds a run and notes what came from outside."""

    def __init__(self, parts_at: int, flow_of: FlowOf, dropped: Collection[str]) -> None:
        self.script = Script()
        self._parts_at, self._flow_of, self._dropped = parts_at, flow_of, dropped
        self._drops = bool(dropped)
        self._streams: dict[str, Stream] = {}
        self._open: dict[tuple[NodeId, int], Tried] = {}
        self._ready: dict[NodeId, int] = {}
        self._news: dict[str, tuple[int, int]] = {}
        self._stopped = False
        self._parted = False
        self._changed = Changed()

    def read(self, together: Sequence[Recorded]) -> None:
        """Read one decision."""
        first = together[0]
        parted = first.position >= self._parts_at
        if parted and not self._parted:
            self._part()
        if parted and not (self._drops and any(recorded.event_id in self._dropped for recorded in together)):
            self._ask(together)
        for recorded in together:
            self._note(recorded, parted)
            self._fold(recorded)
        run = self._streams.get(first.correlation)
        if run is not None and isinstance(run.state, Run):
            self.script.run = run.state
            self._note_ready(run.state, first.occurred_at_ms)

    def _part(self) -> None:
        """From here on the histories part."""
        self._parted = True
        self.script.ready_ms = dict(self._ready)

    def _fold(self, recorded: Recorded) -> None:
        if recorded.version == 1:
            state = blank(recorded, self._flow_of)
            if not isinstance(state, (DeadLetter, CompensationState)):  # nobody here asks where these stand
                self._streams[recorded.stream] = Stream(recorded.stream, state, recorded.position)
        if (stream := self._streams.get(recorded.stream)) is not None:
            stream.fold(recorded.event, recorded.event_id)
            if isinstance(stream.state, Run):
                self._changed.by(recorded.event, stream.state)

    def _ask(self, together: Sequence[Recorded]) -> None:
        first, last = together[0], together[-1]
        kind = first.event.__class__
        if kind not in _ASKED and last.event.__class__ not in _ASKED_AT_LAST and not _by_operator(first.event):
            return
        if kind is ee.EffectReconciled and self._meanwhile(first) is not None:
            return
        about = _about(last if isinstance(last.event, de.DeadLetterLinkedToCompensation) else first)
        nth, at = self._news.get(about, (-1, 0))
        now = first.occurred_at_ms
        if about and nth >= 0:
            self.script.asked.append(Asked(now, tuple(together), about, nth, max(0, now - at)))
        else:
            self.script.asked.append(Asked(now, tuple(together)))

    def _note(self, recorded: Recorded, parted: bool) -> None:
        event, now = recorded.event, recorded.occurred_at_ms
        kind = event.__class__
        if parted and (news := news_of(recorded.stream, event)):
            self._news[news] = (self._news.get(news, (-1, 0))[0] + 1, now)
        if isinstance(event, e.AttemptStarted):
            self._began(recorded.stream, event, parted)
        elif kind in _ENDS:
            self._ended(event, now, parted, recorded.event_id in self._dropped)
        elif kind in _OF_EFFECTS and (tried := self._meanwhile(recorded)) is not None:
            tried.effects.append(recorded)
        if isinstance(event, ee.EffectIntended):
            self.script.intents[recorded.stream] = event

    def _began(self, stream: str, event: e.AttemptStarted, parted: bool) -> None:
        state = self._streams[stream].state
        assert isinstance(state, Run)
        key = (event.node, state.generation, event.number)
        delay = max(0, event.started_at_ms - self._ready.pop(event.node, event.started_at_ms))
        tried = self._open[event.node, event.lifetime] = Tried(event.started_at_ms, delay)
        self.script.tried.setdefault(key, []).append(tried)
        if not parted:
            self.script.begun[key] = self.script.begun.get(key, 0) + 1
            self.script.running[event.node] = tried

    def _ended(self, event: Any, now_ms: int, parted: bool, dropped: bool) -> None:
        tried = self._open.pop((event.node, event.lifetime), None)
        if tried is None:  # the final failure that follows an interruption
            return
        tried.duration_ms = max(0, now_ms - tried.began_ms)
        tried.end = None if dropped else event
        self.script.durations[event.node] = tried.duration_ms
        if dropped:
            self._forget(tried)
        if isinstance(event, (e.AttemptFailed, e.AttemptInterrupted)):
            self.script.failures[event.node] = self.script.last_failure = event.decision.failure
        if not parted:
            self.script.running.pop(event.node, None)

    def _forget(self, tried: Tried) -> None:
        """As if it had not ended as it did: nobody knows how it would have."""
        for key, tries in self.script.tried.items():
            if any(one is tried for one in tries):
                self.script.tried[key] = [one for one in tries if one is not tried]
        for node, running in list(self.script.running.items()):
            if running is tried:
                del self.script.running[node]

    def _meanwhile(self, recorded: Recorded) -> Tried | None:
        """The attempt in which an effect was sent, ended, or was reconciled because it was to be sent again."""
        event = recorded.event
        if isinstance(event, ee.EffectIntended):
            return self._open.get((event.node, event.lifetime)) if event.node is not None else None
        known = self._streams.get(recorded.stream)
        effect = known.state if known is not None else None
        if not isinstance(effect, Effect) or effect.node is None:
            return None
        if isinstance(event, ee.EffectReconciled):
            return next((tried for (node, _), tried in self._open.items() if node == effect.node), None)
        return self._open.get((effect.node, effect.lifetime))

    def _note_ready(self, run: Run, now_ms: int) -> None:
        if run.pause_requested or run.stopped_by is not None:
            self._stopped = True
        elif self._stopped:  # what waited meanwhile could not have started before now
            self._stopped = False
            self._ready = dict.fromkeys(run.ready, now_ms)
        for node in self._changed.look(run):
            if node in run.waiting:
                self._ready[node] = run.waiting[node]
            elif node in run.ready:
                self._ready.setdefault(node, now_ms)


def news_of(stream: str, event: object) -> str:
    """What *event* is news about, for those who react: a dead letter, a run that ended badly, an effect of which nobody
    knows the outcome, an approval."""
    if event.__class__ in _NEWS:
        return stream
    return f"{stream} {event.node}" if isinstance(event, w.ApprovalRequested) else ""


def draw_of(event: Event | None) -> float:
    """The die of an attempt that failed; of one that succeeded, the middle."""
    return event.decision.draw if isinstance(event, (e.AttemptFailed, e.AttemptInterrupted)) else 0.5


def _about(recorded: Recorded) -> str:
    """What somebody reacted to, as far as it can be told."""
    event = recorded.event
    if isinstance(event, (w.ApprovalGiven, w.ApprovalDenied)):
        return f"{recorded.stream} {event.node}"
    if isinstance(event, (e.RunRequeued, ee.EffectReconciled)) or recorded.topic.startswith("dead-letter."):
        return recorded.stream
    return ""


def _by_operator(event: Any) -> bool:
    if isinstance(event, e.RunRequeued):
        return event.cause == "recover"
    return isinstance(event, de.DeadLetterResolved) and event.disposition == "resolved_by_operator"
