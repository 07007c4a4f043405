"""A plant whose workers also act on the outside world, at random: effects, reconciling, compensations."""

from collections.abc import Callable
from functools import partial
from typing import Any

from redrive.domain.compensation.state import CompensationState
from redrive.domain.effect.request import Compensation, Receipt
from redrive.domain.effect.state import Effect
from redrive.domain.errors import NotFound, Refused
from redrive.domain.failure import OUTBOX_SEND, OUTCOME_UNKNOWN, Failure
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, Tenant, compensation_id_of
from redrive.domain.ports import Transaction
from redrive.domain.redaction import Redactor
from redrive.processes import compensations, effects, reconciliation
from redrive.processes.compensations import CompensationTry
from redrive.processes.effects import EffectStanding
from redrive.processes.handout import Attempt
from redrive.processes.wanted import WantedEffect, wanted_effect
from tests.projections.plant import ACME, CLASSIFIER, GLOBEX, Plant, default_policy_of

RECEIPT = Receipt({"id": "ch_1"}, "d" * 64)
DECLINED = Failure(OUTBOX_SEND, "card declined")
UNDO = (None, Compensation("refund", "bank", {"all": True}), Compensation("apologise", requires_approval=False))


class EffectPlant(Plant):
    """*sent* are the tries that were begun, *handed* the compensations that run."""

    sent: list[tuple[Tenant, EffectStanding]]
    handed: list[tuple[Tenant, CompensationTry]]
    effects: dict[EffectId, Tenant]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sent, self.handed, self.effects = [], [], {}

    def begin(
        self, key: str, attempt: Attempt | None = None, tenant: Tenant = ACME, withheld: str | None = None, **more: Any
    ) -> EffectStanding:
        """Record the intent of an effect, or that the gate withheld it."""
        wanted = self._wanted(key, attempt, tenant, **more)
        self.effects[wanted.id] = tenant
        command = effects.beginning(wanted, "w", withheld, Redactor(), default_policy_of, CLASSIFIER)
        standing = self.do(command, tenant)
        if standing.status == "intended":
            self.sent.append((tenant, standing))
        return standing

    def _wanted(self, key: str, attempt: Attempt | None, tenant: Tenant, **more: Any) -> WantedEffect:
        given: dict[str, Any] = {"operation": "POST /pay", "target": "bank", "request": {"n": 1}, "tolerate": False}
        given |= {"compensation": UNDO[1], "scope": "node", "attempt": attempt.id if attempt else None} | more
        return wanted_effect(tenant, key, **given)

    def unknown(self, key: str, tenant: Tenant = ACME, **more: Any) -> EffectId:
        """An effect outside runs whose outcome nobody knows; its dead letter is open."""
        standing = self.begin(key, None, tenant, **more)
        self.do(effects.losing(standing.id, standing.try_number, "the bank hung up", default_policy_of), tenant)
        return standing.id

    def declined(self, attempt: Attempt, key: str = "inv-1", **more: Any) -> EffectId:
        """An effect of *attempt* that was rejected, and with it the attempt."""
        standing = self.begin(key, attempt, attempt.tenant, **more)
        command = effects.failing_effect(standing.id, standing.try_number, DECLINED, None, default_policy_of)
        self.do(command, attempt.tenant)
        self.fail(attempt, DECLINED)
        return standing.id

    def live(self, steps: int) -> None:
        """Do *steps* things at random, every other one about an effect or a compensation."""
        acts: list[Callable[[], object]] = [self._begin, self._begin, self._outcome, self._outcome, self._reconcile]
        acts += [self._choose, self._decide, self._decide, self._take, self._finish, self._expire]
        for _ in range(steps // 2):
            super().live(1)
            try:
                self.dice.choice(acts)()
            except (Refused, NotFound):
                self.now += 1

    def _begin(self) -> None:
        key, withheld = f"k{self.dice.randrange(4)}", self.dice.choice((None, None, None, "not on Sundays"))
        more = {"tolerate": self.dice.random() < 0.2, "compensation": self.dice.choice(UNDO)}
        if self.attempts and self.dice.random() < 0.8:
            tenant, attempt = self.dice.choice(self.attempts)
            self.begin(key, attempt, tenant, withheld, scope=self.dice.choice(("node", "tenant")), **more)
        else:
            self.begin(key, None, self.dice.choice((ACME, GLOBEX)), withheld, **more)

    def _outcome(self) -> None:
        if not self.sent:
            return
        tenant, standing = self.dice.choice(self.sent)
        tried = (standing.id, standing.try_number)
        commands = (
            effects.succeeding(*tried, RECEIPT),
            effects.failing_effect(*tried, DECLINED, RECEIPT, default_policy_of),
            effects.losing(*tried, "the bank hung up", default_policy_of),
            effects.expiring(standing.id, default_policy_of),
        )
        self.do(self.dice.choice(commands), tenant)

    def _reconcile(self) -> None:
        for id_, tenant in self.effects.items():
            if self.effect(id_).status == "unknown" and self.dice.random() < 0.4:
                outcome = self.dice.choice(("succeeded", "did_not_happen", "still_unknown"))
                command = reconciliation.reconciling(id_, outcome, RECEIPT, "asked the bank", by_operator=True)
                self.do(command, tenant, "asked the bank")

    def _choose(self) -> None:
        for id_, tenant in self.effects.items():
            for letter in self.effect(id_).dead_letters:
                if self.dice.random() < 0.3:
                    self.do(compensations.choosing(DeadLetterId(letter), None), tenant, "make good for it")

    def _decide(self) -> None:
        for tenant, id_ in self.compensations():
            commands = (compensations.approving(id_), compensations.running_again(id_))
            command = self.dice.choice((*commands, *commands, compensations.cancelling(id_, "too late")))
            if self.dice.random() < 0.5:
                self.do(command, tenant, "so be it")

    def _take(self) -> None:
        for tenant, id_ in self.compensations():
            handed = self.do(compensations.starting(id_, "w", 5_000, {"refund", "apologise"}), tenant)
            self.handed += [(tenant, handed)] if handed else []

    def _finish(self) -> None:
        if self.handed:
            tenant, handed = self.handed.pop()
            failure = Failure(OUTCOME_UNKNOWN, "the bank hung up")
            commands = (
                compensations.completing(handed, RECEIPT),
                compensations.failing(handed, failure, outcome_unknown=self.dice.random() < 0.5),
            )
            self.do(self.dice.choice(commands), tenant)

    def _expire(self) -> None:
        for tenant, id_ in self.compensations():
            self.do(compensations.expiring(id_), tenant)

    def compensations(self) -> list[tuple[Tenant, CompensationId]]:
        """Those that were proposed."""
        found = [(tenant, compensation_id_of(tenant, id_)) for id_, tenant in self.effects.items()]
        return [(tenant, id_) for tenant, id_ in found if self.do(partial(_find_compensation, id_), None)]

    def effect(self, id_: EffectId) -> Effect:
        """An effect as its aggregate has it; one that was refused from the start has no tries."""
        return self.do(lambda tx: tx.find_effect(id_), None) or Effect()

    def compensation(self, id_: CompensationId) -> CompensationState:
        """A compensation as its aggregate has it."""
        return self.do(lambda tx: tx.compensation(id_), None)


def _find_compensation(id_: CompensationId, tx: Transaction) -> CompensationState | None:
    return tx.find_compensation(id_)
