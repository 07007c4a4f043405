"""``redrive what-if``: recorded history decided again under another policy, on paper."""

from typing import TYPE_CHECKING, Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.counted import counted
from redrive.cli.options import Command
from redrive.cli.output import printable
from redrive.cli.reporting import metered, save_picture, tell_end, tell_of_everybody
from redrive.cli.times import dated, duration

if TYPE_CHECKING:
    from redrive.forensics.what_if.bounds import Bounds
    from redrive.forensics.what_if.report import RunDifference, WhatIfReport

SHOWN_RUNS = 10


@click.command("what-if", cls=Command)
@click.option("--policy", type=click.Path(), help="A what-if policy file, YAML or JSON.")
@click.option("--from", "from_", metavar="POSITION", help="Decide again only what came after it.")
@click.option("--drop", multiple=True, metavar="EVENT", help="As if this event (position or id) had not happened.")
@click.option("--svg", type=click.Path(dir_okay=False), help="Write a picture of load and dead letters over time.")
@pass_session
def what_if(session: Session, policy: str | None, from_: str | None, drop: tuple[str, ...], svg: str | None) -> None:
    """Decide recorded history again under another policy.

    Or as if some events had not happened. Nothing is written to the log. What was never tried has an unknown outcome:
    numbers that depend on it are told as bounds, from the least to the most that it may be. Of every tenant, whatever
    --tenant says.
    """
    from redrive.domain.errors import InvalidValue

    if policy is None and not drop:
        raise InvalidValue("--policy", None, "a policy file, or an event to --drop")
    engine, out = session.engine(), session.output
    given: Any = {"version": 1} if policy is None else policy
    with metered("deciding again") as progress, engine.what_if(given, from_, drop, progress=progress) as answer:
        report = answer.report
        if svg is not None:
            save_picture(svg, answer.svg())
    if out.json:
        out.item("what-if", report, {"COUNTERFACTUAL": report.COUNTERFACTUAL})
        return
    for line in _told(report):
        out.say(line, hang=len(line) - len(line.lstrip()))
    if svg is not None:
        out.say(f"picture: {printable(svg)}")
    tell_of_everybody(session)
    tell_end(session, report.footing)


def _told(report: "WhatIfReport") -> list[str]:
    """The report in lines; its first word says what it is."""
    between = f"positions {report.from_position + 1} to {report.to_position}"
    lines = [report.COUNTERFACTUAL, "", f"{'':14} {'recorded':>12}  counterfactual ({between})"]
    for name, label in (
        ("attempts", "attempts"), ("retries", "of them again"), ("dead_letters", "dead letters"),
        ("dispatches", "dispatches"), ("completed", "runs completed"),
    ):  # fmt: skip
        found = getattr(report, name)
        lines.append(f"{label:14} {found.recorded:>12,}  {found.counterfactual}  ({_change(found.change)})")
    lines += ["", *_recoveries(report), f"{counted(report.runs_that_differ, 'run')} would have gone another way."]
    for run in report.runs[:SHOWN_RUNS]:
        lines += ["", *_run(run)]
    if report.runs_that_differ > SHOWN_RUNS:
        lines += ["", f"{report.runs_that_differ - SHOWN_RUNS:,} more; --json tells of the first 200."]
    if report.inexact_runs:
        lines += [
            "",
            f"Runs with wide bounds, as too much is unknown to try every course: {report.inexact_runs:,}.",
        ]
    lines += ["", "What this rests on:", *(f"- {line}" for line in (*report.assumptions, *report.notes)), ""]
    return lines


def _change(change: "Bounds") -> str:
    low, high = (f"{number:+,}" if number else "0" for number in (change.low, change.high))
    if low == high:
        return "no change" if low == "0" else low
    return f"{low} to {high}"


def _recoveries(report: "WhatIfReport") -> list[str]:
    found = report.recoveries
    counts = {"earlier": found.earlier, "later": found.later, "earlier or later": found.undecided}
    told = [f"{count:,} {word}" for word, count in counts.items() if count]
    lines = []
    if told:
        lines.append(f"Runs that complete either way: {', '.join(told)}; in all {_later(found.later_ms)}.")
    if found.gained.high:
        lines.append(f"Runs that complete only so: {found.gained}.")
    if found.lost.high:
        lines.append(f"Runs that completed only as recorded: {found.lost}.")
    return lines


def _later(later: "Bounds") -> str:
    def told(ms: int) -> str:
        return f"{duration(abs(ms))} {'earlier' if ms < 0 else 'later'}"

    return told(later.low) if later.low == later.high else f"from {told(later.low)} to {told(later.high)}"


def _run(run: "RunDifference") -> list[str]:
    ends = " or ".join(run.status)
    head = f"run {run.run[:8]} ({printable(run.automation)}): {run.status_recorded} as recorded, {ends} so"
    lines = [head]
    if run.first is not None:
        lines.append(f"  first at position {run.position}: {run.first.rule}{_of_node(run)}: {_fields(run)}")
    else:
        lines.append(f"  from position {run.position} on, where an event was dropped")
    lines.append(f"  attempts {_change(run.attempts)}, dead letters {_change(run.dead_letters)}")
    for label, names in (("saved", run.saved), ("unknown", run.unknown), ("nothing to act on", run.unused)):
        if names:
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            lines.append(f"  {label}: {printable(', '.join(names[:6]))}{more}")
    return lines


def _of_node(run: "RunDifference") -> str:
    return f" of {printable(run.first.node)}" if run.first is not None and run.first.node else ""


_TELLING = ("decision.verdict", "decision.next_retry_at_ms", "retry_after_ms", "count", "not_before_ms", "status")


def _fields(run: "RunDifference") -> str:
    """What differs, in a few words."""
    assert run.first is not None
    fields = run.first.fields
    for name in _TELLING:
        if name in fields:
            recorded, otherwise = (dated(name, value) for value in fields[name])
            return f"{name.rpartition('.')[2]} {otherwise} instead of {recorded}"
    if run.first.recomputed_topic is None:
        return run.first.why or "nothing would be written"
    return f"{run.first.recomputed_topic} instead of {run.first.topic or 'nothing'}"
