"""``redrive timeline``: what happened to one thing, as lanes of bars, as lines, or as a picture."""

import sys
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command
from redrive.cli.output import printable
from redrive.cli.past import HELP
from redrive.cli.reporting import save_picture, tell_end
from redrive.cli.tables import shortened
from redrive.cli.times import clock
from redrive.cli.words import Word

if TYPE_CHECKING:
    from redrive.cli.output import Output
    from redrive.forensics.timelines.strip import Row
    from redrive.forensics.timelines.timeline import Timeline
    from redrive.tenant_engine import TenantEngine

NARROWEST, WIDEST = 70, 180
NAME, COUNT = 18, 15
ASCII = str.maketrans("█✓✗░·┄‖▬▒▪━▲⁞╷≈", "#+x.,-|=%o_^:|~")
STYLES = {
    "failed": "red", "denied": "red", "expired": "red", "stopped": "red", "interrupted": "yellow",
    "unknown": "yellow", "doubt": "yellow", "succeeded": "green", "approved": "green", "attempt": "blue",
    "claim": "blue", "backoff": "yellow", "queue": "dim", "scale": "dim", "break": "dim", "dead_letter": "magenta",
    "operator": "bold cyan", "note": "bold cyan", "effect": "blue",
}  # fmt: skip


@click.command(cls=Command)
@click.argument("key")
@click.option("--correlated", is_flag=True, help="With everything else of the same run, and the limits that held it.")
@click.option("--at", metavar="POSITION", help=HELP)
@click.option("--svg", "svg", metavar="FILE", type=click.Path(dir_okay=False), help="Draw it as SVG into this file.")
@click.option("--theme", type=Word("auto", "light", "dark"), default="auto", help="Of the picture.  [default: auto]")
@pass_session
def timeline(session: Session, key: str, correlated: bool, at: str | None, svg: str | None, theme: str) -> None:
    """Show what happened to something on a scale of time.

    Attempts, waits, effects, dead letters and what people did, as lanes of bars and then in lines.

    KEY is the id of a run, dead letter, effect or compensation. Long gaps are left out and marked; failures alike in a
    row are told once. `redrive history` has every event.
    """
    from redrive.cli.ids import named

    acme, out = session.tenant_engine(), session.output
    _, found = named(acme, key)
    told = acme.timeline(found, correlated=correlated, at=at)
    if svg is not None:
        from redrive.forensics.timelines.picture import svg_of

        save_picture(svg, svg_of(told, theme))  # type: ignore[arg-type]
    if out.json:
        out.item("timeline", told)
        return
    if svg is not None:
        out.remark(f"drawn into {printable(svg)}")
        assert told.footing is not None
        tell_end(session, told.footing)
        return
    print_timeline(session, told, _held_back(acme, told) if at is None else None)


def _held_back(acme: "TenantEngine", told: "Timeline") -> str | None:
    """Why nobody executes a run that is due: a limit on runs keeps it in its queue, and writes no event."""
    from redrive.domain.identity import RunId
    from redrive.ledger.limit_status import full_for_runs

    if told.subject != "run" or told.status != "queued" or not full_for_runs(acme.engine.ledger, acme.tenant):
        return None
    run = acme.run(RunId(told.key))
    if run.status != "queued" or run.due_ms is None or run.due_ms > acme.engine.now_ms():
        return None
    return "It is due, and waits for room: as many runs as may are running (`redrive limits list`)."


def print_timeline(session: "Session", told: "Timeline", held_back: str | None = None) -> None:
    """The head, the lanes, what the signs mean, what happened in lines, what holds it back, and what it stands on."""
    from redrive.forensics.timelines.picture import description
    from redrive.forensics.timelines.strip import lines_of, rows_of

    out = session.output
    width = min(max(out.width, NARROWEST), WIDEST)
    rows = rows_of(told, width - NAME - COUNT - 2)
    out.say(printable(f"{told.subject} {told.key}, as of position {told.footing.position if told.footing else '?'}"))
    out.say(printable(description(told)), hang=0)
    if told.clock_regressions:
        out.say(f"The clock of its events went back {told.clock_regressions} times; times below are as recorded.")
    out.say()
    for row in rows:
        _print_row(out, row)
    for text in wrap(_legend(rows), max(out.width, NARROWEST) - NAME - COUNT - 2):
        out.say(" " * (NAME + COUNT + 2) + plain(text.replace(chr(160), " ")))
    out.say()
    day = ""
    for line in lines_of(told):
        if line.entry is None:
            out.say(f"{'':>7}  {'':>12}  {printable(line.text)}")
            continue
        at_ms = line.entry.begin_ms
        if (today := clock(at_ms, "%Y-%m-%d")) != day:
            out.say(f"{'':>7}  {today} UTC")
            day = today
        out.say(
            f"{line.position:>7}  {clock(at_ms, '%H:%M:%S')}.{at_ms % 1_000:03}  {printable(line.text, 400)}", hang=23
        )
    if held_back is not None:
        out.say(held_back)
    out.say()
    assert told.footing is not None
    tell_end(session, told.footing)


def plain(text: str) -> str:
    """Signs that this terminal has: letters and marks where it knows only ASCII."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return text.translate(ASCII)
    return text


def _legend(rows: "list[Row]") -> str:
    from redrive.forensics.timelines.strip import LEGEND

    used = {char for row in rows for char, kind in row.cells if kind != "scale"}
    return "  ".join(f"{char}\u00a0{word.replace(' ', chr(160))}" for char, word in LEGEND.items() if char in used)


def _print_row(out: "Output", row: "Row") -> None:
    from rich.cells import cell_len

    name = shortened(printable(row.name), NAME, ahead=NAME // 2)
    head = f"{name}{' ' * (NAME - cell_len(name))} {row.count.rjust(COUNT)} "
    if not out.terminal:
        out.say((head + plain("".join(char for char, _ in row.cells))).rstrip())
        return
    from rich.console import Console
    from rich.text import Text

    told = Text(head)
    for style, cells in groupby(row.cells, key=lambda cell: STYLES.get(cell[1], "")):
        told.append(plain("".join(char for char, _ in cells)), style)
    Console(width=max(out.width, NARROWEST), highlight=False).print(told, no_wrap=True, overflow="crop")
