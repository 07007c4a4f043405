"""Which command wrote an event, with which inputs: so that the ordinary code can be asked again.

Every command here is that of ``processes`` or a rule of ``domain``; its arguments are read from the log.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redrive.domain.compensation import events as ce
from redrive.domain.compensation import rules as compensation_rules
from redrive.domain.compensation.state import CompensationStatus
from redrive.domain.dead_letter import events as de
from redrive.domain.effect import events as ee
from redrive.domain.effect import rules as effect_rules
from redrive.domain.effect.request import Receipt
from redrive.domain.event import Event, Recorded
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, PolicyId, RunId, Tenant
from redrive.domain.ports import Transaction
from redrive.domain.records import FlowRegistered, LimitRemoved, LimitSet, PolicyRegistered
from redrive.domain.run import events as e
from redrive.domain.run import wait_events as w
from redrive.domain.run.attempts import AttemptId, require_current, start_attempt
from redrive.domain.run.claims import claim_run, release_claim, renew_lease
from redrive.domain.run.state import Run
from redrive.domain.run.stateful_waits import begin_ready
from redrive.domain.values import JsonValue
from redrive.processes import compensations, effects, intake, operations, reconciliation, reports, timers
from redrive.processes.compensations import CompensationTry
from redrive.processes.leases import reclaiming
from redrive.processes.letters import PolicyOf
from redrive.processes.sweep import redriving

Command = Callable[[Transaction], object]


class NoClassifier:
    """Stands for the classifier: which one classified a failure is part of the recorded failure."""

    id = PolicyId("")

    def document(self) -> JsonValue:
        """Nothing."""
        return None


@dataclass(frozen=True, slots=True)
class Rule:
    """A command that can be run again; *name* is what reports count it under."""

    name: str
    command: Command


@dataclass(frozen=True, slots=True)
class Given:
    """An event that no rule decides by recorded inputs alone, and why; it is taken as it is."""

    why: str


Making = Callable[[Recorded, Any, PolicyOf], Rule | Given]
_MAKING: dict[type[Event], Making] = {}
INPUT = Given("what somebody said, or set: an input")
REGISTERED = (FlowRegistered, PolicyRegistered)


def command_of(together: Sequence[Recorded], at: int, policy_of: PolicyOf) -> Rule | Given | None:
    """The command that wrote *together* from index *at* on; None: no command begins with that event."""
    recorded = together[at]
    last = together[-1]
    if at == 0 and last.event.__class__ is e.RunCancelled:  # what it loses comes first
        return Rule("cancel", operations.cancelling(RunId(last.stream), policy_of))
    if at == 0 and last.event.__class__ is de.DeadLetterLinkedToCompensation:
        return Rule("compensate", compensations.choosing(DeadLetterId(last.stream), None))
    making = _MAKING.get(recorded.event.__class__)
    return None if making is None else making(recorded, recorded.event, policy_of)


def _by(*classes: type[Event]) -> Callable[[Making], Making]:
    def register(making: Making) -> Making:
        for cls in classes:
            _MAKING[cls] = making
        return making

    return register


@_by(e.NoteAdded, de.DeadLetterNoted, LimitSet, LimitRemoved, *REGISTERED)
def _input(_recorded: Recorded, _event: Event, _policy_of: PolicyOf) -> Given:
    return INPUT


def attempt_of(run: str, event: Any) -> AttemptId:
    """The attempt that *event* of *run* is about."""
    return AttemptId(RunId(run), event.node, event.number, event.lifetime, event.epoch)


def on_run(run: str, rule: Callable[[Run, int], Sequence[Event]]) -> Command:
    """A command that appends to a run what *rule* makes of it and the time."""

    def command(tx: Transaction) -> None:
        found = tx.run(RunId(run))
        tx.append_run(found, *rule(found, tx.now_ms))

    return command


@_by(e.RunSubmitted)
def _submitted(recorded: Recorded, event: e.RunSubmitted, _policy_of: PolicyOf) -> Rule:
    return Rule("submit", submitting(recorded.tenant, event))


def submitting(tenant: Tenant, event: e.RunSubmitted) -> Command:
    """A run is submitted again: one with a key through intake; the id of one without was rolled."""

    def submit(tx: Any) -> None:
        flow = tx.flow(tenant, event.flow, event.automation)
        if event.key is not None:
            intake.submission(tenant, flow, event.automation, event.key, event.input)(tx)
            return
        run = tx.begin_run(tenant, flow, event, event.run)
        tx.append_run(run, *begin_ready(run, now_ms=tx.now_ms))

    return submit


@_by(e.RunClaimed)
def _claimed(recorded: Recorded, event: e.RunClaimed, _policy_of: PolicyOf) -> Rule:
    def rule(run: Run, now_ms: int) -> Sequence[Event]:
        return [
            claim_run(
                run, worker=event.worker, holder=event.holder, lease_ms=event.lease_ms, now_ms=now_ms,
                limits=event.limits,
            )
        ]  # fmt: skip

    return Rule("claim", on_run(recorded.stream, rule))


@_by(e.AttemptStarted)
def _started(recorded: Recorded, event: e.AttemptStarted, _policy_of: PolicyOf) -> Rule:
    def rule(run: Run, now_ms: int) -> Sequence[Event]:
        return [start_attempt(run, event.node, epoch=event.epoch, now_ms=now_ms, limits=event.limits)]

    return Rule("start", on_run(recorded.stream, rule))


@_by(e.LeaseRenewed)
def _renewed(recorded: Recorded, event: e.LeaseRenewed, _policy_of: PolicyOf) -> Rule:
    lease_ms = event.expires_at_ms - recorded.occurred_at_ms

    def rule(run: Run, now_ms: int) -> Sequence[Event]:
        return renew_lease(run, event.epoch, lease_ms=lease_ms, now_ms=now_ms)

    return Rule("renew", on_run(recorded.stream, rule))


@_by(e.ClaimReleased)
def _released(recorded: Recorded, event: e.ClaimReleased, _policy_of: PolicyOf) -> Rule:
    def rule(run: Run, now_ms: int) -> Sequence[Event]:
        return release_claim(run, event.epoch, now_ms=now_ms, no_handler=event.why == "no_handler")

    return Rule("release", on_run(recorded.stream, rule))


@_by(e.ClaimAbandoned)
def _abandoned(recorded: Recorded, event: e.ClaimAbandoned, policy_of: PolicyOf) -> Rule:
    def reclaim(tx: Transaction) -> None:
        claim = tx.run(RunId(recorded.stream)).claim
        gone = claim.holder if claim is not None and event.why == "process_gone" else None
        reclaiming(RunId(recorded.stream), policy_of, gone)(tx)

    return Rule("reclaim", reclaim)


@_by(e.AttemptSucceeded)
def _succeeded(recorded: Recorded, event: e.AttemptSucceeded, policy_of: PolicyOf) -> Rule:
    return Rule("complete", reports.completing(attempt_of(recorded.stream, event), event.output, policy_of))


@_by(e.AttemptFailed)
def _failed(recorded: Recorded, event: e.AttemptFailed, policy_of: PolicyOf) -> Rule:
    attempt = attempt_of(recorded.stream, event)
    return Rule("fail", reports.failing(attempt, event.decision.failure, policy_of, NoClassifier()))


@_by(e.AttemptSnoozed)
def _snoozed(recorded: Recorded, event: e.AttemptSnoozed, _policy_of: PolicyOf) -> Rule:
    return Rule("snooze", reports.snoozing(attempt_of(recorded.stream, event), event.delay_ms))


@_by(e.RunQueued)
def _queued(_recorded: Recorded, event: e.RunQueued, _policy_of: PolicyOf) -> Rule | Given:
    if event.limits:
        return Given("a run put in line: what the limits had room for is not in the log")
    return Given("a run queued by a rule that wrote nothing else")


@_by(e.RunRequeued)
def _requeued(recorded: Recorded, event: e.RunRequeued, policy_of: PolicyOf) -> Rule:
    if event.cause == "redrive":
        return Rule("sweep", redriving(RunId(recorded.stream), policy_of, recorded.engine))
    return Rule("recover", operations.recovering(RunId(recorded.stream), list(event.roots)))


@_by(e.RunPauseRequested)
def _pausing(recorded: Recorded, _event: Event, _policy_of: PolicyOf) -> Rule:
    return Rule("pause", operations.pausing(RunId(recorded.stream)))


@_by(e.RunResumed)
def _resuming(recorded: Recorded, _event: Event, _policy_of: PolicyOf) -> Rule:
    return Rule("resume", operations.resuming(RunId(recorded.stream)))


@_by(w.ApprovalGiven)
def _approving(recorded: Recorded, event: w.ApprovalGiven, _policy_of: PolicyOf) -> Rule:
    return Rule("approve", operations.approving(RunId(recorded.stream), event.node))


@_by(w.ApprovalDenied)
def _denying(recorded: Recorded, event: w.ApprovalDenied, _policy_of: PolicyOf) -> Rule:
    return Rule("deny", operations.denying(RunId(recorded.stream), event.node))


@_by(w.WaitEnded, w.ApprovalExpired)
def _ending(recorded: Recorded, _event: Event, policy_of: PolicyOf) -> Rule:
    return Rule("end wait", timers.ending(RunId(recorded.stream), policy_of))


@_by(e.EffectAdmitted)
def _admitted(recorded: Recorded, event: e.EffectAdmitted, _policy_of: PolicyOf) -> Rule:
    def admit(tx: Transaction) -> None:
        run, effect = tx.run(RunId(recorded.stream)), tx.effect(event.effect)
        state = run.nodes[event.node]
        attempt = AttemptId(run.id, event.node, state.number, event.lifetime, event.epoch)
        require_current(run, attempt)
        tx.append_run(run, event.model_copy(update={"try_number": effect.tries}))

    return Rule("admit effect", admit)


@_by(ee.EffectIntended)
def _intended(recorded: Recorded, event: ee.EffectIntended, _policy_of: PolicyOf) -> Rule:
    def intend(tx: Transaction) -> None:
        effect, run, attempt = _sender(tx, event, recorded)
        intent = effect_rules.intend(effect, event.effect, event.request, run, attempt, event.holder, now_ms=tx.now_ms)
        tx.append_effect(event.effect, run or effects.Outside(recorded.tenant, event.effect), intent)

    return Rule("intend effect", intend)


@_by(ee.EffectWithheld)
def _withheld(recorded: Recorded, event: ee.EffectWithheld, _policy_of: PolicyOf) -> Rule:
    def withhold(tx: Transaction) -> None:
        effect, run, attempt = _sender(tx, event, recorded)
        told = effect_rules.withhold(effect, event.effect, event.request, run, attempt, event.why, now_ms=tx.now_ms)
        tx.append_effect(event.effect, run or effects.Outside(recorded.tenant, event.effect), told)

    return Rule("withhold effect", withhold)


def _sender(tx: Transaction, event: Any, recorded: Recorded) -> tuple[Any, Run | None, AttemptId | None]:
    """The effect as it is, and the run and attempt that send it. Raises NotRunning, StaleEpoch, StaleAttempt."""
    if event.run is None:
        return tx.find_effect(event.effect), None, None
    run = tx.run(event.run)
    state = run.nodes[event.node]
    attempt = AttemptId(run.id, event.node, state.number, event.lifetime, getattr(event, "epoch", run.epoch))
    require_current(run, attempt)
    return tx.find_effect(event.effect), run, attempt


@_by(ee.EffectSucceeded)
def _effect_succeeded(recorded: Recorded, event: ee.EffectSucceeded, _policy_of: PolicyOf) -> Rule:
    receipt = Receipt(event.receipt, event.receipt_digest)
    return Rule("effect succeeded", effects.succeeding(EffectId(recorded.stream), event.try_number, receipt))


@_by(ee.EffectFailed)
def _effect_failed(recorded: Recorded, event: ee.EffectFailed, policy_of: PolicyOf) -> Rule:
    receipt = None if event.receipt_digest is None else Receipt(event.receipt, event.receipt_digest)
    id_ = EffectId(recorded.stream)
    return Rule("effect failed", effects.failing_effect(id_, event.try_number, event.failure, receipt, policy_of))


@_by(ee.EffectOutcomeUnknown)
def _effect_lost(recorded: Recorded, event: ee.EffectOutcomeUnknown, policy_of: PolicyOf) -> Rule:
    id_ = EffectId(recorded.stream)

    def notice(tx: Transaction) -> None:
        effect = tx.effect(id_)
        subject = (tx.find_run(effect.run) if effect.run else None) or effects.Outside(recorded.tenant, id_)
        effects.as_of_now(tx, id_, subject, policy_of)

    if event.failure.reason.endswith(effects.ENDED_SILENTLY):  # whoever wanted it next noticed
        return Rule("effect unknown", notice)
    return Rule("effect unknown", effects.losing(id_, event.try_number, event.failure.reason, policy_of))


@_by(ee.EffectReconciled)
def _reconciled(recorded: Recorded, event: ee.EffectReconciled, _policy_of: PolicyOf) -> Rule:
    receipt = None if event.receipt_digest is None else Receipt(event.receipt, event.receipt_digest)
    command = reconciliation.reconciling(
        EffectId(recorded.stream), event.outcome, receipt, event.why, by_operator=event.by == "operator",
        try_number=event.try_number,
    )  # fmt: skip
    return Rule("reconcile", command)


@_by(de.DeadLetterRetryRequested)
def _requested(recorded: Recorded, _event: Event, policy_of: PolicyOf) -> Rule:
    return Rule("request retry", operations.requesting_retry(DeadLetterId(recorded.stream), policy_of, None))


@_by(de.RetryBudgetGranted)
def _granted(recorded: Recorded, event: de.RetryBudgetGranted, _policy_of: PolicyOf) -> Rule:
    return Rule("grant retries", operations.granting_retries(DeadLetterId(recorded.stream), event.granted, None))


@_by(de.DeadLetterIgnored)
def _ignored(recorded: Recorded, _event: Event, _policy_of: PolicyOf) -> Rule:
    return Rule("ignore", operations.ignoring(DeadLetterId(recorded.stream), None))


@_by(de.DeadLetterAbandoned)
def _abandoning(recorded: Recorded, _event: Event, _policy_of: PolicyOf) -> Rule:
    return Rule("abandon", operations.abandoning(DeadLetterId(recorded.stream), None))


@_by(de.DeadLetterReopened)
def _reopened(recorded: Recorded, _event: Event, _policy_of: PolicyOf) -> Rule:
    return Rule("reopen", operations.reopening(DeadLetterId(recorded.stream), None))


@_by(de.DeadLetterResolved)
def _resolved(recorded: Recorded, event: de.DeadLetterResolved, policy_of: PolicyOf) -> Rule:
    if event.disposition == "resolved_by_operator":
        return Rule("resolve", operations.resolving(DeadLetterId(recorded.stream), None))
    return _swept(recorded, event, policy_of)


@_by(de.RetryExhausted, de.DeadLetterHeld)
def _swept(recorded: Recorded, _event: Event, policy_of: PolicyOf) -> Rule:
    def sweep(tx: Transaction) -> None:
        dl = tx.dead_letter(DeadLetterId(recorded.stream))
        redriving(dl.run, policy_of, recorded.engine)(tx)

    return Rule("sweep", sweep)


@_by(ce.CompensationApproved)
def _compensation_approved(recorded: Recorded, _event: Event, _policy_of: PolicyOf) -> Rule:
    id_ = CompensationId(recorded.stream)

    def approve(tx: Transaction) -> None:
        again = tx.compensation(id_).status is CompensationStatus.FAILED
        (compensations.running_again if again else compensations.approving)(id_)(tx)

    return Rule("approve compensation", approve)


@_by(ce.CompensationStarted)
def _compensation_started(recorded: Recorded, event: ce.CompensationStarted, _policy_of: PolicyOf) -> Rule:
    id_ = CompensationId(recorded.stream)

    def start(tx: Transaction) -> CompensationTry | None:
        plan = tx.compensation(id_).plan
        operation = () if plan is None else (plan.operation,)
        return compensations.starting(id_, event.worker, event.lease_ms, operation, event.holder)(tx)

    return Rule("start compensation", start)


@_by(ce.CompensationCompleted)
def _compensation_completed(recorded: Recorded, event: ce.CompensationCompleted, _policy_of: PolicyOf) -> Rule:
    receipt = Receipt(event.receipt, event.receipt_digest)
    id_ = CompensationId(recorded.stream)

    def complete(tx: Transaction) -> None:
        found = tx.compensation(id_)
        events = compensation_rules.complete(found, event.epoch, receipt, now_ms=tx.now_ms)
        tx.append_compensation(id_, found, *events)

    return Rule("complete compensation", complete)


@_by(ce.CompensationFailed)
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


@_by(ce.CompensationCancelled)
def _compensation_cancelled(recorded: Recorded, event: ce.CompensationCancelled, _policy_of: PolicyOf) -> Rule:
    return Rule("cancel compensation", compensations.cancelling(CompensationId(recorded.stream), event.why))
