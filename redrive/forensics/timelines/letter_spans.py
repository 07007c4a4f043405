"""What dead letters, effects and compensations say: how long each lay open, was under way, or in doubt."""

from collections.abc import Callable
from typing import Any

from redrive.domain.compensation import events as compensation
from redrive.domain.dead_letter import events as letter
from redrive.domain.effect import events as effect
from redrive.domain.event import Event, Recorded
from redrive.domain.records import LimitRemoved, LimitSet, NoteWritten
from redrive.domain.run import events as run
from redrive.forensics.timelines.story import Story, failure_text, plain, tells
from redrive.forensics.timelines.timeline import Kind


@tells(letter.DeadLetterOpened)
def _opened(story: Story, at: Recorded, event: letter.DeadLetterOpened) -> None:
    lane = story.lane_of[at.stream] = event.node or f"effect {event.effect_key}"
    story.title = story.title or f"{event.automation} {lane}".strip()
    _open_letter(story, at, lane, failure_text(event.failure))


def _open_letter(story: Story, at: Recorded, lane: str, cause: str | None) -> None:
    story.begin(("letter", at.stream), "dead_letter", lane, at, "dead letter", cause=cause, id=at.stream)


@tells(letter.DeadLetterRecurred)
def _recurred(story: Story, at: Recorded, event: letter.DeadLetterRecurred) -> None:
    lane = story.lane_of.get(at.stream, "")
    story.moment("decision", lane, at, "the failure came again", cause=failure_text(event.failure), id=at.stream)
    if ("letter", at.stream) not in story.open:
        _open_letter(story, at, lane, failure_text(event.failure))


@tells(letter.DeadLetterReopened)
def _reopened(story: Story, at: Recorded, _event: letter.DeadLetterReopened) -> None:
    lane = story.lane_of.get(at.stream, "")
    story.moment("operator", lane, at, "dead letter reopened", id=at.stream)
    _open_letter(story, at, lane, at.reason)


_SETTLED: dict[type[Event], str] = {
    letter.DeadLetterResolved: "resolved", letter.DeadLetterIgnored: "ignored",
    letter.DeadLetterAbandoned: "abandoned", letter.DeadLetterLinkedToCompensation: "linked_to_compensation",
}  # fmt: skip


@tells(*_SETTLED)
def _settled(story: Story, at: Recorded, event: Event) -> None:
    outcome = _SETTLED[type(event)]
    story.end(("letter", at.stream), at, outcome)
    by_success = isinstance(event, letter.DeadLetterResolved) and event.disposition == "retry_succeeded"
    kind: Kind = "operator" if at.actor.kind == "human" and not by_success else "decision"
    what = f"dead letter {plain(outcome)}"
    story.moment(kind, story.lane_of.get(at.stream, ""), at, what, outcome=outcome, id=at.stream)


_ON_LETTER: dict[type[Event], Callable[[Any], str]] = {
    letter.DeadLetterRetryRequested: lambda _: "retry requested",
    letter.DeadLetterRetryDispatched: lambda e: f"redriven, dispatch {e.count} of {e.budget}",
    letter.RetryExhausted: lambda e: f"parked: {e.dispatches} of {e.budget} dispatches are used",
    letter.RetryBudgetGranted: lambda e: f"{e.granted} more {'dispatch' if e.granted == 1 else 'dispatches'} granted",
    letter.DeadLetterHeld: lambda e: f"held: {e.why}",
    letter.DeadLetterSuperseded: lambda _: "superseded by a later success",
    compensation.CompensationProposed: lambda _: "compensation proposed",
    compensation.CompensationApprovalRequested: lambda _: "compensation chosen, awaits an approval",
    compensation.CompensationApproved: lambda _: "compensation approved",
    compensation.CompensationCancelled: lambda e: f"compensation cancelled: {plain(e.why)}",
    effect.EffectWithheld: lambda e: f"effect withheld: {e.why}",
    LimitSet: lambda e: f"limit set: {e.limit.key}",
    LimitRemoved: lambda e: f"limit removed: {e.limit}",
}


