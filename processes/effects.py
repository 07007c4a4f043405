"""The outbox gate's commands: an intent that is durable before the call, and the outcome after it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from redrive.domain.compensation.rules import bars
from redrive.domain.dead_letter.rules import Grounds
from redrive.domain.effect import rules
from redrive.domain.effect.request import Compensation, EffectRequest, Receipt
from redrive.domain.effect.state import Effect, EffectStatus, withheld_failure
from redrive.domain.errors import Compensated, InFlight
from redrive.domain.event import Event
from redrive.domain.failure import OUTCOME_UNKNOWN, Failure
from redrive.domain.identity import EffectId, RunId, Tenant, compensation_id_of
from redrive.domain.ports import Policy, Subject, Transaction
from redrive.domain.redaction import Redactor
from redrive.domain.retry_policy import Verdict
from redrive.domain.run.attempts import require_current
from redrive.domain.run.events import EffectAdmitted
from redrive.domain.run.state import Run
from redrive.domain.values import JsonValue, clean_json, digest
from redrive.processes.letters import PolicyOf, dead_letter_effect, dead_letter_effect_success
from redrive.processes.reports import failing
from redrive.processes.wanted import WantedEffect

MAX_RECEIPT_BYTES = 262_144
MAX_SHOWN = 1_000
ENDED_SILENTLY = " ended without telling its outcome"


@dataclass(frozen=True, slots=True)
class EffectCall:
    """What a gate, a ``send`` or a reconciler is told. *effect_id* is the same for every try: the idempotency key for
    the other side. *request* is what the caller gave; for a reconciler that an operator asks, what the log has.
    *will_repeat*: if it did not happen, exactly this request will be sent again, so that a service that does nothing
    twice for one idempotency key may be asked again instead."""

    tenant: Tenant
    effect_id: EffectId
    key: str
    operation: str
    target: str
    request: Any
    try_number: int
    run_id: RunId | None = None
    node: str = ""
    will_repeat: bool = False

    @property
    def idempotency_key(self) -> str:
        """What the other side should know the request by; the same for every try."""
        return self.effect_id


@dataclass(frozen=True, slots=True)
class EffectStanding:
    """Where an effect stands after a command. *status* intended: send it now, as try *try_number*, and report.
    succeeded: *receipt* is the stored one, send nothing. unknown: reconcile it. withheld: *why*; the attempt failed.
    *run_id* is None outside runs."""

    id: EffectId
    status: EffectStatus
    try_number: int
    receipt: JsonValue = None
    why: str = ""
    holder: str = ""
    run_id: RunId | None = None


@dataclass(frozen=True, slots=True)
class Outside:
    """What an effect outside runs belongs to: itself."""

    tenant: Tenant
    correlation: str


def call_of(wanted: WantedEffect, try_number: int = 0) -> EffectCall:
    """What *wanted* is, for the host's functions."""
    attempt = wanted.attempt
    return EffectCall(
        tenant=wanted.tenant,
        effect_id=wanted.id,
        key=wanted.key,
        operation=wanted.operation,
        target=wanted.target,
        request=wanted.request,
        try_number=try_number,
        run_id=attempt.run_id if attempt else None,
        node=attempt.node if attempt else "",
    )


def logged_call(effect: Effect) -> EffectCall:
    """What an effect of the log is, for a reconciler: its request is redacted."""
    request = effect.request
    assert request is not None
    return EffectCall(
        tenant=effect.tenant,
        effect_id=effect.id,
        key=request.key,
        operation=request.operation,
        target=request.target,
        request=request.request,
        try_number=effect.tries,
        run_id=effect.run or None,
        node=effect.node,
    )


def standing_of_effect(effect: Effect) -> EffectStanding:
    """Where *effect* stands."""
    why = effect.failure.reason if effect.failure else ""
    return EffectStanding(
        effect.id, effect.status, effect.tries, effect.receipt, why, effect.holder, effect.run or None
    )


