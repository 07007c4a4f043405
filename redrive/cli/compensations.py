"""``redrive compensations``: what makes good for effects, and the decisions about it."""

from typing import TYPE_CHECKING, Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.effect_tables import print_compensations
from redrive.cli.ids import compensation_named
from redrive.cli.letter_filters import asked
from redrive.cli.options import Command, Group, paged, reasoned
from redrive.cli.output import printable
from redrive.cli.past import past_too
from redrive.cli.times import Moment
from redrive.cli.words import COMPENSATION_STATUSES, Word

if TYPE_CHECKING:
    from redrive.projections.models import CompensationSummary

_STANDING = f"Only {', '.join(COMPENSATION_STATUSES)}; may be repeated."


@click.group(cls=Group)
def compensations() -> None:
    """See what makes good for effects, and decide about it.

    One is proposed when the dead letter of an effect opens that described it. `dead-letters compensate` chooses it,
    `approve` lets it run where approval is needed, `cancel` gives it up, `rerun` tries a failed one again.
    """


@compensations.command("list", cls=Command)
@click.option("--status", multiple=True, type=Word(*COMPENSATION_STATUSES), help=_STANDING)
@click.option("--run", help="Only those of this run.")
@click.option("--node", help="Only those of this node.")
@click.option("--automation", help="Only those of this automation.")
@click.option("--effect", help="Only those of this effect.")
@click.option("--operation", help="Only this operation.")
@click.option("--text", help="Only those in whose history these words stand.")
@click.option("--since", "since_ms", type=Moment(), help="Proposed since then: 2h (ago), or 2026-11-22T05:44Z.")
@click.option("--until", "until_ms", type=Moment(), help="Proposed before then.")
@paged
@past_too
@pass_session
def list_compensations(session: Session, /, limit: int, cursor: str | None, **filters: Any) -> None:
    """List compensations, the newest first."""
    acme, out = session.asked(), session.output
    page = acme.compensations(**asked(acme, filters), limit=limit, cursor=cursor)
    if out.json:
        out.items("compensations", page.items, page.cursor)
    elif not page.items:
        there_are = acme.counts().compensations
        out.remark("No compensation is like that." if there_are else "There are no compensations.")
        out.next((session.command("effects", "list"), "what was sent"))
    else:
        print_compensations(session, acme, page.items)
        session.tell_rest(len(page.items), "compensation", page.cursor)
        out.next((session.command("compensations", "show", page.items[0].id[:8]), "the first of them"))


@compensations.command("show", cls=Command)
@click.argument("id_", metavar="ID")
@past_too
@pass_session
def show_compensation(session: Session, id_: str) -> None:
    """Show a compensation with its history.

    ID is a whole id, or at least its first six characters.
    """
    from redrive.cli.show_effect import print_compensation

    acme = session.asked()
    print_compensation(session, acme, compensation_named(acme, id_))


@compensations.command("approve", cls=Command)
@click.argument("id_", metavar="ID")
@reasoned
@pass_session
def approve(session: Session, id_: str, actor: str, reason: str) -> None:
    """Let a compensation run that awaits approval."""
    _operate(session, "approve", id_, actor=actor, reason=reason)


@compensations.command("cancel", cls=Command)
@click.argument("id_", metavar="ID")
@reasoned
@pass_session
def cancel(session: Session, id_: str, actor: str, reason: str) -> None:
    """Give a compensation up that is not completed.

    One that runs is not stopped by it: its report is refused, and whether it happened is for you to find out. Its dead
    letter stays settled; `dead-letters reopen` puts that back.
    """
    _operate(session, "cancel", id_, actor=actor, reason=reason)


@compensations.command("rerun", cls=Command)
@click.argument("id_", metavar="ID")
@reasoned
@pass_session
def rerun(session: Session, id_: str, actor: str, reason: str) -> None:
    """Have a failed compensation run again.

    When its outcome is unknown it may have happened already: look first.
    """
    _operate(session, "rerun", id_, actor=actor, reason=reason)


_DONE = {"approve": "may run", "cancel": "is cancelled", "rerun": "may run again"}


def _operate(session: Session, verb: str, text: str, **said: Any) -> None:
    acme, out = session.tenant_engine(), session.output
    id_ = compensation_named(acme, text)
    getattr(acme, f"{verb}_compensation")(id_, **said)
    found: CompensationSummary = acme.show_compensation(id_)
    if out.json:
        names = found.model_dump(mode="json", exclude={"request", "receipt"})
        out.item("compensation-operation", {"command": verb, **names})
        return
    out.say(f"{id_[:8]} ({printable(found.operation, 60)} for {printable(found.effect_key, 60)}): {_DONE[verb]}")
    out.next(
        (session.command("compensations", "show", id_[:8]), "how it stands"),
        (session.command("show", found.effect_id[:8]), "the effect it makes good for"),
    )
