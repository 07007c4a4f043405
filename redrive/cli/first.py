"""``redrive first``: where an invariant was first violated, and where it held again."""

from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.counted import counted
from redrive.cli.failures import RUN_DID_NOT_SUCCEED
from redrive.cli.options import Command
from redrive.cli.output import printable
from redrive.cli.reporting import metered, tell_end, tell_of_everybody
from redrive.cli.tables import Column
from redrive.cli.times import absolute

if TYPE_CHECKING:
    from redrive.forensics.invariants.first import Flip, InvariantReport

MOST_SHOWN = 20
_NAMED = (Column("name"), Column("promises", elastic=True), Column("sql", wide=True, elastic=True))


@click.command(cls=Command)
@click.argument("invariant", required=False, metavar="[INVARIANT]")
@click.option(
    "--from", "start", default="0", metavar="POSITION", help="Begin after this position (default: the first)."
)
@click.option("--to", "end", default="now", metavar="POSITION", help="End with this position (default: the last).")
@click.option("--every", type=int, default=1, help="Ask only every so many events: faster, and not exact.")
@click.option("--settled", is_flag=True, help="Judge only where the events of a command end, not amid them.")
@click.option("--list", "lists", is_flag=True, help="List the invariants that come with redrive.")
@pass_session
def first(
    session: Session, invariant: str | None, start: str, end: str, every: int, settled: bool, lists: bool
) -> int | None:
    """Find the first event that violates an invariant.

    INVARIANT is SQL over the views: a SELECT of the rows that violate it, or a condition that must be true; or the
    name of one that --list shows. Every flip is told, exact to the event. Of every tenant, whatever --tenant says. The
    exit code is 1 when it was violated.
    """
    if lists:
        _print_named(session)
        return None
    if invariant is None:
        raise click.UsageError("say which INVARIANT: SQL over the views, or a name that --list shows")
    engine, out = session.engine(), session.output
    with metered() as progress:
        found = engine.first(
            invariant, start=start, end=end, every=every, settled=settled or None, progress=progress,
            checkpoint_events=session.settings.checkpoint_events,
        )  # fmt: skip
    if out.json:
        out.item("first", found)
    else:
        _print(session, found)
        tell_of_everybody(session)
        tell_end(session, found.footing, found.start, found.end)
    return RUN_DID_NOT_SUCCEED if found.first is not None else None


def _print_named(session: Session) -> None:
    from redrive.forensics.invariants.named import NAMED

    if session.output.json:
        named = [{"name": one.name, "promises": one.meaning, "sql": one.sql} for one in NAMED.values()]
        session.output.items("invariants", named)
    else:
        session.output.table(_NAMED, ((one.name, one.meaning, one.sql) for one in NAMED.values()))


def _print(session: Session, found: "InvariantReport") -> None:
    out, where = session.output, f"from {found.start} to {found.end}"
    if found.first is None:
        out.say(f"It holds at every position {where} ({found.events:,} events)." if found.exact else _not_seen(found))
        return
    for flip in found.flips[:MOST_SHOWN]:
        _print_flip(session, flip)
    if found.total > MOST_SHOWN:
        out.remark(f"{counted(found.total - MOST_SHOWN, 'more flip')}: --json tells the first 1,000, --from goes on.")
    standing = "It is violated at the end." if found.violated_at_end else "It holds at the end."
    out.say(f"{standing} {counted(found.total, 'flip')} {where}, {counted(found.events, 'event')}.")
    if not found.exact:
        out.remark(f"It was asked every {found.every} events: each flip happened within that many before its position.")


def _not_seen(found: "InvariantReport") -> str:
    return f"No violation was seen when asked every {found.every} events; what happened in between is not known."


def _print_flip(session: Session, flip: "Flip") -> None:
    out, event = session.output, flip.event
    says = "violated" if flip.violated else "holds again"
    if event is None:
        out.say(f"{flip.position:>8}  {says} where the look begins")
    else:
        why = f": {printable(event.reason, 80)}" if event.reason else ""
        what = f"{printable(event.topic)} of {printable(event.stream[:8])}"
        by = f"{what}, {absolute(event.recorded_at_ms)}, {printable(event.actor, 80)}{why}"
        out.say(f"{flip.position:>8}  {says} by {by}")
    for row in flip.rows:
        out.say(f"{'':>10}" + ", ".join(f"{printable(name, 80)} {printable(value, 80)}" for name, value in row.items()))
