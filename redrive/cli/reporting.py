"""What reports about the log share: a bar while they are made, a picture, and what they stand on at the end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redrive.cli.context import Session
    from redrive.forensics.footing import Footing
    from redrive.forensics.positions import Position
    from redrive.forensics.prefix import Progress

SHOWN_FROM = 20_000
TOLD_EVERY = 2_000


@contextmanager
def metered(doing: str = "folding") -> "Iterator[Progress | None]":
    """A bar on a terminal, for what reads more events than a look takes; in a pipe nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(doing), BarColumn(), TextColumn("{task.completed:,} of {task.total:,} events"))
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    task, told = bar.add_task(doing, total=0), 0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if total >= SHOWN_FROM and (abs(done - told) >= TOLD_EVERY or done >= total):
            told = done
            bar.start()
            bar.update(task, completed=done, total=total)

    try:
        yield tell
    finally:
        bar.stop()


def save_picture(path: str, picture: str) -> None:
    """Write what ``--svg`` asked for. Raises InvalidValue."""
    from redrive.domain.errors import InvalidValue

    try:
        Path(path).write_text(picture, encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidValue("--svg", path, f"a file that can be written ({reason})") from error


def tell_of_everybody(session: "Session") -> None:
    """Say that a tenant was named in vain, so that nobody takes the answer for that tenant's alone."""
    if session.tenant is not None and not session.output.json:
        session.output.remark("Of every tenant: --tenant does not narrow this answer.")


def tell_end(session: "Session", footing: "Footing", *positions: "Position") -> None:
    """The last lines of a report: where clocks stepped back, and what it stands on."""
    from redrive.cli.times import absolute, duration

    out = session.output
    if out.json:
        return
    for position in positions:
        for one in position.regressions:
            back, at = duration(one.back_ms), absolute(one.occurred_at_ms)
            out.remark(f"At position {one.position} a clock stood {back} behind ({at}): time does not order events.")
        if position.position and len(positions) == 1:
            out.remark(f"As of position {position.position}, recorded {absolute(position.recorded_at_ms)}.")
    out.remark(str(footing))
