"""``redrive seal``: seal what is new, and print the checkpoint."""

from base64 import b64encode

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command


@click.command(cls=Command)
@pass_session
def seal(session: Session) -> None:
    """Seal every event there is, and print the checkpoint.

    Workers do it by themselves. What is printed is a signed note; kept elsewhere, it proves later that nothing up to
    it was changed: `redrive verify --checkpoint FILE`.
    """
    from redrive.evidence.notes import names_of

    engine, out = session.engine(), session.output
    point = engine.seal()
    signed_by = names_of(point.note) if point else []
    if out.json:
        size, position, root, note = (
            (point.size, point.position, b64encode(point.root).decode(), point.note) if point else (0, 0, None, None)
        )
        document = {"origin": engine.evidence.origin, "size": size, "position": position, "root": root}
        out.item("checkpoint", document | {"note": note, "signed_by": signed_by})
        return
    if point is None:
        out.remark("The log is empty: there is nothing to seal.")
        return
    for line in point.note.splitlines():
        out.say(line)
    if signed_by:
        return
    if engine.evidence.keys.read():
        out.remark("Nobody signed it: there was no key then. The next one will be signed, and covers the same events.")
        out.remark("There is a next one when something more is recorded, such as an anchor.")
        out.next(
            (session.command("anchor", "--pin", "FILE", "--reason", "WHY"), "record one"),
            (session.command("seal"), "then sign"),
        )
    else:
        out.remark("Nobody signed it: there is no key.")
        out.next((session.command("keys", "init"), "make one"))
