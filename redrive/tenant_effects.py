"""What one tenant does to the outside world: effects through the outbox gate, and compensations."""

import contextlib
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any, TypeVar

from redrive.domain.compensation.rules import DEFAULT_LEASE_MS as COMPENSATION_LEASE_MS
from redrive.domain.effect.request import Compensation, Scope
from redrive.domain.errors import StreamUnreadable
from redrive.domain.failure import Failure
from redrive.domain.identity import SYSTEM, CompensationId, DeadLetterId, EffectId, Principal, RunId, Tenant, human
from redrive.domain.ports import Caller, Transaction
from redrive.domain.run.claims import MAX_LEASE_MS, MIN_LEASE_MS
from redrive.domain.values import clean_integer, clean_name
from redrive.ledger.ledger import refuse_in_batch
from redrive.processes import compensations, effects, reconciliation
from redrive.processes.compensations import CompensationStanding, CompensationTry
from redrive.processes.compensator import kept_back
from redrive.processes.effects import EffectStanding, receipt_of
from redrive.processes.given import send_given
from redrive.processes.handlers import failure_raised
from redrive.processes.handout import Attempt
from redrive.processes.letters import LetterStanding
from redrive.processes.outbox import Outbox, Send, asked
from redrive.processes.services import Services, worker_principal
from redrive.processes.wanted import WantedEffect, wanted_effect
from redrive.tenant_queries import TenantQueries

if TYPE_CHECKING:
    from redrive.engine import Engine

T = TypeVar("T")
Actor = str | Principal


