"""Ways on with dead letters that failed alike: what would be refused for all of them is not offered."""

from typing import TYPE_CHECKING

from redrive.cli.context import Session

if TYPE_CHECKING:
    from redrive.projections.models import DeadLetterSummary
    from redrive.tenant_queries import TenantQueries

LOOKED_AT = 20
"""The newest dead letters of a group: what fits these fits most."""


def group_ways(session: Session, acme: "TenantQueries", fingerprint: str) -> list[tuple[str, str]]:
    """The commands that fit where the dead letters of a group stand."""
    same = ("--fingerprint", fingerprint)
    open_ = acme.dead_letters(fingerprint=fingerprint, status="open", limit=LOOKED_AT).items
    doubtful = next((letter for letter in open_ if is_doubtful(acme, letter)), None)
    steps = []
    if doubtful is not None:
        line = ("reconcile", str(doubtful.effect_id)[:8], "--outcome", "OUTCOME", "--reason", "WHY")
        steps.append((session.command(*line), "look at the other side, then say what became of the newest"))
    if any(letter.run_id and letter.source != "stateful_wait" and not is_doubtful(acme, letter) for letter in open_):
        steps.append((session.command("dead-letters", "retry", "--all", *same, "--reason", "WHY"), "do its work again"))
    elif asked := next((letter for letter in open_ if letter.source == "stateful_wait"), None):
        again = ("recover", asked.run_id[:8], "--reason", "WHY")
        steps.append((session.command(*again), "have the newest asked again"))
    if acme.dead_letters(fingerprint=fingerprint, status="parked", limit=1).items:
        grant = ("dead-letters", "grant", "--all", *same, "1", "--reason", "WHY")
        steps.append((session.command(*grant), "allow each that is parked one more"))
    return steps


def is_doubtful(acme: "TenantQueries", letter: "DeadLetterSummary") -> bool:
    """Whether nobody knows what became of its effect: it is never just sent again."""
    return letter.effect_id is not None and acme.show_effect(letter.effect_id).status == "unknown"
