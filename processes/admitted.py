"""The effects that attempts of a run were admitted to send: what they came to, and those that have no outcome."""

from redrive.domain.effect import rules
from redrive.domain.effect.state import Effect, EffectStatus
from redrive.domain.errors import OutcomePending
from redrive.domain.failure import OUTCOME_UNKNOWN, Failure
from redrive.domain.identity import NodeId
from redrive.domain.ports import Transaction
from redrive.domain.retry_policy import RetryDecision
from redrive.domain.run.state import Run


def effects_of(tx: Transaction, run: Run, node: NodeId, lifetime: int | None = None) -> list[Effect]:
    """The effects whose last try belongs to this attempt (None: to any of the node). One that a newer version wrote to
    is left alone: it keeps the run from nothing."""
    admitted = run.nodes[node].effects if node in run.nodes else None
    wanted = [id_ for id_, of in (admitted or {}).items() if lifetime in (None, of)]
    found = [tx.effect(id_) for id_ in wanted if tx.readable(id_)]
    return [effect for effect in found if effect.run == run.id and effect.node == node]


def failed_effects(tx: Transaction, run: Run, node: NodeId, decision: RetryDecision | None = None) -> list[Effect]:
    """Those whose caller cares and that failed, or whose outcome nobody knows. With *decision*, what has a dead letter
    since an earlier attempt is left out, unless the attempt ended because it is unknown still."""
    found = [effect for effect in effects_of(tx, run, node) if effect.request and not effect.request.tolerate]
    bad = [effect for effect in found if effect.status in (EffectStatus.FAILED, EffectStatus.UNKNOWN)]
    return bad if decision is None else [effect for effect in bad if _concerns(effect, run, decision)]


def _concerns(effect: Effect, run: Run, decision: RetryDecision) -> bool:
    if effect.lifetime == decision.lifetime:
        return True
    if effect.status is not EffectStatus.UNKNOWN:
        return False
    return effect.id not in run.effect_letters or decision.failure.failure_class == OUTCOME_UNKNOWN


def failure_of(effect: Effect) -> Failure:
    """Why an effect is bad."""
    return effect.failure or Failure(OUTCOME_UNKNOWN, "the outcome of the effect is unknown")


def lose_intents(tx: Transaction, run: Run, node: NodeId, lifetime: int, why: str) -> None:
    """The attempt ends, or has ended: its effects without an outcome are unknown from now on."""
    for effect in effects_of(tx, run, node, lifetime):
        if effect.status is EffectStatus.INTENDED:
            tx.append_effect(effect.id, run, *rules.lose(effect, effect.tries, why, late=False, now_ms=tx.now_ms))


def require_outcomes(tx: Transaction, run: Run, node: NodeId, lifetime: int) -> None:
    """Raises OutcomePending while an effect of the attempt lacks an outcome."""
    for effect in effects_of(tx, run, node, lifetime):
        if effect.status is EffectStatus.INTENDED:
            raise OutcomePending(run.id, node, effect.id)
