"""Dead letters that open, recur and resolve in the transaction of the report that causes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from redrive.domain.compensation.rules import WAITING, cancel, propose
from redrive.domain.dead_letter.rules import (
    Grounds,
    grounds_of,
    open_dead_letter,
    open_effect_letter,
    recur,
    recur_on,
    succeed,
)
from redrive.domain.dead_letter.state import REDRIVING, DeadLetter, Disposition
from redrive.domain.effect.events import EffectDeadLetterLinked
from redrive.domain.effect.state import Effect, EffectStatus
from redrive.domain.failure import OUTCOME_UNKNOWN
from redrive.domain.identity import DeadLetterId, NodeId, RunId, compensation_id_of, dead_letter_id_of
from redrive.domain.ports import Subject, Transaction
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.retry_policy import RetryDecision, Verdict
from redrive.domain.run.events import DeadLetterLinked
from redrive.domain.run.state import Run, Status
from redrive.processes.admitted import failed_effects, failure_of, lose_intents
from redrive.projections.logs import log

DEFAULT_REDRIVE_POLICY = RedrivePolicy()
PolicyOf = Callable[[Run], RedrivePolicy]


@dataclass(frozen=True, slots=True)
class OnePolicy:
    """The same *policy* for every run."""

    policy: RedrivePolicy

    def __call__(self, _run: Run) -> RedrivePolicy:
        """The policy of a run."""
        return self.policy


@dataclass(frozen=True, slots=True)
class LetterStanding:
    """Where a dead letter stands after a command: *dispatches* are used, *granted* were added to the policy's
    budget, the next dispatch comes at *not_before_ms* at the earliest."""

    id: DeadLetterId
    run_id: RunId
    node: NodeId
    status: Disposition
    dispatches: int
    granted: int
    not_before_ms: int


def standing_of_letter(dl: DeadLetter) -> LetterStanding:
    """Where *dl* stands."""
    return LetterStanding(dl.id, dl.run, dl.node, dl.status, dl.dispatches, dl.granted, dl.not_before_ms)


def dead_letter_final_failures(
    tx: Transaction, run: Run, final: Mapping[NodeId, RetryDecision], policy_of: PolicyOf
) -> None:
    """Open a dead letter for each final failure, or record its recurrence: one for each effect that failed in the
    attempt, or else one for the node."""
    for node, decision in final.items():
        effects = failed_effects(tx, run, node, decision)
        for effect in effects:
            failure = decision.failure if _tells_more(decision, effect) else failure_of(effect)
            dead_letter_effect(tx, run, run, effect, grounds_of(run, decision, failure), policy_of)
        _dead_letter_node(tx, run, node, decision, policy_of, opens=not any(_ended(e, decision) for e in effects))
    dead_letter_unknown(tx, run, policy_of)


def dead_letter_unknown(tx: Transaction, run: Run, policy_of: PolicyOf) -> None:
    """Where the run has come to a stop, no attempt comes by itself that would find out about an effect whose outcome
    nobody knows: its dead letter, if it was being retried, waits for an operator again."""
    if not run.effect_letters or run.status not in (Status.FAILED, Status.BLOCKED):
        return
    for id_, letter in run.effect_letters.items():
        if not (tx.readable(id_) and tx.readable(letter)):
            continue
        effect = tx.effect(id_)
        if effect.status is not EffectStatus.UNKNOWN or effect.run != run.id:
            continue  # one of the tenant's may be in the hands of another run, which will find out
        if tx.dead_letter(letter).status in REDRIVING:
            node = run.nodes[effect.node]
            _dead_letter_bad(tx, run, effect, node.number, node.lifetime, policy_of)


def _ended(effect: Effect, decision: RetryDecision) -> bool:
    """Whether the attempt failed in this effect, not merely after one of an earlier attempt was lost."""
    return effect.lifetime == decision.lifetime or decision.failure.failure_class == OUTCOME_UNKNOWN


def _tells_more(decision: RetryDecision, effect: Effect) -> bool:
    """Whether the attempt ended because nobody knows of *effect*: then it says also what somebody found who asked."""
    return effect.status is EffectStatus.UNKNOWN and decision.failure.failure_class == OUTCOME_UNKNOWN


def _dead_letter_node(
    tx: Transaction, run: Run, node: NodeId, decision: RetryDecision, policy_of: PolicyOf, *, opens: bool
) -> None:
    """The node's own dead letter. When its effects got theirs, it only learns that its redrive was in vain."""
    id_ = run.dead_letters.get(node)
    if id_ is not None and not tx.readable(id_):  # a newer version's: left alone, and no reason to do the work again
        return
    if id_ is not None:
        dl = tx.dead_letter(id_)
        if opens or dl.status is Disposition.RETRYING:
            tx.append_dead_letter(id_, run, recur(dl, run, decision, _policy(tx, policy_of, run)))
    elif opens:
        id_ = dead_letter_id_of(run.tenant, run.id, node)
        tx.append_run(run, DeadLetterLinked(node=node, dead_letter=id_, effect=None))
        tx.append_dead_letter(id_, run, open_dead_letter(run, node, id_, decision))


def dead_letter_beside_success(
    tx: Transaction, run: Run, node: NodeId, number: int, lifetime: int, policy_of: PolicyOf
) -> None:
    """An effect that failed, in this attempt or in one before, gets its dead letter also when its node succeeded; one
    that was being retried waits for an operator again."""
    for effect in failed_effects(tx, run, node):
        letter = run.effect_letters.get(effect.id)
        if letter and effect.lifetime != lifetime and tx.dead_letter(letter).status not in REDRIVING:
            continue
        _dead_letter_bad(tx, run, effect, number, lifetime, policy_of)


