"""Reconciliation: what is to be looked for when nobody knows what became of an effect, and what was found out."""

from collections.abc import Callable
from dataclasses import replace

from redrive.domain.effect import rules
from redrive.domain.effect.request import Receipt
from redrive.domain.effect.state import EffectStatus
from redrive.domain.errors import NotAllowed
from redrive.domain.identity import EffectId
from redrive.domain.ports import Transaction
from redrive.processes.effects import (
    EffectCall,
    EffectStanding,
    call_of,
    logged_call,
    standing_of_effect,
    subject_of,
    with_run,
)
from redrive.processes.letters import dead_letter_effect_success
from redrive.processes.wanted import WantedEffect


def looking(wanted: WantedEffect) -> Callable[[Transaction], EffectCall]:
    """A command that tells what a reconciler is to look for: what was really asked, also when the caller now asks for
    something else. Raises NotFound."""

    def look(tx: Transaction) -> EffectCall:
        effect = tx.effect(wanted.id)
        same = effect.request is not None and effect.request.digest == wanted.digest
        return replace(call_of(wanted, effect.tries), will_repeat=True) if same else logged_call(effect)

    return look


def looking_up(id_: EffectId) -> Callable[[Transaction], EffectCall]:
    """A command that tells what a reconciler is to look for, by the log. Raises NotFound, NotAllowed."""

    def look(tx: Transaction) -> EffectCall:
        effect = tx.effect(id_)
        if effect.status is not EffectStatus.UNKNOWN:
            raise NotAllowed("reconcile", f"effect {id_}", f"it is {effect.status}, not unknown")
        return logged_call(effect)

    return look


def reconciling(
    id_: EffectId, outcome: str, receipt: Receipt | None, why: str, *, by_operator: bool, try_number: int | None = None
) -> Callable[[Transaction], EffectStanding]:
    """A command that records what somebody found out about the unknown outcome of a try (None: of the last).

    Raises NotFound, NotAllowed, also when another try was begun while somebody looked into this one.
    """

    def reconcile(tx: Transaction) -> EffectStanding:
        effect, run, _ = with_run(tx, id_)
        event = rules.reconcile(
            effect, outcome, receipt, why, by_operator=by_operator, now_ms=tx.now_ms, try_number=try_number
        )
        effect = tx.append_effect(id_, subject_of(effect, run), event)
        if effect.status is EffectStatus.SUCCEEDED:
            dead_letter_effect_success(tx, subject_of(effect, run), effect)
        return standing_of_effect(effect)

    return reconcile
