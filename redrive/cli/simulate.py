"""``redrive simulate``: histories under faults, each from its seed, and whether all that must hold did."""

import sys
import time
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command
from redrive.cli.output import printable

if TYPE_CHECKING:
    from redrive.faults.kinds import Kind
    from redrive.faults.summary import FailedSeed, Summary

BROKEN = 1
MOST_TOLD = 3
TOLD_EVERY_S = 10.0


@click.command(cls=Command)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The first seed.")
@click.option("--runs", type=click.IntRange(1), default=1, show_default=True, help="How many seeds, one after another.")
@click.option("--steps", type=click.IntRange(1, 100_000), default=60, show_default=True, help="Of each simulation.")
@click.option("--faults", metavar="LIST", default="all", show_default=True, help="Names with commas between; or none.")
@click.option("--server", metavar="URL", help="Simulate on this PostgreSQL server, in a schema of its own.")
@pass_session
def simulate(session: Session, seed: int, runs: int, steps: int, faults: str, server: str | None) -> int:
    """Simulate processes that crash and disks that fail.

    Everything happens in a log of its own, in a temporary folder, or in a schema redrive_simulation_… of --server that
    is dropped afterwards; no log of yours is opened. One seed decides who acts next, what the time is and what fails:
    the same seed gives the same history. Exit code 1 when anything that must hold did not, with the command that
    repeats it. It is no load test, and it has nothing to do with your flows.
    """
    from redrive.faults.simulator import simulations
    from redrive.faults.summary import Summary
    from redrive.ledger.urls import location_of

    if server is not None:
        location_of(server)  # what is wrong with it is said before anything begins
    kinds = _kinds(faults, server)
    summary, begun = Summary(first_seed=seed, steps=steps), time.monotonic()
    told = begun
    for done in simulations(range(seed, seed + runs), steps, kinds, server):
        summary.add(done, kinds, server)
        if sys.stderr.isatty() and time.monotonic() - told > TOLD_EVERY_S:
            told = time.monotonic()
            click.echo(f"{summary.runs:,} of {runs:,} simulated, {len(summary.failed_seeds)} broken", err=True)
    if session.output.json:
        session.output.item("simulation", summary)
    else:
        _tell(session, summary, time.monotonic() - begun)
    return BROKEN if summary.failed_seeds else 0


def _kinds(text: str, server: str | None) -> "list[Kind]":
    """The faults that were asked for. Raises a usage error that names the others."""
    from redrive.faults.kinds import IN_FILES, ON_SERVERS, Kind

    known = IN_FILES if server is None else ON_SERVERS
    words = [word.strip().lower().replace("_", "-") for word in text.split(",") if word.strip()]
    if words in (["all"], ["none"]):
        return list(known) if words == ["all"] else []
    unknown = [word for word in words if word not in set(known)]
    if unknown or not words:
        wrong = printable(", ".join(unknown) or text, 200)
        raise click.BadParameter(f"{wrong!r}: one or more of {', '.join(known)}; all; none", param_hint="--faults")
    return [Kind(word) for word in dict.fromkeys(words)]


def _tell(session: Session, summary: "Summary", seconds: float) -> None:
    out = session.output
    last = summary.first_seed + summary.runs - 1
    answers = (
        f"{summary.acknowledged:,} acknowledged, {summary.refused:,} refused, {summary.failed:,} without an answer"
    )
    out.facts(
        [
            ("seeds", f"{summary.first_seed:,} to {last:,}" if summary.runs > 1 else f"{summary.first_seed}"),
            ("simulations", f"{summary.runs:,} of {summary.steps} steps, up to {summary.writers} writers"),
            ("time", f"{seconds:.1f} s ({summary.runs / max(seconds, 0.001):.1f}/s)"),
            ("events", f"{summary.events:,}"),
            ("commands", f"{summary.given:,}: {answers}"),
            ("faults", f"{sum(summary.faults.values()):,}"),
        ]
    )
    for name, count in summary.faults.items():
        out.say(f"  {name.ljust(24)}{count:>9,}")
    out.say(f"losses       {summary.losses:,}")
    for failed in summary.failed_seeds[:MOST_TOLD]:
        _tell_failed(session, failed)
    if summary.failed_seeds:
        seeds = ", ".join(str(failed.seed) for failed in summary.failed_seeds[:20])
        out.say(f"RESULT: BROKEN. {len(summary.failed_seeds):,} of {summary.runs:,} simulations: seeds {seeds}.")
    else:
        out.say("RESULT: ALL HELD.")


def _tell_failed(session: Session, failed: "FailedSeed") -> None:
    out = session.output
    out.say()
    out.say(f"Seed {failed.seed}: {len(failed.problems)} broken")
    for problem in failed.problems[:5]:
        out.say(f"  {printable(problem, 400)}")
    injected = ", ".join(f"{name} {count}" for name, count in failed.faults.items()) or "none"
    out.say(f"  faults: {injected}")
    out.say("  the last steps:")
    for line in failed.trace[-25:]:
        out.say(f"    {printable(line, 160)}")
    out.say(f"  again: {failed.command}")
    out.say()
