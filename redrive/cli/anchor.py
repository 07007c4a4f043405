"""``redrive anchor``: tell a checkpoint to somebody outside of the database."""

from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command, reasoned
from redrive.cli.output import printable
from redrive.cli.times import absolute

if TYPE_CHECKING:
    from redrive.evidence.anchors import Anchor


@click.command(cls=Command)
@click.option("--pin", metavar="FILE", help="Write the checkpoint to a file, best one elsewhere.")
@click.option("--anchor-cmd", metavar="COMMAND", help="Run a command that keeps what it reads.")
@click.option("--witness", metavar="URL", help="Have a C2SP witness sign it.")
@click.option("--witness-key", metavar="KEY", help="The witness's verifier key.")
@click.option("--timestamp", metavar="URL", help="Have an RFC 3161 authority date it.")
@reasoned
@pass_session
def anchor(
    session: Session,
    pin: str | None,
    anchor_cmd: str | None,
    witness: str | None,
    witness_key: str | None,
    timestamp: str | None,
    reason: str,
    actor: str,
) -> None:
    """Tell the log's checkpoint to somebody outside.

    The log is sealed first. What comes back is recorded in it: later events came after that. `redrive verify` holds it
    against the log.
    """
    from redrive.evidence.anchors import CommandAnchor, PinAnchor, TimestampAnchor, WitnessAnchor

    told: list[Anchor] = []
    if (witness is None) != (witness_key is None):
        raise click.UsageError("--witness URL and --witness-key KEY go together.")
    if pin is not None:
        told.append(PinAnchor(pin))
    if anchor_cmd is not None:
        told.append(CommandAnchor(anchor_cmd))
    if witness is not None and witness_key is not None:
        told.append(WitnessAnchor(witness, witness_key))
    if timestamp is not None:
        told.append(TimestampAnchor(timestamp))
    if not told:
        raise click.UsageError("Nobody to tell: give --pin, --anchor-cmd, --witness or --timestamp.")
    engine, out = session.engine(), session.output
    events = [engine.anchor(one, actor=actor, reason=reason) for one in told]
    if out.json:
        out.items("anchors", events)
        return
    for event in events:
        when = f", {absolute(event.at_ms)}" if event.at_ms is not None else ""
        out.say(f"{event.kind} {printable(event.name)}: checkpoint {event.size}{when}")
    out.next((session.command("verify"), "hold them against the log"))
