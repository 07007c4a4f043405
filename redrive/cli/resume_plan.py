"""``redrive resume-plan``: what can be done about a run now, and why the rest cannot."""

import shlex
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command
from redrive.cli.output import printable

if TYPE_CHECKING:
    from redrive.processes.resume_plan import ResumeOption


@click.command("resume-plan", cls=Command)
@click.argument("run")
@pass_session
def resume_plan(session: Session, run: str) -> None:
    """Tell what can be done about a run now.

    And why the rest cannot: about the run itself, its pending approvals, its dead letters, the effects in doubt, and
    compensations; each with the command to type. RUN is a whole id, or at least its first six characters.
    """
    from redrive.cli.ids import run_named

    acme, out = session.tenant_engine(), session.output
    plan = acme.resume_plan(run_named(acme, run))
    if out.json:
        out.item("resume-plan", plan)
        return
    asked = ", a pause was requested" if plan.pause_requested else ""
    out.say(f"Run {plan.run_id} is {plan.status.replace('_', ' ')}{asked}.")
    _print_possible(session, [option for option in plan.options if option.possible])
    _print_rest(session, [option for option in plan.options if not option.possible])
    out.next((session.command("show", plan.run_id[:8]), "how it stands"))


def _print_possible(session: Session, options: "Iterable[ResumeOption]") -> None:
    out, found = session.output, list(options)
    out.say("\nPossible now:" if found else "\nNothing can be done about it now.")
    for name, some in groupby(found, key=_name):
        out.say(f"  {name}")
        for option in some:
            out.say(f"    {session.command(*shlex.split(option.command)[1:])}")


def _print_rest(session: Session, options: "Iterable[ResumeOption]") -> None:
    out = session.output
    out.say("\nNot possible:")
    for name, some in groupby(options, key=_name):
        out.say(f"  {name}")
        for option in some:
            out.say(f"    {option.action.replace('_', ' ')}: {printable(option.why_not)}")


def _name(option: "ResumeOption") -> str:
    node = f", node {printable(option.node, 60)}" if option.node else ""
    return f"{option.subject.replace('_', ' ')} {option.id[:8]}{node} ({option.status.replace('_', ' ')})"