@tells(*_ON_LETTER)
def _moment(story: Story, at: Recorded, event: Any) -> None:
    lane = story.lane_of.get(at.stream, "")
    if isinstance(event, (compensation.CompensationProposed, effect.EffectWithheld)):
        lane = story.lane_of[at.stream] = _lane_of_effect(event)
    kind: Kind = "operator" if at.actor.kind == "human" else "decision"
    story.moment(kind, lane, at, _ON_LETTER[type(event)](event), id=at.stream)


@tells(NoteWritten)
def _written(story: Story, at: Recorded, event: NoteWritten) -> None:
    about = f"on position {event.position}: " if event.position is not None else ""
    story.moment("note", story.lane_of.get(event.id, ""), at, f"{about}{event.text}", id=event.id)


@tells(run.NoteAdded, letter.DeadLetterNoted)
def _noted(story: Story, at: Recorded, event: run.NoteAdded | letter.DeadLetterNoted) -> None:
    story.moment("note", story.lane_of.get(at.stream, ""), at, event.text, id=at.stream)


def _lane_of_effect(event: Any) -> str:
    key = event.effect_key if isinstance(event, compensation.CompensationProposed) else event.request.key
    return str(event.node) if event.node else f"effect {key}"


@tells(effect.EffectIntended)
def _intended(story: Story, at: Recorded, event: effect.EffectIntended) -> None:
    lane = story.lane_of[at.stream] = _lane_of_effect(event)
    story.title = story.title or f"{event.automation} {lane}".strip()
    what = f"effect {event.request.key}, try {event.try_number}: {event.request.operation}"
    story.begin(("effect", at.stream), "effect", lane, at, what, number=event.try_number, id=at.stream)


@tells(effect.EffectSucceeded, effect.EffectFailed)
def _sent(story: Story, at: Recorded, event: effect.EffectSucceeded | effect.EffectFailed) -> None:
    failed = isinstance(event, effect.EffectFailed)
    outcome = "failed" if failed else "succeeded"
    more = {"cause": failure_text(event.failure)} if isinstance(event, effect.EffectFailed) else {}
    if ("effect", at.stream) not in story.open:  # a late report: its span ended when nobody knew
        lane = story.lane_of.get(at.stream, "")
        story.moment("decision", lane, at, f"a late report: the effect {outcome}", outcome=outcome, id=at.stream)
    story.end(("effect", at.stream), at, outcome, **more)
    if not failed:
        story.end(("doubt", at.stream), at, outcome)


@tells(effect.EffectOutcomeUnknown)
def _unknown(story: Story, at: Recorded, event: effect.EffectOutcomeUnknown) -> None:
    cause = failure_text(event.failure)
    story.end(("effect", at.stream), at, "unknown", cause=cause)
    lane = story.lane_of.get(at.stream, "")
    story.begin(("doubt", at.stream), "doubt", lane, at, "outcome of the effect unknown", cause=cause, id=at.stream)


@tells(effect.EffectReconciled)
def _reconciled(story: Story, at: Recorded, event: effect.EffectReconciled) -> None:
    if event.outcome != "still_unknown":
        story.end(("doubt", at.stream), at, event.outcome)
    kind: Kind = "operator" if event.by == "operator" else "decision"
    what = f"reconciled by the {event.by}: {plain(event.outcome)}"
    lane = story.lane_of.get(at.stream, "")
    story.moment(kind, lane, at, what, outcome=event.outcome, cause=event.why or None, id=at.stream)


@tells(compensation.CompensationStarted)
def _compensates(story: Story, at: Recorded, event: compensation.CompensationStarted) -> None:
    lane = story.lane_of.get(at.stream, "")
    key, what = ("undo", at.stream), f"compensation, try {event.epoch}"
    story.begin(key, "compensation", lane, at, what, number=event.epoch, cause=event.worker, id=at.stream)


@tells(compensation.CompensationCompleted, compensation.CompensationFailed)
def _compensated(story: Story, at: Recorded, event: Any) -> None:
    if isinstance(event, compensation.CompensationFailed):
        outcome = "unknown" if event.outcome_unknown else "failed"
        story.end(("undo", at.stream), at, outcome, cause=failure_text(event.failure))
    else:
        story.end(("undo", at.stream), at, "succeeded")
