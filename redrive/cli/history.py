"""``redrive history``: everything that happened to a run, in the order of the log."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.events import EventLines
from redrive.cli.options import Command
from redrive.cli.pages import pages
from redrive.cli.past import past_too

if TYPE_CHECKING:
    from redrive.domain.identity import EffectId, RunId
    from redrive.history import HistoryEntry
    from redrive.tenant_queries import TenantQueries


@click.command(cls=Command)
@click.argument("id_", metavar="ID")
@click.option(
    "--text",
    "--search",
    "search",
    metavar="TEXT",
    help="Only events with all these words, or their beginnings.",
)
@past_too
@pass_session
def history(session: Session, id_: str, search: str | None) -> None:
    """Tell all that happened to a run, and why.

    Every event of the run, of its effects, dead letters and compensations, in the order of the log: when, what, who
    and why. ID may also be that of an effect: then what happened to that.

    --text looks into what was written down, not into the sentences printed here: automation and key; reason, class
    and node of failures; prompts, notes, what effects and compensations ask for, and the reasons of decisions.
    """
    from redrive.cli.ids import history_named

    acme, out = session.asked(), session.output
    found = history_named(acme, id_)
    lines, n = EventLines(out, acme.services.redactor), 0
    for entry in acme.whole_history(found) if search is None else _found(acme, found, search):
        lines.print(entry)
        n += 1
    if out.footing is not None and out.json:
        out.entry("footing", out.footing)
    if not n and not out.json:
        out.remark("No event of this history says that.")
        out.next((session.command("history", found[:8]), "all that happened"))


def _found(acme: "TenantQueries", id_: "RunId | EffectId", text: str) -> "Iterator[HistoryEntry]":
    """The matches, which come newest first, in the order of the log."""
    for page in reversed(list(pages(acme.history, id_, text=text))):
        yield from reversed(page)