class TenantEffects(TenantQueries):
    """Commands about effects and compensations of one tenant."""

    def __init__(self, engine: "Engine", tenant: Tenant) -> None:
        super().__init__(engine.ledger, engine.views, tenant)
        self.engine: Engine = engine
        self.services: Services = engine.services
        self.outbox = Outbox(engine.services, engine.services.reconcilers)

    def effect(
        self,
        key: str,
        *,
        operation: str,
        send: Send,
        target: str = "",
        request: Any = None,
        tolerate: bool = False,
        compensation: Compensation | None = None,
        actor: Actor | None = None,
    ) -> Any:
        """Do something in the outside world, once, outside any run: returns the stored (redacted) receipt.

        *key* names it within the tenant. While it is being sent it is held for 5 minutes; after that its outcome is
        unknown. A failure opens its dead letter at once. For the rest see ``Attempt.effect``.

        Raises what *send* raised; AttemptError when the gate withholds it or its outcome stays unknown; InFlight,
        KeyReused, Compensated, PayloadDestroyed.
        """
        send_given(send)
        wanted, caller = self._wanted(key, actor, operation, target, request, tolerate, compensation)
        return self.outbox.perform(wanted, caller.actor.id, send, caller)

    def _wanted(
        self,
        key: str,
        actor: Actor | None,
        operation: str,
        target: str = "",
        request: Any = None,
        tolerate: bool = False,
        compensation: Compensation | None = None,
    ) -> tuple[WantedEffect, Caller]:
        """An effect outside runs, checked, and who wants it. Raises InvalidValue."""
        effect = wanted_effect(self.tenant, key, operation, target, request, tolerate, compensation, "tenant", None)
        return effect, self._caller(actor)

    def begin_effect(
        self,
        attempt: Attempt | None,
        key: str,
        *,
        operation: str,
        target: str = "",
        request: Any = None,
        tolerate: bool = False,
        compensation: Compensation | None = None,
        scope: Scope = "node",
        actor: Actor | None = None,
    ) -> EffectStanding:
        """The low-level form, for executors that send in their own way: pass the gate and record the intent.

        When the standing is "intended", send, and report ``effect_succeeded``, ``effect_failed`` or
        ``effect_unknown``; otherwise it says why nothing is to be sent. *attempt* is None outside runs.

        Raises NotRunning, StaleEpoch, StaleAttempt; InFlight, KeyReused, Compensated, PayloadDestroyed.
        """
        of = None if attempt is None else attempt.id
        wanted = wanted_effect(self.tenant, key, operation, target, request, tolerate, compensation, scope, of)
        caller = self._caller(actor) if attempt is None else Caller(self.tenant, worker_principal(attempt.worker))
        services = self.services
        withheld = asked(effects.call_of(wanted), services)
        return self.engine.ledger.transact(
            caller,
            effects.beginning(
                wanted, caller.actor.id, withheld, services.redactor, services.policy_of, services.classifier
            ),
        )

    def effect_succeeded(
        self, standing: EffectStanding, receipt: Any = None, *, actor: Actor | None = None
    ) -> EffectStanding:
        """Report that it was done; never refused for being late. The identical report again is a no-op. *actor* says
        who reports it outside runs; within one its worker does. Raises NotAllowed for a try that never was."""
        kept = receipt_of(receipt, self.services.redactor)
        return self._report(standing, actor, effects.succeeding(standing.id, standing.try_number, kept))

    def effect_failed(
        self,
        standing: EffectStanding,
        failure: Failure | BaseException,
        receipt: Any = None,
        *,
        actor: Actor | None = None,
    ) -> EffectStanding:
        """Report that it was not done: it never went out, or was rejected (with a *receipt*, perhaps). *actor* as for
        ``effect_succeeded``. Raises NotAllowed for a try that never was."""
        recorded = self.services.failure(failure_raised(failure))
        kept = None if receipt is None else receipt_of(receipt, self.services.redactor)
        command = effects.failing_effect(standing.id, standing.try_number, recorded, kept, self.services.policy_of)
        return self._report(standing, actor, command)

    def effect_unknown(self, standing: EffectStanding, reason: str, *, actor: Actor | None = None) -> EffectStanding:
        """Report that nobody knows whether it was done; it is never sent again before it was reconciled. *actor* as
        for ``effect_succeeded``. Raises NotAllowed for a try that never was."""
        why = self.services.reason(reason)
        command = effects.losing(standing.id, standing.try_number, why, self.services.policy_of)
        return self._report(standing, actor, command)

    def reconcile_effect(
        self,
        effect_id: EffectId,
        outcome: str | None = None,
        *,
        actor: Actor,
        reason: str,
        receipt: Any = None,
        try_number: int | None = None,
    ) -> EffectStanding:
        """Say what became of an effect whose outcome is unknown: "succeeded" (with its *receipt*) or
        "did_not_happen" (then it may be sent again), or "still_unknown"; without an *outcome*, the host's reconciler is
        asked. With *try_number*, it is refused when another try than that was begun meanwhile.

        Raises InvalidValue, NotFound, NotAllowed.
        """
        clean_name(effect_id, "effect_id")
        given = self.services.reason(reason)
        caller = Caller(self.tenant, human(actor), given)
        if outcome is None:
            return self.outbox.reconcile(effect_id, caller)
        chosen = outcome.strip().lower().replace("-", "_") if isinstance(outcome, str) else outcome
        kept = receipt_of(receipt, self.services.redactor)
        command = reconciliation.reconciling(effect_id, chosen, kept, given, by_operator=True, try_number=try_number)
        return self.engine.ledger.transact(caller, command)

    def compensate(
        self, dead_letter: DeadLetterId, *, actor: Actor, reason: str, run_id: RunId | None = None
    ) -> LetterStanding:
        """Settle the dead letter of an effect by the compensation that the effect described. Raises NotAllowed when it
        is settled or nothing was described, InFlight while the effect is being sent."""
        return self._operate(compensations.choosing(dead_letter, run_id), actor, reason)

    def approve_compensation(
        self, compensation_id: CompensationId, *, actor: Actor, reason: str
    ) -> CompensationStanding:
        """Let a compensation run that awaits approval; from now on its effect is barred. Raises NotAllowed for any
        other, InFlight while its effect is being sent."""
        return self._operate(compensations.approving(compensation_id), actor, reason)

    def cancel_compensation(
        self, compensation_id: CompensationId, *, actor: Actor, reason: str
    ) -> CompensationStanding:
        """Give a compensation up that is not completed; an approval is denied so. One that runs is not stopped by it:
        its report is refused, and whether it happened is for you to find out. Raises NotAllowed when it is final."""
        why = self.services.reason(reason)
        return self._operate(compensations.cancelling(compensation_id, why), actor, reason)

    def rerun_compensation(self, compensation_id: CompensationId, *, actor: Actor, reason: str) -> CompensationStanding:
        """Have a failed compensation run again, also when its outcome is unknown: look first. Raises NotAllowed for any
        other, InFlight while its effect is being sent."""
        return self._operate(compensations.running_again(compensation_id), actor, reason)

    def claim_compensation(
        self, *, worker: str, operations: Container[str], lease_ms: int = COMPENSATION_LEASE_MS
    ) -> CompensationTry | None:
        """The oldest approved compensation whose operation is one of *operations* and which the gate lets out, to be
        run within *lease_ms*; or None. What the gate withholds has failed. A ``Worker`` with compensators does this by
        itself. Raises InvalidValue within a batch: the gate is asked in between."""
        refuse_in_batch("claim_compensation")
        clean_integer(lease_ms, "lease_ms", MIN_LEASE_MS, MAX_LEASE_MS)
        worker = clean_name(worker, "worker")
        for id_, _ in self.engine.ledger.due_compensations(self.tenant, operations):
            command = compensations.starting(CompensationId(id_), worker, lease_ms, operations, self.services.holder)
            with contextlib.suppress(StreamUnreadable):  # it hides no other
                if (handed := self._as_worker(worker, command)) is None:
                    continue
                if (kept := kept_back(handed, self.services)) is None:
                    return handed
                self._as_worker(worker, kept)
        return None

    def complete_compensation(self, handed: CompensationTry, receipt: Any = None) -> CompensationStanding:
        """Report that a compensation worked. Raises StaleEpoch, NotAllowed."""
        kept = receipt_of(receipt, self.services.redactor)
        return self._as_worker(handed.worker, compensations.completing(handed, kept))

    def fail_compensation(
        self, handed: CompensationTry, failure: Failure | BaseException, *, outcome_unknown: bool = False
    ) -> CompensationStanding:
        """Report that a compensation did not work, or that nobody knows. Raises StaleEpoch, NotAllowed."""
        recorded = self.services.failure(failure_raised(failure))
        return self._as_worker(handed.worker, compensations.failing(handed, recorded, outcome_unknown=outcome_unknown))

    def _operate(self, command: Callable[[Transaction], T], actor: Actor, reason: str) -> T:
        return self._do(command, human(actor), self.services.reason(reason))  # None is refused: somebody decides

    def _do(
        self,
        command: Callable[[Transaction], T],
        actor: Actor | None,
        reason: str | None = None,
        subject: str | None = None,
    ) -> T:
        return self.engine.ledger.transact(self._caller(actor, reason, subject), command)

    def _caller(self, actor: Actor | None, reason: str | None = None, subject: str | None = None) -> Caller:
        return Caller(self.tenant, SYSTEM if actor is None else human(actor), reason, subject=subject)

    def _report(self, standing: EffectStanding, actor: Actor | None, command: Callable[[Transaction], T]) -> T:
        """Within a run its worker reports; outside runs the holder is an actor's id, and the caller says whose."""
        if standing.run_id is not None:
            return self._as_worker(standing.holder, command)
        return self._do(command, actor)

    def _as_worker(self, worker: str, command: Callable[[Transaction], T]) -> T:
        return self.engine.ledger.transact(Caller(self.tenant, worker_principal(worker)), command)
