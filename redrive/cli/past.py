"""``--at``: the same commands, asked about a moment of the past."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from redrive.cli.context import Session
    from redrive.forensics.footing import Footing
    from redrive.forensics.past import Past
    from redrive.forensics.positions import Position
    from redrive.forensics.prefix import Progress

F = TypeVar("F", bound=Callable[..., Any])
HELP = "As it stood then: pos:N, time:T (ISO 8601 with a zone, or ms), cp:HASH, or the id of an event."
SHOWN_FROM = 20_000


def _remember(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    from redrive.cli.context import Session

    if value is not None:
        ctx.ensure_object(Session).at = value


def past_too(command: F) -> F:
    """``--at``: for commands that only look."""
    option = click.option("--at", metavar="POSITION", help=HELP, expose_value=False, callback=_remember)
    return option(command)


def past_of(session: "Session") -> "Past":
    """The past that ``--at`` names, until the command ends; what is printed says so, and advises nothing."""
    from redrive.forensics.past import past_of as opened

    assert session.at is not None
    engine = session.engine()
    with folding() as progress:
        past = opened(
            engine,
            session.at,
            tenant=session.asked_as,
            progress=progress,
            checkpoint_events=session.settings.checkpoint_events,
        )
    click.get_current_context().find_root().call_on_close(past.close)
    footing = past.footing
    session.output = replace(session.output, advises=False, footing=footing.model_dump(mode="json"))
    session.last_words = lambda: tell_end(session, footing, past.position)
    return past


@contextmanager
def folding() -> "Iterator[Progress | None]":
    """A bar on a terminal, for folds that take longer than a look."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("folding"), BarColumn(), TextColumn("{task.completed:,} of {task.total:,} events"))
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    task = bar.add_task("folding", total=0)

    def tell(done: int, total: int) -> None:
        if total >= SHOWN_FROM:
            bar.start()
            bar.update(task, completed=done, total=total)

    try:
        yield tell
    finally:
        bar.stop()


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
    out.remark(footing_line(footing))


def footing_line(footing: "Footing") -> str:
    """What a report stands on, on one line."""
    return f"log {footing.origin}, position {footing.position}, {footing.seal}; {footing.code}"