def dead_letter_lost(tx: Transaction, run: Run, policy_of: PolicyOf, why: str) -> None:
    """The run is cancelled: what its running attempts were sending is unknown; that, and what was unknown before and
    would have been reconciled by the next attempt, waits for an operator."""
    for node, state in run.nodes.items():
        if not state.effects:
            continue
        if node in run.running:
            lose_intents(tx, run, node, state.lifetime, why)
        for effect in failed_effects(tx, run, node):
            if effect.status is EffectStatus.UNKNOWN and effect.id not in run.effect_letters:
                _dead_letter_bad(tx, run, effect, state.number, state.lifetime, policy_of)


def _dead_letter_bad(
    tx: Transaction, run: Run, effect: Effect, number: int, lifetime: int, policy_of: PolicyOf
) -> None:
    """The dead letter of an effect about which no policy decided: no attempt comes by itself that would do it."""
    failure = failure_of(effect)
    grounds = Grounds(failure, Verdict.NOT_RETRYABLE, number, lifetime, run.generation, tx.now_ms)
    dead_letter_effect(tx, run, run, effect, grounds, policy_of, ends=True)


def dead_letter_effect(
    tx: Transaction,
    run: Run | None,
    subject: Subject,
    effect: Effect,
    grounds: Grounds,
    policy_of: PolicyOf,
    *,
    ends: bool = False,
) -> None:
    """Open the dead letter of an effect, with the compensation that it described, or record a recurrence. *subject*
    is the run, or what stands for it outside runs; *ends*: whatever retry was asked for, none will come."""
    if run is None:
        id_ = dead_letter_id_of(effect.tenant, effect.run, effect.node, effect.id)
    else:
        id_ = run.effect_letters.get(effect.id) or _letter_id(run, effect)
    if not tx.readable(id_):
        return
    if (dl := tx.find_dead_letter(id_)) is not None:
        policy = DEFAULT_REDRIVE_POLICY if run is None else _policy(tx, policy_of, run)
        ends = ends or effect.status is EffectStatus.UNKNOWN
        tx.append_dead_letter(id_, subject, recur_on(dl, grounds, policy, ends=ends))
    else:
        if run is not None:
            tx.append_run(run, DeadLetterLinked(node=effect.node, dead_letter=id_, effect=effect.id))
        tx.append_effect(effect.id, subject, EffectDeadLetterLinked(dead_letter=id_))
        tx.append_dead_letter(id_, subject, open_effect_letter(effect, id_, run, grounds))
    _propose_compensation(tx, subject, effect, tx.dead_letter(id_).id)


def _letter_id(run: Run, effect: Effect) -> DeadLetterId:
    """By the effect's key; one of the tenant's may have the key of one of the node's."""
    assert effect.request is not None
    of_tenant = effect.request.scope == "tenant"
    return dead_letter_id_of(run.tenant, run.id, effect.node, effect.key, *(["tenant"] if of_tenant else []))


def _propose_compensation(tx: Transaction, subject: Subject, effect: Effect, dead_letter: DeadLetterId) -> None:
    assert effect.request is not None
    id_ = compensation_id_of(effect.tenant, effect.id)
    if effect.request.compensation is None or not tx.readable(id_):
        return
    if tx.find_compensation(id_) is None:
        tx.append_compensation(id_, subject, propose(effect, id_, dead_letter, now_ms=tx.now_ms))


def dead_letter_success(tx: Transaction, run: Run, node: NodeId, lifetime: int) -> None:
    """A node's success resolves its dead letter, or is noted on a settled one."""
    id_ = run.dead_letters.get(node)
    if id_ is not None and tx.readable(id_):
        tx.append_dead_letter(id_, run, *succeed(tx.dead_letter(id_), lifetime))


def dead_letter_effect_success(tx: Transaction, subject: Subject, effect: Effect) -> None:
    """An effect's success resolves its dead letters, and cancels the compensation that nobody has approved."""
    for id_ in effect.dead_letters:
        if tx.readable(id_):  # a newer version's dead letter does not keep a success from being recorded
            dl = tx.dead_letter(id_)
            tx.append_dead_letter(id_, dl, *succeed(dl, effect.lifetime))
    made_good = compensation_id_of(effect.tenant, effect.id)
    compensation = tx.find_compensation(made_good) if tx.readable(made_good) else None
    if compensation is not None and compensation.status in WAITING:
        tx.append_compensation(compensation.id, subject, cancel(compensation, "its effect succeeded"))


def effect_of(tx: Transaction, dl: DeadLetter) -> Effect | None:
    """The effect that a dead letter is about, if any."""
    return None if dl.effect is None else tx.find_effect(dl.effect)


def _policy(tx: Transaction, policy_of: PolicyOf, run: Run) -> RedrivePolicy:
    """The host's policy, logged; a report is recorded also when the host's function fails (the sweep then waits)."""
    try:
        policy = policy_of(run)
    except Exception:  # noqa: BLE001 - the host's function may raise anything
        log.exception("redrive_policy.failed", run=run.id, automation=run.automation)
        policy = DEFAULT_REDRIVE_POLICY
    tx.register_policy(run, "redrive", policy)
    return policy