def receipt_of(value: Any, redactor: Redactor) -> Receipt:
    """What came back, as it is kept. It came back: whatever it is, it must not turn a success into anything else."""
    try:
        body = clean_json(value, "receipt", most=MAX_RECEIPT_BYTES)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a value of the host's may do anything when it is read
        body = {"unreadable": type(value).__name__, "why": _shown(error)}
    return Receipt(redactor.value(body), digest(body))


def _shown(error: BaseException) -> str:
    try:
        return str(error)[:MAX_SHOWN]
    except (Exception, SystemExit):  # noqa: BLE001 - it was raised by the value
        return type(error).__name__


def request_of(wanted: WantedEffect, redactor: Redactor) -> EffectRequest:
    """What is wanted, as the log keeps it."""
    plan = wanted.compensation
    return EffectRequest(
        key=wanted.key,
        scope=wanted.scope,
        operation=wanted.operation,
        target=redactor.text(wanted.target),
        request=redactor.value(wanted.request),
        digest=wanted.digest,
        tolerate=wanted.tolerate,
        compensation=None if plan is None else _redacted(plan, redactor),
    )


def beginning(
    wanted: WantedEffect, holder: str, withheld: str | None, redactor: Redactor, policy_of: PolicyOf, classifier: Policy
) -> Callable[[Transaction], EffectStanding]:
    """A command that admits an effect, or says why it need not or must not be sent. *withheld* is what the host's gate
    said; then the attempt fails in the same transaction.

    Raises NotRunning, StaleEpoch, StaleAttempt; InFlight, KeyReused, Compensated.
    """
    request = request_of(wanted, redactor)

    def begin(tx: Transaction) -> EffectStanding:
        attempt = wanted.attempt
        run = None if attempt is None else tx.run(attempt.run_id)
        if run is not None and attempt is not None:
            require_current(run, attempt)
        subject = run or Outside(wanted.tenant, wanted.id)
        effect = as_of_now(tx, wanted.id, subject, policy_of)
        if effect is not None:
            _require_not_compensated(tx, effect)
            if rules.is_done(effect, request) or effect.status is EffectStatus.UNKNOWN:
                return standing_of_effect(effect)
            if effect.status is EffectStatus.INTENDED:
                raise InFlight(effect.id, effect.holder)
        if withheld is not None:
            event = rules.withhold(effect, wanted.id, request, run, attempt, withheld, now_ms=tx.now_ms)
            effect = tx.append_effect(wanted.id, subject, event)
            if attempt is not None:
                failing(attempt, withheld_failure(withheld), policy_of, classifier)(tx)
            return standing_of_effect(effect)
        intent = rules.intend(effect, wanted.id, request, run, attempt, holder, now_ms=tx.now_ms)
        effect = tx.append_effect(wanted.id, subject, intent)
        if run is not None and attempt is not None:
            admitted = EffectAdmitted(
                node=attempt.node, lifetime=attempt.lifetime, epoch=attempt.epoch, effect=effect.id,
                try_number=effect.tries,
            )  # fmt: skip
            tx.append_run(run, admitted)
        return standing_of_effect(effect)

    return begin


def _require_not_compensated(tx: Transaction, effect: Effect) -> None:
    """What was made good for is not done again, and what was done does not stand. Raises Compensated."""
    if effect.request is None or effect.request.compensation is None:
        return
    found = tx.find_compensation(compensation_id_of(effect.tenant, effect.id))
    if found is not None and bars(found):
        raise Compensated(effect.id, found.id, found.status.replace("_", " "))


def succeeding(id_: EffectId, try_number: int, receipt: Receipt) -> Callable[[Transaction], EffectStanding]:
    """A command that records that an effect was done; never refused for being late. Raises NotFound, NotAllowed."""

    def succeed(tx: Transaction) -> EffectStanding:
        effect, run, late = with_run(tx, id_)
        was = effect.status
        events = rules.succeed(effect, try_number, receipt, late=late, now_ms=tx.now_ms)
        effect = tx.append_effect(id_, subject_of(effect, run), *events)
        if events and was is not EffectStatus.SUCCEEDED:
            dead_letter_effect_success(tx, subject_of(effect, run), effect)
        return standing_of_effect(effect)

    return succeed


