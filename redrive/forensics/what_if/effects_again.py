"""Effects in another course of a run: sent by the ordinary commands, on paper, by the attempts of that course."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from redrive.domain.effect import events as ee
from redrive.domain.effect.request import Receipt
from redrive.domain.effect.state import Effect
from redrive.domain.event import Event, Recorded
from redrive.domain.identity import SYSTEM, EffectId, EventId, StreamId
from redrive.domain.run import events as e
from redrive.domain.run.attempts import AttemptId
from redrive.domain.values import digest
from redrive.forensics.decided_again.commands import Given, command_of
from redrive.processes import effects

if TYPE_CHECKING:
    from redrive.forensics.what_if.course import Play

_NOBODY_KNOWS = Receipt(None, digest(None))


def send_again(play: "Play", recorded: Recorded, attempt: AttemptId) -> None:
    """What happened to an effect in a recorded attempt, as it would have in *attempt* of this course."""
    event, effect = recorded.event, _effect(play, recorded.stream)
    if isinstance(event, ee.EffectIntended):
        if effect is None or effect.lifetime != attempt.lifetime:  # else it was sent before the histories part
            _intend(play, recorded.stream, event, attempt)
    elif effect is not None and (isinstance(event, ee.EffectReconciled) or effect.lifetime == attempt.lifetime):
        assert isinstance(event, Event)
        _write(play, recorded.stream, event.model_copy(update={"try_number": effect.tries}))


def send_what_failed(play: "Play", attempt: AttemptId, intents: Mapping[str, ee.EffectIntended]) -> None:
    """An attempt that nobody made, and that succeeds, has sent what had failed before: else its node would not have
    succeeded. Nobody knows the receipts."""
    for stream in list(play.streams):
        effect, intent = _effect(play, stream), intents.get(stream)
        if effect is None or intent is None or effect.node != attempt.node:
            continue
        if _intend(play, stream, intent, attempt) and (sent := _effect(play, stream)) is not None:
            play.do(effects.succeeding(EffectId(stream), sent.tries, _NOBODY_KNOWS))


def _effect(play: "Play", stream: str) -> Effect | None:
    known = play.streams.get(stream)
    return known.state if known is not None and isinstance(known.state, Effect) else None


def _intend(play: "Play", stream: str, event: ee.EffectIntended, attempt: AttemptId) -> bool:
    names = {"lifetime": attempt.lifetime, "epoch": attempt.epoch}
    if not _write(play, stream, event.model_copy(update=names)):
        return False
    admitted = e.EffectAdmitted(node=attempt.node, effect=event.effect, try_number=0, **names)
    return _write(play, attempt.run_id, admitted)


def _write(play: "Play", stream: str, event: Event) -> bool:
    """Write *event* by the command that writes such events; whether it was not refused."""
    run = play.run
    recorded = Recorded(
        StreamId(stream), 0, event, EventId(""), play.now, run.tenant, run.id, SYSTEM, engine=play.engine
    )  # fmt: skip
    rule = command_of([recorded], 0, play.policy_of)
    return rule is not None and not isinstance(rule, Given) and play.do(rule.command)
