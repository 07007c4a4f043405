"""``redrive approve`` and ``redrive deny``: what people decide about approvals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.next_steps import executing_run
from redrive.cli.options import Command, reasoned
from redrive.cli.output import printable

if TYPE_CHECKING:
    from redrive.run_detail import NodeDetail

MOST_SHOWN = 3


@click.command(cls=Command)
@click.argument("run")
@click.argument("node")
@reasoned
@pass_session
def approve(session: Session, run: str, node: str, actor: str, reason: str) -> None:
    """Say yes to a pending approval: its node succeeds.

    The run goes on, unless it is paused, failed or blocked. `redrive queues awaiting_approval` lists what is asked.
    """
    _decide(session, "approve", run, node, actor, reason)


@click.command(cls=Command)
@click.argument("run")
@click.argument("node")
@reasoned
@pass_session
def deny(session: Session, run: str, node: str, actor: str, reason: str) -> None:
    """Say no to a pending approval; its node fails for good.

    What its retry policy says of a final failure happens to the run. `redrive recover` has it asked again.
    """
    _decide(session, "deny", run, node, actor, reason)


_DONE = {"approve": "approved", "deny": "denied"}


def _decide(session: Session, command: str, text: str, node: str, actor: str, reason: str) -> None:
    from redrive.cli.ids import run_named

    acme, out = session.tenant_engine(), session.output
    id_ = run_named(acme, text)
    getattr(acme, command)(id_, node, actor=actor, reason=reason)
    run = acme.run(id_)
    if out.json:
        out.item("run-operation", {"command": command, **run.model_dump(mode="json")})
        return
    name, short = printable(run.automation, 60), id_[:8]
    status = run.status.replace("_", " ")
    out.say(f"Node {printable(node, 60)} of run {short} ({name}) is {_DONE[command]}; the run is {status}.")
    shown = (session.command("show", short), "how it stands")
    if run.status in ("failed", "blocked"):
        out.next((session.command("recover", short, "--reason", "WHY"), "have it asked again"), shown)
    elif run.status == "queued":
        out.next(executing_run(session, acme, id_), shown)
    else:
        out.next(*deciding(session, short, acme.show(id_).nodes), shown)


def deciding(session: Session, run: str, nodes: "Sequence[NodeDetail]") -> list[tuple[str, str]]:
    """The commands that decide the pending approvals among *nodes*, the first few of them."""
    pending = [node.node for node in nodes if node.status == "awaiting_approval"][:MOST_SHOWN]
    found = [(session.command("approve", run, node, "--reason", "WHY"), "say yes") for node in pending]
    return [*found, *((session.command("deny", run, node, "--reason", "WHY"), "say no") for node in pending[:1])]
