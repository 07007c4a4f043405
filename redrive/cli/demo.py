"""``redrive demo``: failures, and what becomes of them, in half a minute."""

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.options import Command

if TYPE_CHECKING:
    from redrive.demo.facts import Line
    from redrive.demo.story import Ending

ABOUT = 8


class Told:
    """Tells the story: calm lines, with colour on a terminal."""

    def __init__(self, *, terminal: bool, silent: bool) -> None:
        from rich.console import Console

        width = None if terminal else 200
        self._console = Console(width=width, highlight=False, markup=False, emoji=False, quiet=silent)
        self._chapters = 0

    def say(self, text: str = "", style: str = "") -> None:
        """A line."""
        self._console.print(text, style=style or None, soft_wrap=True)

    def chapter(self, title: str, text: str) -> None:
        """What comes next."""
        self._chapters += 1
        self.say()
        self.say(f"{self._chapters}. {title}", "bold")
        self.say(f"   {text}", "dim")

    def fact(self, line: "Line") -> None:
        """Something that the log says, with its position there."""
        from rich.text import Text

        style = "yellow" if line.grave else "green" if "succeeded" in line.text or "resolved" in line.text else ""
        told = Text.assemble(
            (f"   {line.position:>4}  {line.at_s:4.1f} s  ", "dim"), f"{line.about:<{ABOUT}}", (line.text, style)
        )
        self._console.print(told, soft_wrap=True)

    def shop(self, text: str) -> None:
        """Something that the shop's own journal says."""
        self.say(f"   shop  {text}", "cyan")

    def ending(self, ending: "Ending", seconds: float, *, keep: bool) -> None:
        """Every promise, and what was waited for in vain."""
        self.say()
        self.say("Promises, checked against the log and the shop's journal", "bold")
        if ending.unmet is not None:
            self.say(f"   not kept  waited in vain: {ending.unmet}", "bold red")
        for promise in ending.promises:
            judged = "kept    " if promise.kept else "not kept"
            self.say(f"   {judged}  {promise.text}", "" if promise.kept else "bold red")
        self.say()
        self.say(
            f"{ending.events} events, {seconds:.1f} s" + ("" if keep else "; with --keep the log stays, to look at")
        )


@click.command(cls=Command)
@click.option("--keep", is_flag=True, help="Keep the log and the workflow file, and say where.")
@pass_session
def demo(session: Session, keep: bool) -> int:
    """See an order survive a bad day.

    A shop on this machine answers 503, charges without answering, answers twice, and cannot mail; the worker is
    killed half-way. Each numbered line is an event, read back from the log. Nothing leaves this machine. Exit code 1
    when a promise was not kept.
    """
    from redrive.demo.story import play
    from redrive.logs import configure_logs

    session.given.setdefault("log_level", "error")
    configure_logs(session.settings)
    out = session.output
    told = Told(terminal=out.terminal, silent=out.json)
    told.say("An order of five requests to a shop. Each line below with a number is an event, read back from the log.")
    with _folder(keep=keep) as folder, _terminated_as_interrupted():
        begun = time.monotonic()
        ending = play(folder, told)
        seconds = time.monotonic() - begun
    told.ending(ending, seconds, keep=keep)
    kept = [{"promise": promise.text, "kept": promise.kept} for promise in ending.promises]
    if out.json:
        log = str(folder / "demo.db") if keep else None
        facts = {"run_id": ending.run_id, "events": ending.events, "seconds": round(seconds, 1), "log": log}
        out.item("demo", {"kept": ending.kept, **facts, "promises": kept})
    elif keep:
        db = f"sqlite:///{folder / 'demo.db'}"
        out.next(
            (f"redrive --db {db} history {ending.run_id[:8]}", "everything that happened"),
            (f"redrive --db {db} show {ending.run_id[:8]}", "the run, node by node"),
        )
    return 0 if ending.kept else 1


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    """A folder for the log, removed afterwards unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="redrive-demo-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM and a closed terminal end it as Ctrl-C does: what was started is ended, what was written is removed."""
    from redrive.runner import on_signals

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        with on_signals(stop, signal.SIGTERM, signal.SIGHUP):
            yield
    finally:
        sys.stdout.flush()
