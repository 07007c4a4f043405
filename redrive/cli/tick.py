"""``redrive tick``: one round of what a worker's timer does."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command
from redrive.cli.output import printable

if TYPE_CHECKING:
    from redrive.processes.sweep import SweepAct

_DONE = {"dispatch": "dispatched", "park": "parked", "resolve": "resolved", "hold": "held", "skip": "left alone"}


@click.command(cls=Command)
@pass_session
def tick(session: Session) -> None:
    """Take over from dead workers and redrive what is due, once.

    Timed waits end and approvals expire, too. A worker does this by itself, again and again. Serves all tenants
    unless --tenant names one.
    """
    engine, out = session.engine(), session.output
    tenant = session.tenant
    report = engine.tick() if tenant is None else engine.for_tenant(tenant).tick()
    acted, skipped = report.sweep.acted, report.sweep.skipped
    if out.json:
        acts = {"acted": [asdict(act) for act in acted], "skipped": [asdict(act) for act in skipped]}
        timers = [asdict(act) for act in report.timers.acts]
        out.item("tick", {"reclaimed": report.reclaimed, "timers": timers, **acts})
        return
    for run in report.reclaimed:
        out.say(f"run {run[:8]}: taken from a worker that is gone")
    for timer in report.timers.acts:
        ended = "the approval expired" if timer.expired else "the wait is over"
        out.say(printable(f"run {timer.run[:8]}, node {timer.node}: {ended}"))
    for act in (*acted, *skipped):
        out.say(_line(act))
    if not (report.reclaimed or report.timers.acts or acted or skipped):
        out.remark("Nothing was due: no claim to take over, no wait to end, no dead letter to redrive.")
    elif report.reclaimed or report.timers.acts or any(act.act == "dispatch" for act in acted):
        out.next((session.command("queues"), "what waits"))


def _line(act: "SweepAct") -> str:
    name = f"dead letter {act.dead_letter[:8]} (run {act.run[:8]}, node {act.node})"
    return printable(f"{name}: {_DONE[act.act]}, {act.why}")
