"""``redrive views``: the query views, which are folded from the log and may be thrown away."""

import time

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command, Group
from redrive.cli.reporting import metered
from redrive.cli.times import duration


@click.group(cls=Group)
def views() -> None:
    """See where the query views stand, or rebuild them."""


@views.command(cls=Command)
@pass_session
def status(session: Session) -> None:
    """Tell which views there are, how far they are, and how large."""
    engine, out = session.engine(), session.output
    found = engine.views.status()
    if out.json:
        out.item("views", found)
        return
    out.facts(
        [
            ("file", found.path or "in memory"),
            ("position", f"{found.position} of {found.log_position}" + (f", {found.lag} behind" if found.lag else "")),
            ("size", f"{found.size_bytes:,} bytes"),
            ("code", found.fingerprint),
        ]
    )
    if found.lag:
        out.remark("Every query catches up first; nothing needs to be done.")


@views.command(cls=Command)
@pass_session
def rebuild(session: Session) -> None:
    """Fold the whole log into new views, and into a new agenda.

    The old ones serve until these take their place.
    """
    engine, out = session.engine(), session.output
    began = time.monotonic()
    rows = engine.ledger.rebuild_agenda()
    position = engine.views.rebuild()
    took_ms = int((time.monotonic() - began) * 1_000)
    if out.json:
        out.item(
            "views-rebuilt", {"position": position, "agenda_rows": rows, "took_ms": took_ms, "path": engine.views.path}
        )
    else:
        out.say(f"The views are folded anew from {position} events, in {duration(took_ms)}.")
        out.next((session.command("views", "status"), "where they stand"))


@views.command(cls=Command)
@click.option("--drop", is_flag=True, help="Remove them instead.")
@pass_session
def checkpoint(session: Session, drop: bool) -> None:
    """Make the past quick to look at: keep copies of the views.

    One every `checkpoint_events` events, beside the views; whoever looks at the past leaves them behind too. They may
    be thrown away like the views.
    """
    from redrive.forensics.checkpoints import ViewCheckpoints
    from redrive.forensics.past import keep_checkpoints

    engine, out, every = session.engine(), session.output, session.settings.checkpoint_events
    if drop:
        kept = ViewCheckpoints(engine.ledger, engine.views, every)
        kept.drop()
    else:
        with metered() as progress:
            kept = keep_checkpoints(engine, every, progress)
    told = {"folder": str(kept.folder or ""), "positions": kept.positions(), "size_bytes": kept.size()}
    if out.json:
        out.item("view-checkpoints", told)
    else:
        out.say(f"There are {len(kept.positions())} view checkpoints, {kept.size():,} bytes in {kept.folder}.")
        out.next((session.command("runs", "--at", "POSITION"), "the runs as they stood"))
