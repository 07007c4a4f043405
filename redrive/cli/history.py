"""``redrive history``: everything that happened to a run, in the order of the log."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.events import EventLines
from redrive.cli.options import Command

if TYPE_CHECKING:
    from redrive.domain.identity import RunId
    from redrive.history import HistoryEntry
    from redrive.tenant_engine import TenantEngine


@click.command(cls=Command)
@click.argument("run")
@click.option("--search", metavar="TEXT", help="Only events that say all these words (or words that begin so).")
@pass_session
def history(session: Session, run: str, search: str | None) -> None:
    """Tell all that happened to a run, and why.

    Every event of the run and of its dead letters, in the order of the log: when, what, who and why.
    """
    from redrive.cli.ids import run_named

    acme, out = session.tenant_engine(), session.output
    id_ = run_named(acme, run)
    lines, n = EventLines(out, acme.services.redactor), 0
    for entry in acme.whole_history(id_) if search is None else _found(acme, id_, search):
        lines.print(entry)
        n += 1
    if not n and not out.json:
        out.remark("No event of this run says that.")
        out.next((session.command("history", id_[:8]), "all that happened"))


def _found(acme: "TenantEngine", id_: "RunId", text: str) -> "Iterator[HistoryEntry]":
    """The matches, which come newest first, in the order of the log."""
    pages, cursor = [], None
    while True:
        page = acme.history(id_, text=text, limit=1_000, cursor=cursor)
        pages.append(page.items)
        cursor = page.cursor
        if cursor is None:
            break
    for items in reversed(pages):
        yield from reversed(items)
