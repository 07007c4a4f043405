"""The operator of the soak test: decides about whatever the engine leaves to a person."""

import time
from collections import Counter
from collections.abc import Callable

import redrive
from redrive.demo.service import Service
from redrive.domain.effect.state import EffectStatus
from redrive.domain.ports import Caller
from redrive.projections.models import DeadLetterSummary

NAME = "soak"
PATIENCE_MS = 2_000  # a request whose sender was killed may still be on its way to the shop


class Operator:
    """Looks at what is open, asks the shop about what is unknown, and has the rest done again."""

    def __init__(self, tenant: redrive.TenantEngine, service: Service) -> None:
        self._tenant, self._service = tenant, service
        self.decided: Counter[str] = Counter()

    def look(self) -> None:
        """Decide about every dead letter that waits, and recover runs whose dead letters are settled."""
        now_ms = time.time() * 1000
        for letter in self._tenant.dead_letters(status=["open", "parked"], limit=200).items:
            if now_ms - letter.last_failure_at_ms >= PATIENCE_MS:
                self._decide(letter)
        for run in self._tenant.runs(status=["failed", "blocked"], limit=200).items:
            if run.open_letters == 0:
                self._recover(run.run_id)

    def _recover(self, run_id: redrive.RunId) -> None:
        self._try("recover", lambda: self._tenant.recover(run_id, actor=NAME, reason="go on"))

    def _decide(self, letter: DeadLetterSummary) -> None:
        run = self._tenant.engine.ledger.run_state(self._tenant.tenant, letter.run_id)
        effect = next((id_ for id_, of in run.effect_letters.items() if of == letter.id), None)
        if effect is not None and self._is_unknown(effect):
            self._reconcile(effect)
        elif letter.status == "parked":
            self._try("grant", lambda: self._tenant.grant_retries(letter.id, 3, actor=NAME, reason="once more"))
        else:
            self._try("retry", lambda: self._tenant.request_retry(letter.id, actor=NAME, reason="once more"))

    def _is_unknown(self, effect: redrive.EffectId) -> bool:
        ledger, caller = self._tenant.engine.ledger, Caller(self._tenant.tenant)
        return ledger.transact(caller, lambda tx: tx.effect(effect).status is EffectStatus.UNKNOWN)

    def _reconcile(self, effect: redrive.EffectId) -> None:
        receipt = self._service.done.get(effect)
        outcome = "did_not_happen" if receipt is None else "succeeded"

        def say() -> object:
            return self._tenant.reconcile_effect(effect, outcome, actor=NAME, reason="looked", receipt=receipt)

        self._try("reconcile", say)

    def _try(self, name: str, command: Callable[[], object]) -> None:
        """A refusal means that somebody else was faster."""
        try:
            command()
        except (redrive.Refused, redrive.NotFound, redrive.Conflict):
            name = "refused"
        self.decided[name] += 1
