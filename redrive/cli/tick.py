"""``redrive tick``: one round of what a worker's timer does."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from redrive.cli.context import Session, pass_session, shards_of
from redrive.cli.options import Command
from redrive.cli.output import printable

if TYPE_CHECKING:
    from redrive.processes.sweep import SweepAct
    from redrive.processes.ticker import TickReport

_DONE = {"dispatch": "dispatched", "park": "parked", "resolve": "resolved", "hold": "held", "skip": "left alone"}


@click.command(cls=Command)
@pass_session
def tick(session: Session) -> None:
    """Take over from dead workers and redrive what is due, once.

    Timed waits end and approvals expire, too; effects outside runs and compensations whose lease ended are unknown
    from now on. A worker does this by itself, again and again. Serves all tenants
    unless --tenant names one.
    """
    engine, out = session.serving(), session.output
    tenant = session.tenant
    for one in shards_of(engine):
        one.evidence.begin()
    report = engine.tick() if tenant is None else engine.for_tenant(tenant).tick()
    if out.json:
        out.item("tick", _document(report))
        return
    lines = [*_held(report), *map(_line, (*report.sweep.acted, *report.sweep.skipped))]
    for line in lines:
        out.say(printable(line))
    if not lines:
        out.remark("Nothing was due: no claim to take over, no wait or lease to end, no dead letter to redrive.")
    steps = []
    if report.lost_effects:
        steps.append((session.command("effects", "list", "--status", "unknown"), "what is in doubt"))
    if report.lost_compensations:
        steps.append((session.command("compensations", "list", "--status", "failed"), "what may have been done"))
    if report.reclaimed or report.timers.acts or any(act.act == "dispatch" for act in report.sweep.acted):
        steps.append((session.command("queues"), "what waits"))
    if steps:
        out.next(*steps)


def _document(report: "TickReport") -> dict[str, Any]:
    return {
        "reclaimed": report.reclaimed,
        "timers": [asdict(act) for act in report.timers.acts],
        "lost_effects": report.lost_effects,
        "lost_compensations": report.lost_compensations,
        "acted": [asdict(act) for act in report.sweep.acted],
        "skipped": [asdict(act) for act in report.sweep.skipped],
    }


def _held(report: "TickReport") -> list[str]:
    """What was done about claims, waits and leases."""
    lines = [f"run {run[:8]}: taken from a worker that is gone" for run in report.reclaimed]
    for timer in report.timers.acts:
        ended = "the approval expired" if timer.expired else "the wait is over"
        lines.append(f"run {timer.run[:8]}, node {timer.node}: {ended}")
    lost = "its lease ended, nobody knows whether it was done"
    lines += [f"effect {id_[:8]}: {lost}" for id_ in report.lost_effects]
    return [*lines, *(f"compensation {id_[:8]}: {lost}" for id_ in report.lost_compensations)]


def _line(act: "SweepAct") -> str:
    name = f"dead letter {act.dead_letter[:8]} (run {act.run[:8]}, node {act.node})"
    return f"{name}: {_DONE[act.act]}, {act.why}"
