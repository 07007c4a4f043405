"""``redrive submit``: put a run of a workflow file into the queue."""

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.json_input import document
from redrive.cli.next_steps import executing
from redrive.cli.options import Command, acted


@click.command(cls=Command)
@click.argument("flow_file")
@click.option("--key", help="The same key of the same automation gives the same run, however often.")
@click.option("--input", "text", metavar="JSON", help="The run's input.")
@click.option("--subject", help="Whom the payloads are about: they are encrypted with the subject's key.")
@acted
@pass_session
def submit(
    session: Session, flow_file: str, key: str | None, text: str | None, subject: str | None, actor: str
) -> None:
    """Put a run of a workflow file into the queue.

    Prints the run's id; a worker executes it. A file whose nodes can only be simulated is refused.
    """
    from redrive.executors import require_executable
    from redrive.flow_files import read_flow_file
    from redrive.flow_files.flow_file import COMMAND_HANDLER

    run_input = document(text)
    file = read_flow_file(flow_file, max_bytes=session.settings.max_flow_bytes)
    require_executable(file, flow_file)
    acme, out = session.tenant_engine(create=True), session.output
    before = acme.engine.ledger.last_position()
    id_ = acme.submit(file.flow, automation=file.automation, key=key, input=run_input, actor=actor, subject=subject)
    new = acme.engine.ledger.last_position() > before
    if out.json:
        out.item("submitted", {"run_id": id_, "automation": file.automation, "key": key, "new": new})
        return
    out.say(id_)
    if not new:
        out.remark("This run was submitted before with the same key; it is the same run.")
    names = {node.handled_by for node in file.flow.nodes.values() if not node.is_stateful_wait}
    if file.kind == "wfformat":
        names = {COMMAND_HANDLER}
    out.next(executing(session, names, flow_file), (session.command("show", id_[:8]), "how it stands"))
