"""``redrive export``: part of the log with what proves it, in one file for somebody else."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command
from redrive.cli.output import printable

if TYPE_CHECKING:
    SpanType = click.ParamType[tuple[int, int]]
else:
    SpanType = click.ParamType


class Span(SpanType):
    """``100..200``: two positions."""

    name = "a..b"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """The two of them."""
        first, dots, last = str(value).partition("..")
        if not (dots and first.isascii() and last.isascii() and first.isdigit() and last.isdigit()):
            self.fail(f"{value!r} is not two positions, as in 100..200", param, ctx)
        if len(first) > 18 or len(last) > 18:
            self.fail(f"{value!r} is beyond every log", param, ctx)
        return int(first), int(last)


@click.command(cls=Command)
@click.option("--run", metavar="RUN", help="Every event of this run, of its effects, dead letters and compensations.")
@click.option("--range", "positions", type=Span(), help="Every event at these positions.")
@click.option(
    "--since",
    type=click.Path(dir_okay=False, path_type=Path),
    help="An earlier checkpoint, as it was kept: prove that the log only grew; alone, export what was added.",
)
@click.option("-o", "--output", required=True, metavar="FILE", help="The file to write.")
@click.option("--without-states", is_flag=True, help="Show that events happened, and when; not what they say.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@pass_session
def export(
    session: Session,
    run: str | None,
    positions: tuple[int, int] | None,
    since: Path | None,
    output: str,
    without_states: bool,
    force: bool,
) -> None:
    """Write evidence that others can verify without redrive.

    A tar with events, the proofs that they stand in the log, the checkpoint that the proofs lead to, and a verifier.
    Everything is sealed first. The log holds every tenant: whoever exports a range hands over what all of them did.
    """
    from redrive.cli.ids import history_named

    engine, out = session.engine(), session.output
    chosen = None if run is None else str(history_named(session.tenant_engine(), run))
    note = None if since is None else since.read_bytes()
    report = engine.export(output, run=chosen, positions=positions, since=note, states=not without_states, force=force)
    if out.json:
        out.item("export", report)
        return
    written = f"{report.entries:,} events, {report.bytes:,} bytes"
    out.say(f"{printable(output)}: {written}, proven by a checkpoint of {report.size:,} leaves.")
    out.facts([("sha-256", report.sha256), ("root", report.root), ("signed", "yes" if report.signed else "by nobody")])
    if not report.signed:
        out.remark("No key signs this log: only who has kept a checkpoint elsewhere can verify the file (--pin).")
    out.next(
        (session.command("bundle", "verify", output), "check it, with --key and --pin"),
        (shlex.join(["redrive", "--db", f"bundle:{output}", "runs"]), "look into it"),
    )
    out.remark(str(report.footing))
