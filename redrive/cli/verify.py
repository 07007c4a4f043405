"""``redrive verify``: whether the log is what was sealed."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.counted import counted
from redrive.cli.options import Answering
from redrive.cli.output import Output, printable
from redrive.cli.times import absolute, duration

if TYPE_CHECKING:
    from redrive.evidence.report import AnchorCheck, Finding, VerifyReport

MOST_SHOWN = 10


@click.command(cls=Answering)
@click.option("--policy", metavar="FILE", type=click.Path(path_type=Path), help="What is trusted and demanded (YAML).")
@click.option(
    "--checkpoint",
    "checkpoints",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A checkpoint that you kept; the log must agree with it.",
)
@click.option("--skip-views", is_flag=True, help="Do not fold the views anew.")
@click.option("--skip-agenda", is_flag=True, help="Do not make the agenda anew.")
@pass_session
def verify(
    session: Session, policy: Path | None, checkpoints: tuple[Path, ...], skip_views: bool, skip_agenda: bool
) -> int:
    """Tell whether the log is what was sealed.

    Exit code 0: VERIFIED, something outside of the database agrees; 1: TAMPERED; 2: SELF-CONSISTENT, but nothing
    outside vouches for it; 3: STALE, too much is not sealed; 4: INCOMPLETE, something could not be checked. 64:
    no answer, because the command line, a file or the name of the log makes no sense.
    """
    from redrive.evidence.policy import VerifyPolicy, read_verify_policy

    trusted = VerifyPolicy() if policy is None else read_verify_policy(policy)
    engine, out = session.engine(), session.output
    report = engine.verify(trusted, checkpoints=checkpoints, views=not skip_views, agenda=not skip_agenda)
    if out.json:
        out.item("verification", report)
    else:
        _tell(out, report)
        if report.findings and all(one.kind in ("view", "agenda") for one in report.findings):
            out.next((session.command("views", "rebuild"), "the log itself is sound: make views and agenda anew of it"))
    return report.result.exit_code


def _tell(out: Output, report: "VerifyReport") -> None:
    kept, plain = f"{report.archived:,} states, compared as they lie in archives", report.uncompared
    facts: list[tuple[str, object]] = [
        ("origin", report.origin),
        ("sealed", f"{counted(report.size, 'event')} in {counted(report.checkpoints, 'checkpoint')}"),
        ("signed by", ", ".join(report.signed_by) or None),
        ("matched", f"{report.matched:,} of {report.size:,} leaves"),
        ("views", f"{report.views.state} ({report.views.detail})"),
        ("agenda", f"{report.agenda.state} ({report.agenda.detail})"),
        ("archived", kept if report.archived else None),
        ("no envelope", f"{plain:,} events, whose columns were not compared" if plain else None),
        ("unsealed", _unsealed(report)),
        ("clock", _clock(report)),
        *((anchor.kind, _anchor(anchor)) for anchor in report.anchors),
    ]
    if report.anchors and report.unanchored:
        facts.append(("unanchored", f"{report.unanchored:,} sealed events: nothing outside vouches for them"))
    facts += [("tampered", _finding(finding)) for finding in report.findings[:MOST_SHOWN]]
    if report.finding_count > MOST_SHOWN:
        facts.append(("tampered", f"and {report.finding_count - MOST_SHOWN:,} findings more"))
    if report.findings:
        facts.append(("last good", f"checkpoint {report.last_good_size}" if report.last_good_size else "none"))
    if report.result == "SELF-CONSISTENT":
        facts.append(("why", "nothing outside of the database vouches for it: no pin, no kept checkpoint, no witness"))
    facts += [("missing", what) for what in report.missing] + [("stale", what) for what in report.stale]
    out.facts([*facts, ("RESULT", report.result)])
    out.remark(str(report.footing))


def _unsealed(report: "VerifyReport") -> str:
    if not report.unsealed or report.unsealed_since_ms is None:
        return f"{report.unsealed:,} events"
    since = absolute(report.unsealed_since_ms)
    return (
        f"{report.unsealed:,} events, since {since} ({duration(report.unsealed_for_ms)}): a change there is not found"
    )


def _clock(report: "VerifyReport") -> str | None:
    if not report.regressions:
        return None
    places = ", ".join(map(str, report.regression_positions))
    return f"went back {counted(report.regressions, 'time')}, at position {places}"


def _anchor(anchor: "AnchorCheck") -> str:
    says = {True: "agrees", False: "DISAGREES", None: "not judged"}[anchor.agrees]
    when = f", {absolute(anchor.at_ms)}" if anchor.at_ms is not None else ""
    more = f" ({anchor.detail})" if anchor.detail else ""
    return f"{says}: {printable(anchor.name, 80)}, {anchor.size:,} leaves{when}{more}"


def _finding(finding: "Finding") -> str:
    where = [f"leaf {finding.leaf}"] if finding.leaf is not None else []
    where += [f"position {finding.position}"] if finding.position is not None else []
    if finding.stream is not None:
        where.append(f"stream {printable(finding.stream, 80)} version {finding.version}")
    return f"{finding.what}{': ' if where else ''}{', '.join(where)}"