def failing_effect(
    id_: EffectId, try_number: int, failure: Failure, receipt: Receipt | None, policy_of: PolicyOf
) -> Callable[[Transaction], EffectStanding]:
    """A command that records that an effect was not done. Raises NotFound, NotAllowed."""

    def fail(tx: Transaction) -> EffectStanding:
        effect, run, late = with_run(tx, id_)
        events = rules.fail(effect, try_number, failure, receipt, late=late, now_ms=tx.now_ms)
        return standing_of_effect(_ended_badly(tx, effect, run, events, policy_of))

    return fail


def losing(id_: EffectId, try_number: int, why: str, policy_of: PolicyOf) -> Callable[[Transaction], EffectStanding]:
    """A command that records that nobody knows what became of a try. Raises NotFound, NotAllowed."""

    def lose(tx: Transaction) -> EffectStanding:
        effect, run, late = with_run(tx, id_)
        events = rules.lose(effect, try_number, why, late=late, now_ms=tx.now_ms)
        return standing_of_effect(_ended_badly(tx, effect, run, events, policy_of))

    return lose


def expiring(id_: EffectId, policy_of: PolicyOf) -> Callable[[Transaction], bool]:
    """A command that gives up on an effect outside runs whose sender's lease has ended; False when it has not."""

    def expire(tx: Transaction) -> bool:
        effect = tx.effect(id_)
        if effect.status is not EffectStatus.INTENDED or effect.run or rules.is_live(effect, None, now_ms=tx.now_ms):
            return False
        losing(id_, effect.tries, "its sender's lease expired", policy_of)(tx)
        return True

    return expire


def _ended_badly(
    tx: Transaction, effect: Effect, run: Run | None, events: Sequence[Event], policy_of: PolicyOf
) -> Effect:
    """Record that a try failed or was lost. An older one says nothing about the effect: no dead letter then."""
    was = effect.status
    effect = tx.append_effect(effect.id, subject_of(effect, run), *events)
    if was is EffectStatus.INTENDED and effect.status is not EffectStatus.INTENDED:
        _dead_letter_outside(tx, effect, policy_of)
    return effect


def as_of_now(tx: Transaction, id_: EffectId, subject: Subject, policy_of: PolicyOf) -> Effect | None:
    """The effect; an intent whose holder is gone is unknown from now on."""
    effect = tx.find_effect(id_)
    if effect is None or effect.status is not EffectStatus.INTENDED:
        return effect
    run = tx.find_run(effect.run) if effect.run else None
    if not rules.is_live(effect, run, now_ms=tx.now_ms):
        why = f"{effect.holder}{ENDED_SILENTLY}"
        tx.append_effect(id_, subject, *rules.lose(effect, effect.tries, why, late=True, now_ms=tx.now_ms))
        _dead_letter_outside(tx, effect, policy_of)
    return effect


def with_run(tx: Transaction, id_: EffectId) -> tuple[Effect, Run | None, bool]:
    """An effect, the run of its last try, and whether that try has passed. Raises NotFound."""
    effect = tx.effect(id_)
    run = tx.find_run(effect.run) if effect.run else None
    return effect, run, rules.has_passed(effect, run)


def subject_of(effect: Effect, run: Run | None) -> Subject:
    """What its events belong to."""
    return run or effect


def _dead_letter_outside(tx: Transaction, effect: Effect, policy_of: PolicyOf) -> None:
    """Outside runs no attempt will end: the failure of the effect is the final decision."""
    if effect.run or effect.request is None or effect.request.tolerate:
        return
    failure = effect.failure or Failure(OUTCOME_UNKNOWN)
    grounds = Grounds(failure, Verdict.NOT_RETRYABLE, effect.tries, effect.tries, 0, tx.now_ms)
    dead_letter_effect(tx, None, effect, effect, grounds, policy_of)


def _redacted(plan: Compensation, redactor: Redactor) -> Compensation:
    return replace(plan, target=redactor.text(plan.target), request=redactor.value(plan.request))
