"""``redrive note``: write something down about anything."""

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command, reasoned
from redrive.cli.output import printable


@click.command(cls=Command)
@click.argument("key")
@click.argument("text")
@reasoned
@pass_session
def note(session: Session, key: str, text: str, actor: str, reason: str) -> None:
    """Write something down about anything in the log.

    KEY is the id of a run, a dead letter, an effect or a compensation, or `pos:N` for the event at a position. The
    note is an event of its own, with who and why: histories and timelines show it, searches find it, and nothing is
    decided by it.
    """
    from redrive.cli.ids import named

    acme, out = session.tenant_engine(), session.output
    kind, found = ("event", key) if key.startswith("pos:") else named(acme, key)
    acme.annotate(found, text, actor=actor, reason=reason)
    if out.json:
        out.item("noted", {"subject": kind, "id": found, "text": acme.services.redactor.text(text)})
        return
    short = found if kind == "event" else found[:8]
    out.say(f"noted on {kind} {printable(short)}")
    if kind != "event":
        out.next((session.command("timeline", short), "with what was written down"))
