"""``redrive runs``: the runs of a tenant, newest first."""

from typing import TYPE_CHECKING, Any

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.ids import shortener
from redrive.cli.letter_filters import given
from redrive.cli.options import Command, paged
from redrive.cli.past import past_too
from redrive.cli.tables import Column
from redrive.cli.times import Moment, absolute, relative
from redrive.cli.words import RUN_STATUSES, Word

if TYPE_CHECKING:
    from redrive.projections.models import RunSummary

COLUMNS = (
    Column("run", whole=True),
    Column("status"),
    Column("automation", elastic=True),
    Column("key", wide=True),
    Column("done", right=True),
    Column("dead", right=True),
    Column("attempts", wide=True, right=True),
    Column("retries", wide=True, right=True),
    Column("submitted"),
    Column("submitted at", wide=True),
    Column("last failure", wide=True, elastic=True),
)
_STANDING = f"Only {', '.join(RUN_STATUSES)}; may be repeated."


@click.command(cls=Command)
@click.option("--status", multiple=True, type=Word(*RUN_STATUSES), help=_STANDING)
@click.option("--automation", help="Only runs of this automation.")
@click.option("--needs-review", is_flag=True, help="Only runs that nothing but an operator will move.")
@click.option("--text", help="Only runs in whose history these words stand.")
@click.option("--since", "since_ms", type=Moment(), help="Submitted since then: 2h (ago), or 2026-11-22T05:44Z.")
@click.option("--until", "until_ms", type=Moment(), help="Submitted before then.")
@paged
@past_too
@pass_session
def runs(session: Session, /, limit: int, cursor: str | None, **filters: Any) -> None:
    """List runs, the newest first."""
    acme, out = session.asked(), session.output
    page = acme.runs(**given(filters), limit=limit, cursor=cursor)
    if out.json:
        out.items("runs", page.items, page.cursor)
        return
    if not page.items:
        out.remark("No run is like that." if acme.counts().runs else "There are no runs yet.")
        out.next((session.command("submit", "FLOW_FILE"), "submit one"), (session.command("queues"), "what waits"))
        return
    now = acme.engine.now_ms()
    short = shortener(acme, [run.run_id for run in page.items], whole=not out.terminal)
    out.table(COLUMNS, ((short(run.run_id), *_row(run, now)) for run in page.items))
    session.tell_rest(len(page.items), "run", page.cursor)
    if out.terminal:
        stuck = next((run for run in page.items if run.status in ("blocked", "failed")), None)
        which = "how the first stands" if stuck is None else f"how the first that is {stuck.status} stands"
        out.next((session.command("show", (stuck or page.items[0]).run_id[:8]), which))


def _row(run: "RunSummary", now: int) -> tuple[object, ...]:
    pausing = " (pausing)" if run.pause_requested and run.status != "paused" else ""
    return (
        f"{run.status}{pausing}",
        run.automation,
        run.key,
        f"{run.succeeded}/{run.nodes}",
        run.open_letters or "",
        run.attempts,
        run.retries,
        relative(run.submitted_at_ms, now),
        absolute(run.submitted_at_ms),
        run.last_failure_reason and f"{run.last_failure_node}: {run.last_failure_reason}",
    )
