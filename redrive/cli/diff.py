"""``redrive diff``: what changed in the views between two positions, and which events did it."""

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command
from redrive.cli.output import printable
from redrive.cli.reporting import metered, tell_end
from redrive.cli.times import absolute, dated
from redrive.cli.words import Word

if TYPE_CHECKING:
    from redrive.forensics.diff import ColumnChange, RowChange

TABLES = (
    *("runs", "backoffs", "approvals", "flows", "dead_letters", "effects", "compensations"),
    *("texts", "mentions", "counts", "unknown_events"),
)
_BOOKKEEPING = frozenset({"updated", "updated_at_ms", "succeeded_bits"})
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
MOST_CHARS = 80


@click.command(cls=Command)
@click.argument("start", metavar="P1")
@click.argument("end", metavar="[P2]", default="now")
@click.option(
    "--table", "tables", multiple=True, type=Word(*TABLES), help=f"Only {', '.join(TABLES)}; may be repeated."
)
@click.option("--run", help="Only rows of this run, given its whole id.")
@click.option("--limit", type=int, default=100, show_default=True, help="At most this many rows, up to 100,000.")
@click.option("--all-columns", is_flag=True, help="Also columns that only count and bookkeep.")
@pass_session
def diff(
    session: Session, start: str, end: str, tables: tuple[str, ...], run: str | None, limit: int, all_columns: bool
) -> None:
    """Tell which rows of the views differ between two positions.

    Each comes with the event that changed it last. P1 and P2 are pos:N, time:T (ISO 8601 with a zone, or ms),
    cp:HASH, now, or the id of an event; P2 is now unless given. Of every tenant, unless --tenant names one.
    """
    engine, out = session.engine(), session.output
    with metered() as progress:
        found = engine.diff(
            start, end, tables=tables or None, tenant=session.tenant, run=run, limit=limit, progress=progress,
            checkpoint_events=session.settings.checkpoint_events,
        )  # fmt: skip
    if out.json:
        out.item("diff", found)
        return
    for table, changes in groupby(found.changes, key=attrgetter("table")):
        out.say(table)
        for change in changes:
            _print_change(session, change, all_columns=all_columns)
    if not found.total:
        out.remark(f"Nothing differs between {found.start} and {found.end}.")
    elif found.total > len(found.changes):
        out.remark(f"{len(found.changes)} of {found.total} rows shown: --limit, --table and --run choose others.")
    tell_end(session, found.footing, found.start, found.end)


def _print_change(session: Session, change: "RowChange", *, all_columns: bool) -> None:
    out, event = session.output, change.event
    key = " ".join(printable(part, MOST_CHARS) for part in change.key)
    out.say(f"  {_SIGNS[change.change]} {key}")
    telling = [column for column in change.columns if all_columns or column.column not in _BOOKKEEPING]
    for column in telling:
        if (line := _line(change.change, column, all_columns=all_columns)) is not None:
            out.say(f"      {line}")
    why = f": {printable(event.reason, MOST_CHARS)}" if event.reason else ""
    who = printable(event.actor, MOST_CHARS)
    out.say(f"      by {event.position} {printable(event.topic)}, {absolute(event.recorded_at_ms)}, {who}{why}")


def _line(change: str, column: "ColumnChange", *, all_columns: bool) -> str | None:
    """How a column differs; of a row that was not there, only what it says."""
    old, new = (
        printable("null" if value is None else dated(column.column, value), MOST_CHARS)
        for value in (column.old, column.new)
    )
    if change == "changed":
        return f"{column.column}: {old} -> {new}"
    value = column.new if change == "added" else column.old
    if not all_columns and value in (None, "", 0):
        return None
    return f"{column.column}: {new if change == 'added' else old}"
