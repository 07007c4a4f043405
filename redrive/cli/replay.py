"""``redrive replay --check``: whether the code of today decides as it was decided."""

import json
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command
from redrive.cli.output import printable
from redrive.cli.reporting import metered, tell_end, tell_of_everybody

if TYPE_CHECKING:
    from redrive.forensics.decided_again.replay_check import Difference, ReplayReport

DIFFERS = 1


@click.command(cls=Command)
@click.option("--check", is_flag=True, required=True, help="Make every recorded decision again, and compare.")
@click.option("--from", "from_", metavar="POSITION", help="Only decisions after it.")
@click.option("--to", metavar="POSITION", help="Only decisions up to it.")
@pass_session
def replay(session: Session, check: bool, from_: str | None, to: str | None) -> int:
    """Make recorded decisions again; tell the first that differs.

    Nothing is executed and nothing is written. Of every tenant, whatever --tenant says.
    Exit code 1 when the code of today would decide anything otherwise.
    """
    assert check
    engine, out = session.engine(), session.output
    with metered("deciding again") as progress:
        report = engine.replay_check(from_, to, progress=progress)
    if out.json:
        out.item("replay-check", report)
    else:
        for line in _told(report):
            out.say(line)
        tell_of_everybody(session)
        tell_end(session, report.footing)
    return 0 if report.same else DIFFERS


def _told(report: "ReplayReport") -> list[str]:
    made = sum(report.checked.values())
    lines = [f"{made:,} decisions made again, of {report.events:,} events."]
    if report.checked:
        lines.append("  " + ", ".join(f"{name} {count:,}" for name, count in sorted(report.checked.items())))
    lines += [f"  taken as recorded: {count:,} × {why}" for why, count in sorted(report.given.items())]
    if report.unknown_events:
        lines.append(f"  {report.unknown_events:,} events of a newer version were passed over")
    if report.first is None:
        return [*lines, "RESULT: SAME. The code of today decides as it was decided."]
    counts = ", ".join(f"{name} {count:,}" for name, count in sorted(report.differences.items()))
    lines += ["", *_difference(report.first), ""]
    return [*lines, f"RESULT: DIFFERENT. {sum(report.differences.values()):,} decisions differ: {counts}."]


def _difference(first: "Difference") -> list[str]:
    node = f", node {printable(first.node)}" if first.node else ""
    lines = [f"First difference: position {first.position}, rule {first.rule}{node}, run {printable(first.run)}"]
    if first.why:
        lines.append(f"  {printable(first.why)}")
    if first.topic != first.recomputed_topic:
        was, now = (printable(topic) if topic else "nothing" for topic in (first.topic, first.recomputed_topic))
        lines.append(f"  recorded {was}, recomputed {now}")
    else:
        for path, (recorded, recomputed) in first.fields.items():
            told = f"recorded {json.dumps(recorded)}, recomputed {json.dumps(recomputed)}"
            lines.append(f"  {printable(path)}: {printable(told, 400)}")
    lines += [f"  input {name}: {printable(json.dumps(value), 300)}" for name, value in first.inputs.items()]
    return lines
