"""``redrive effects``: what was done to the outside world, and what nobody knows about."""

from typing import TYPE_CHECKING, Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.effect_tables import print_effects
from redrive.cli.ids import effect_named
from redrive.cli.letter_filters import asked, given
from redrive.cli.options import Command, Group, paged
from redrive.cli.past import past_too
from redrive.cli.times import Moment
from redrive.cli.words import EFFECT_STATUSES, Word

if TYPE_CHECKING:
    from redrive.projections.models import EffectSummary
    from redrive.tenant_queries import TenantQueries

_STANDING = f"Only {', '.join(EFFECT_STATUSES)}; may be repeated."


@click.group(cls=Group)
def effects() -> None:
    """See what was sent to the outside world.

    An effect is intended before it is sent, and succeeded, failed, withheld or unknown afterwards. An unknown one is
    never sent again before the program's reconciler, or somebody with `redrive reconcile`, has said what became of it.
    """


@effects.command("list", cls=Command)
@click.option("--status", multiple=True, type=Word(*EFFECT_STATUSES), help=_STANDING)
@click.option("--run", help="Only those whose last try was in this run.")
@click.option("--node", help="Only those of this node.")
@click.option("--automation", help="Only those of this automation.")
@click.option("--key", help="Only those with exactly this key.")
@click.option("--operation", help="Only this operation.")
@click.option("--target", help="Only this target.")
@click.option("--class", "failure_class", help="Only failures of this class, such as outcome_unknown.")
@click.option("--text", help="Only those in whose history these words stand.")
@click.option("--since", "since_ms", type=Moment(), help="Begun since then: 2h (ago), or 2026-11-22T05:44Z.")
@click.option("--until", "until_ms", type=Moment(), help="Begun before then.")
@paged
@past_too
@pass_session
def list_effects(session: Session, /, limit: int, cursor: str | None, **filters: Any) -> None:
    """List effects, the newest first."""
    acme, out = session.asked(), session.output
    page = acme.effects(**asked(acme, filters), limit=limit, cursor=cursor)
    if out.json:
        out.items("effects", page.items, page.cursor)
    elif not page.items:
        _tell_none(session, acme, filtered=bool(given(filters)))
    else:
        print_effects(session, acme, page.items)
        session.tell_rest(len(page.items), "effect", page.cursor)
        out.next(*_next(session, page.items))


@effects.command("show", cls=Command)
@click.argument("id_", metavar="ID")
@past_too
@pass_session
def show_effect(session: Session, id_: str) -> None:
    """Show an effect with every try of it.

    ID is a whole id, or at least its first six characters.
    """
    from redrive.cli.show_effect import print_effect

    acme = session.asked()
    print_effect(session, acme, effect_named(acme, id_))


def _next(session: Session, found: "tuple[EffectSummary, ...]") -> list[tuple[str, str]]:
    unknown = next((one for one in found if one.status == "unknown"), None)
    shown = (unknown or found[0]).id[:8]
    steps = [(session.command("effects", "show", shown), "what was sent, and what came back")]
    if unknown is not None:
        line = ("reconcile", shown, "--outcome", "OUTCOME", "--reason", "WHY")
        steps.append((session.command(*line), "once you know what became of it"))
    return steps


def _tell_none(session: Session, acme: "TenantQueries", *, filtered: bool) -> None:
    counts = acme.counts().effects
    if filtered and counts:
        standing = ", ".join(f"{n} {status}" for status, n in counts.items())
        session.output.remark(f"No effect is like that; there are {standing}.")
        session.output.next((session.command("effects", "list"), "all of them"))
    else:
        session.output.remark("There are no effects.")
        session.output.next((session.command("runs"), "the runs"))
