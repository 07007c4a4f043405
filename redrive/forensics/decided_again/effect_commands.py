"""The commands about effects and compensations, as the log tells their inputs."""

from typing import Any

from redrive.domain.compensation import events as ce
from redrive.domain.compensation import rules as compensation_rules
from redrive.domain.compensation.state import CompensationStatus
from redrive.domain.effect import events as ee
from redrive.domain.effect import rules as effect_rules
from redrive.domain.effect.request import Receipt
from redrive.domain.event import Event, Recorded
from redrive.domain.identity import CompensationId, EffectId, RunId
from redrive.domain.ports import Transaction
from redrive.domain.run import events as e
from redrive.domain.run.attempts import AttemptId, require_current
from redrive.domain.run.state import Run
from redrive.forensics.decided_again.commands import Rule, by
from redrive.processes import compensations, effects, reconciliation
from redrive.processes.compensations import CompensationTry
from redrive.processes.letters import PolicyOf


@by(e.EffectAdmitted)
def _admitted(recorded: Recorded, event: e.EffectAdmitted, _policy_of: PolicyOf) -> Rule:
    def admit(tx: Transaction) -> None:
        run, effect = tx.run(RunId(recorded.stream)), tx.effect(event.effect)
        state = run.nodes[event.node]
        attempt = AttemptId(run.id, event.node, state.number, event.lifetime, event.epoch)
        require_current(run, attempt)
        tx.append_run(run, event.model_copy(update={"try_number": effect.tries}))

    return Rule("admit effect", admit)


@by(ee.EffectIntended)
def _intended(recorded: Recorded, event: ee.EffectIntended, _policy_of: PolicyOf) -> Rule:
    def intend(tx: Transaction) -> None:
        effect, run, attempt = _sender(tx, event)
        intent = effect_rules.intend(effect, event.effect, event.request, run, attempt, event.holder, now_ms=tx.now_ms)
        tx.append_effect(event.effect, run or effects.Outside(recorded.tenant, event.effect), intent)

    return Rule("intend effect", intend)


@by(ee.EffectWithheld)
def _withheld(recorded: Recorded, event: ee.EffectWithheld, _policy_of: PolicyOf) -> Rule:
    def withhold(tx: Transaction) -> None:
        effect, run, attempt = _sender(tx, event)
        told = effect_rules.withhold(effect, event.effect, event.request, run, attempt, event.why, now_ms=tx.now_ms)
        tx.append_effect(event.effect, run or effects.Outside(recorded.tenant, event.effect), told)

    return Rule("withhold effect", withhold)


def _sender(tx: Transaction, event: Any) -> tuple[Any, Run | None, AttemptId | None]:
    """The effect as it is, and the run and attempt that send it. Raises NotRunning, StaleEpoch, StaleAttempt."""
    if event.run is None:
        return tx.find_effect(event.effect), None, None
    run = tx.run(event.run)
    state = run.nodes[event.node]
    attempt = AttemptId(run.id, event.node, state.number, event.lifetime, getattr(event, "epoch", run.epoch))
    require_current(run, attempt)
    return tx.find_effect(event.effect), run, attempt


@by(ee.EffectSucceeded)
def _effect_succeeded(recorded: Recorded, event: ee.EffectSucceeded, _policy_of: PolicyOf) -> Rule:
    receipt = Receipt(event.receipt, event.receipt_digest)
    return Rule("effect succeeded", effects.succeeding(EffectId(recorded.stream), event.try_number, receipt))


@by(ee.EffectFailed)
def _effect_failed(recorded: Recorded, event: ee.EffectFailed, policy_of: PolicyOf) -> Rule:
    receipt = None if event.receipt_digest is None else Receipt(event.receipt, event.receipt_digest)
    id_ = EffectId(recorded.stream)
    return Rule("effect failed", effects.failing_effect(id_, event.try_number, event.failure, receipt, policy_of))


@by(ee.EffectOutcomeUnknown)
def _effect_lost(recorded: Recorded, event: ee.EffectOutcomeUnknown, policy_of: PolicyOf) -> Rule:
    id_ = EffectId(recorded.stream)

    def notice(tx: Transaction) -> None:
        effect = tx.effect(id_)
        subject = (tx.find_run(effect.run) if effect.run else None) or effects.Outside(recorded.tenant, id_)
        effects.as_of_now(tx, id_, subject, policy_of)

    noticed = event.late if recorded.payload else event.failure.reason.endswith(effects.ENDED_SILENTLY)
    if noticed:  # by whoever wanted it next
        return Rule("effect unknown", notice)
    return Rule("effect unknown", effects.losing(id_, event.try_number, event.failure.reason, policy_of))


@by(ee.EffectReconciled)
def _reconciled(recorded: Recorded, event: ee.EffectReconciled, _policy_of: PolicyOf) -> Rule:
    receipt = None if event.receipt_digest is None else Receipt(event.receipt, event.receipt_digest)
    command = reconciliation.reconciling(
        EffectId(recorded.stream), event.outcome, receipt, event.why, by_operator=event.by == "operator",
        try_number=event.try_number,
    )  # fmt: skip
    return Rule("reconcile", command)


@by(ce.CompensationApproved)
def _compensation_approved(recorded: Recorded, _event: Event, _policy_of: PolicyOf) -> Rule:
    id_ = CompensationId(recorded.stream)

    def approve(tx: Transaction) -> None:
        again = tx.compensation(id_).status is CompensationStatus.FAILED
        (compensations.running_again if again else compensations.approving)(id_)(tx)

    return Rule("approve compensation", approve)


@by(ce.CompensationStarted)
def _compensation_started(recorded: Recorded, event: ce.CompensationStarted, _policy_of: PolicyOf) -> Rule:
    id_ = CompensationId(recorded.stream)

    def start(tx: Transaction) -> CompensationTry | None:
        plan = tx.compensation(id_).plan
        operation = () if plan is None else (plan.operation,)
        return compensations.starting(id_, event.worker, event.lease_ms, operation, event.holder)(tx)

    return Rule("start compensation", start)


@by(ce.CompensationCompleted)
def _compensation_completed(recorded: Recorded, event: ce.CompensationCompleted, _policy_of: PolicyOf) -> Rule:
    receipt = Receipt(event.receipt, event.receipt_digest)
    id_ = CompensationId(recorded.stream)

    def complete(tx: Transaction) -> None:
        found = tx.compensation(id_)
        events = compensation_rules.complete(found, event.epoch, receipt, now_ms=tx.now_ms)
        tx.append_compensation(id_, found, *events)

    return Rule("complete compensation", complete)


@by(ce.CompensationFailed)
def _compensation_failed(recorded: Recorded, event: ce.CompensationFailed, _policy_of: PolicyOf) -> Rule:
    id_ = CompensationId(recorded.stream)

    def fail(tx: Transaction) -> None:
        found = tx.compensation(id_)
        if event.outcome_unknown and event.failure.kind in ("process_gone", "lease_expired"):
            gone = found.holder if event.failure.kind == "process_gone" else None
            events = compensation_rules.expire(found, now_ms=tx.now_ms, gone=gone)
        else:
            events = compensation_rules.fail(
                found, event.epoch, event.failure, outcome_unknown=event.outcome_unknown, now_ms=tx.now_ms
            )
        tx.append_compensation(id_, found, *events)

    return Rule("fail compensation", fail)


@by(ce.CompensationCancelled)
def _compensation_cancelled(recorded: Recorded, event: ce.CompensationCancelled, _policy_of: PolicyOf) -> Rule:
    return Rule("cancel compensation", compensations.cancelling(CompensationId(recorded.stream), event.why))
