"""``redrive reconcile``: say what became of an effect whose outcome nobody knew."""

from collections import Counter
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command, reasoned
from redrive.cli.output import printable
from redrive.cli.words import OUTCOMES, Word

if TYPE_CHECKING:
    from redrive.domain.identity import EffectId
    from redrive.effect_detail import EffectDetail
    from redrive.tenant_engine import TenantEngine

_SAID = {
    "succeeded": "it was done",
    "failed": "it did not happen; it may be sent again",
    "unknown": "its outcome is still unknown",
}


@click.command(cls=Command)
@click.argument("effect")
@click.option(
    "--outcome",
    type=Word(*OUTCOMES),
    required=True,
    metavar="OUTCOME",
    help="What you found: succeeded, did-not-happen or still-unknown.",
)
@click.option("--receipt", metavar="JSON", help="What proves that it succeeded; kept redacted.")
@reasoned
@pass_session
def reconcile(session: Session, effect: str, outcome: str, receipt: str | None, actor: str, reason: str) -> None:
    """Say what became of an effect whose outcome is unknown.

    Look at the other side first: what you say here decides whether it is sent again. EFFECT is a whole id, or at
    least its first six characters.
    """
    from redrive.cli.ids import effect_named
    from redrive.cli.json_input import document

    if receipt is not None and outcome != "succeeded":
        raise click.UsageError("--receipt proves a success: it goes with --outcome succeeded only.")
    proof = document(receipt, "--receipt")
    acme, out = session.tenant_engine(), session.output
    id_ = effect_named(acme, effect)
    acme.reconcile_effect(id_, outcome, actor=actor, reason=reason, receipt=proof)
    found = acme.show_effect(id_)
    if out.json:
        details = {"request", "receipt", "sendings", "letters", "compensations"}
        head = {"command": "reconcile", "outcome": outcome}
        out.item("effect-reconciled", {**head, **found.model_dump(mode="json", exclude=details)})
        return
    said = f"{_SAID[found.status]}{_letters(found)}"
    out.say(f"{id_[:8]} ({printable(found.operation, 60)}, {printable(found.key, 60)}): {said}")
    out.next(*_next(session, acme, id_, found.status, found.run_id))


def _letters(found: "EffectDetail") -> str:
    """What stands about the dead letters of an effect that was done: some may be settled otherwise, and stay so."""
    counts = Counter(letter.status for letter in found.letters)
    if found.status != "succeeded" or not counts:
        return ""
    if counts.keys() == {"resolved"}:
        return "; its dead letters are resolved"
    return "; its dead letters: " + ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in counts.items())


def _next(
    session: Session, acme: "TenantEngine", id_: "EffectId", status: str, run: str | None
) -> list[tuple[str, str]]:
    shown = (session.command("effects", "show", id_[:8]), "how it stands")
    waiting = acme.dead_letters(effect=id_, active_only=True, limit=1).items
    if run is not None and status != "failed":
        return [(session.command("resume-plan", run[:8]), "how its run can go on"), shown]
    if not waiting or not waiting[0].run_id:
        return [shown]
    retry = ("dead-letters", "retry", waiting[0].id[:8], "--reason", "WHY")
    return [(session.command(*retry), "send it again, with the work around it"), shown]
