"""``redrive pause``, ``resume``, ``cancel``, ``recover``: what operators do to runs."""

from typing import TYPE_CHECKING, Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.next_steps import executing_run
from redrive.cli.options import Command, reasoned
from redrive.cli.output import printable

if TYPE_CHECKING:
    from redrive.domain.identity import RunId
    from redrive.tenant_engine import TenantEngine


@click.command(cls=Command)
@click.argument("run")
@reasoned
@pass_session
def pause(session: Session, run: str, actor: str, reason: str) -> None:
    """Let nothing new start in a run; what is running finishes."""
    _operate(session, "pause", run, actor=actor, reason=reason)


@click.command(cls=Command)
@click.argument("run")
@reasoned
@pass_session
def resume(session: Session, run: str, actor: str, reason: str) -> None:
    """Let a paused run go on; a backoff still holds."""
    _operate(session, "resume", run, actor=actor, reason=reason)


@click.command(cls=Command)
@click.argument("run")
@reasoned
@pass_session
def cancel(session: Session, run: str, actor: str, reason: str) -> None:
    """End a run for good. Nothing brings it back."""
    _operate(session, "cancel", run, actor=actor, reason=reason)


@click.command(cls=Command)
@click.argument("run")
@click.option("--node", "nodes", multiple=True, help="From this node; may be repeated (default: all failed).")
@reasoned
@pass_session
def recover(session: Session, run: str, nodes: tuple[str, ...], actor: str, reason: str) -> None:
    """Requeue a failed or blocked run from its failed nodes.

    All that depends on these nodes is done again too; what else succeeded keeps its output.
    """
    _operate(session, "recover", run, nodes=nodes or None, actor=actor, reason=reason)


_DONE = {
    "pause": "Nothing new starts in run {run} ({automation}) from now on; it is {status}.",
    "resume": "Run {run} ({automation}) may go on; it is {status}.",
    "cancel": "Run {run} ({automation}) is cancelled.",
    "recover": "Run {run} ({automation}) is {status} again, as generation {generation}.",
}


def _operate(session: Session, command: str, text: str, **said: Any) -> None:
    from redrive.cli.ids import run_named

    acme, out = session.tenant_engine(), session.output
    id_: RunId = run_named(acme, text)
    getattr(acme, command)(id_, **said)
    run = acme.run(id_)
    if out.json:
        out.item("run-operation", {"command": command, **run.model_dump(mode="json")})
        return
    name = printable(run.automation, 60)
    status = run.status.replace("_", " ")
    out.say(_DONE[command].format(run=id_[:8], automation=name, status=status, generation=run.generation))
    out.next(*_next(session, acme, command, id_))


def _next(session: Session, acme: "TenantEngine", command: str, id_: "RunId") -> list[tuple[str, str]]:
    short = id_[:8]
    shown = (session.command("show", short), "how it stands")
    match command:
        case "pause":
            return [(session.command("resume", short, "--reason", "WHY"), "let it go on"), shown]
        case "resume" | "recover" if acme.run(id_).status == "queued":
            return [executing_run(session, acme, id_), shown]
        case "resume" | "recover":
            return [shown]
        case _:
            return [(session.command("history", short), "all that happened"), shown]
