"""The commands about compensations: chosen and approved by operators, run by a host's compensator under a lease."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from redrive.domain.compensation import rules
from redrive.domain.compensation.state import CompensationState, CompensationStatus
from redrive.domain.dead_letter.rules import link_compensation
from redrive.domain.effect.request import Receipt
from redrive.domain.effect.state import EffectStatus
from redrive.domain.errors import InFlight, NotAllowed, NotFound
from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, RunId, Tenant, compensation_id_of
from redrive.domain.ports import Transaction
from redrive.domain.run.holder import Holder
from redrive.processes.letters import LetterStanding, standing_of_letter


@dataclass(frozen=True, slots=True)
class CompensationStanding:
    """Where a compensation stands after a command."""

    id: CompensationId
    status: CompensationStatus
    effect_id: EffectId
    run_id: RunId | None


@dataclass(frozen=True, slots=True)
class CompensationTry:
    """What a compensator is handed: what to do, and for which effect. *request* is as the log keeps it, redacted.

    *compensation_id* is the same for every run of it: the idempotency key for the other side. Times are UTC ms.
    """

    tenant: Tenant
    compensation_id: CompensationId
    effect_id: EffectId
    effect_key: str
    operation: str
    target: str
    request: Any
    epoch: int
    worker: str
    expires_at_ms: int
    run_id: RunId | None
    node: str

    @property
    def idempotency_key(self) -> str:
        """What the other side should know the request by; the same for every try."""
        return self.compensation_id


Command = Callable[[Transaction], CompensationStanding]


def choosing(id_: DeadLetterId, run_id: RunId | None) -> Callable[[Transaction], LetterStanding]:
    """A command that settles a dead letter by its compensation. Raises NotFound, NotAllowed."""

    def choose(tx: Transaction) -> LetterStanding:
        dl = tx.dead_letter(id_)
        if run_id is not None and dl.run != run_id:
            raise NotFound("dead letter", id_)
        if dl.effect is None:
            why = "it is about a node; only the dead letter of an effect may have a compensation"
            raise NotAllowed("compensate", f"dead letter {id_}", why)
        found = tx.find_compensation(compensation_id_of(dl.tenant, dl.effect))
        if found is None:
            raise NotAllowed("compensate", f"dead letter {id_}", "its effect describes no compensation")
        linked = link_compensation(dl, tx.find_run(dl.run), found.id, tx.effect(found.effect))
        tx.append_compensation(found.id, dl, rules.choose(found, now_ms=tx.now_ms))
        return standing_of_letter(tx.append_dead_letter(id_, dl, linked))

    return choose


def approving(id_: CompensationId) -> Command:
    """A command that approves a compensation. Raises NotFound, NotAllowed; InFlight while its effect is being sent."""
    return _on(id_, lambda tx, found: _unless_sending(tx, found, rules.approve(found, now_ms=tx.now_ms)))


def running_again(id_: CompensationId) -> Command:
    """A command that has a failed compensation run again. Raises NotFound, NotAllowed; InFlight as approving."""
    return _on(id_, lambda tx, found: _unless_sending(tx, found, rules.run_again(found, now_ms=tx.now_ms)))


def cancelling(id_: CompensationId, why: str) -> Command:
    """A command that gives a compensation up. Raises NotFound, NotAllowed."""
    return _on(id_, lambda _tx, compensation: [rules.cancel(compensation, why)])


def starting(
    id_: CompensationId, worker: str, lease_ms: int, operations: Container[str], holder: Holder | None = None
) -> Callable[[Transaction], CompensationTry | None]:
    """A command that takes a compensation, when it is still to be run and the host knows its operation."""

    def start(tx: Transaction) -> CompensationTry | None:
        found = tx.find_compensation(id_)
        if found is None or found.status is not CompensationStatus.APPROVED or found.plan is None:
            return None
        if found.plan.operation not in operations:
            return None
        event = rules.start(found, worker=worker, holder=holder, lease_ms=lease_ms, now_ms=tx.now_ms)
        found = tx.append_compensation(id_, found, event)
        return _handed_out(found)

    return start


def completing(handed: CompensationTry, receipt: Receipt) -> Command:
    """A command that records that a compensation worked. Raises StaleEpoch, NotAllowed."""
    return _on(
        handed.compensation_id,
        lambda tx, compensation: rules.complete(compensation, handed.epoch, receipt, now_ms=tx.now_ms),
    )


def failing(handed: CompensationTry, failure: Failure, *, outcome_unknown: bool) -> Command:
    """A command that records that a compensation did not work, or that nobody knows. Raises StaleEpoch, NotAllowed."""

    def rule(tx: Transaction, compensation: CompensationState) -> list[Event]:
        return rules.fail(compensation, handed.epoch, failure, outcome_unknown=outcome_unknown, now_ms=tx.now_ms)

    return _on(handed.compensation_id, rule)


def expiring(id_: CompensationId, gone: Holder | None = None) -> Callable[[Transaction], bool]:
    """A command that fails a compensation whose lease has ended, or whose process *gone* is known to be gone; False
    when it may be alive."""

    def expire(tx: Transaction) -> bool:
        compensation = tx.compensation(id_)
        events = rules.expire(compensation, now_ms=tx.now_ms, gone=gone)
        tx.append_compensation(id_, compensation, *events)
        return bool(events)

    return expire


def _unless_sending(tx: Transaction, compensation: CompensationState, event: Event) -> list[Event]:
    """From now on the effect is barred: so it must not be on its way. Raises InFlight."""
    effect = tx.effect(compensation.effect)
    if effect.status is EffectStatus.INTENDED:
        raise InFlight(effect.id, effect.holder)
    return [event]


def _on(id_: CompensationId, rule: Callable[[Transaction, CompensationState], list[Event]]) -> Command:
    def command(tx: Transaction) -> CompensationStanding:
        compensation = tx.compensation(id_)
        compensation = tx.append_compensation(id_, compensation, *rule(tx, compensation))
        return CompensationStanding(id_, compensation.status, compensation.effect, compensation.run or None)

    return command


def _handed_out(compensation: CompensationState) -> CompensationTry:
    plan = compensation.plan
    assert plan is not None
    return CompensationTry(
        tenant=compensation.tenant,
        compensation_id=compensation.id,
        effect_id=compensation.effect,
        effect_key=compensation.effect_key,
        operation=plan.operation,
        target=plan.target,
        request=plan.request,
        epoch=compensation.epoch,
        worker=compensation.worker,
        expires_at_ms=compensation.due_ms,
        run_id=compensation.run or None,
        node=compensation.node,
    )
