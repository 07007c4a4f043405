"""``redrive queues``: what waits, and for what."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from redrive.cli.context import Session, pass_session
from redrive.cli.ids import shortener
from redrive.cli.options import Command, paged
from redrive.cli.past import past_too
from redrive.cli.tables import Column
from redrive.cli.times import moment, relative
from redrive.cli.words import QUEUES, Word

if TYPE_CHECKING:
    from redrive.domain.redaction import Redactor
    from redrive.projections.models import QueueEntry
    from redrive.tenant_queries import TenantQueries

_MEANINGS = {
    "ready": "due, and waiting for a worker",
    "scheduled": "queued, and due later",
    "retry_backoff": "nodes that failed and wait to be tried again",
    "awaiting_approval": "approvals that somebody must give or deny",
    "limited": "wait for room under a limit",
    "running": "held by a worker",
    "paused": "until an operator resumes them",
    "blocked": "cannot go on: dead letters",
    "failed": "a node failed for good",
    "needs_review": "stopped, and no dead letter will move them",
}

_STUCK = ("paused", "blocked", "failed", "needs_review")


@click.command(cls=Command)
@click.argument("name", required=False, type=Word(*QUEUES), metavar="[NAME]")
@click.option("--automation", help="Only runs of this automation.")
@paged
@past_too
@pass_session
def queues(session: Session, name: str | None, automation: str | None, limit: int, cursor: str | None) -> None:
    """Count what waits in every queue, or list one queue.

    NAME is ready, scheduled, retry_backoff, limited, awaiting_approval, running, paused, blocked, failed or
    needs_review.
    """
    acme = session.asked()
    if name is None:
        _print_counts(session, acme, automation)
        return
    out = session.output
    page = acme.queue(name, automation=automation, limit=limit, cursor=cursor)
    entries = [_shown(entry, acme.services.redactor) for entry in page.items]
    if out.json:
        out.items("queue", entries, page.cursor)
    elif not entries:
        out.remark(f"Queue {name} is empty.")
        out.next((session.command("queues"), "what waits elsewhere"))
    else:
        _print_entries(session, acme, name, entries)
        session.tell_rest(len(page.items), "row", page.cursor)
        out.next(*_ways(session, name, page.items[0]))


def _ways(session: Session, name: str, first: "QueueEntry") -> list[tuple[str, str]]:
    """What can be done about the first row."""
    if name == "awaiting_approval":
        decide = ("approve", first.run_id[:8], str(first.node), "--reason", "WHY")
        return [(session.command(*decide), "say yes to the first"), (session.command("deny", *decide[1:]), "or no")]
    if name in _STUCK:
        return [(session.command("resume-plan", first.run_id[:8]), "what can be done about the first")]
    limited = [(session.command("limits", "list"), "what is in use, and who waits")] if name == "limited" else []
    return [*limited, (session.command("show", first.run_id[:8]), "how the first stands")]


def _print_counts(session: Session, acme: "TenantQueries", automation: str | None) -> None:
    out = session.output
    counts = acme.queue_counts(automation=automation)
    if out.json:
        out.items("queues", [{"queue": queue, "count": n} for queue, n in counts.items()])
        return
    columns = (Column("queue"), Column("count", right=True), Column("what", elastic=True))
    out.table(columns, ((queue, n, _MEANINGS[queue]) for queue, n in counts.items()))
    urgent = ("needs_review", "awaiting_approval", "blocked", "failed", "ready", "retry_backoff")
    worst = next((queue for queue in urgent if counts[queue]), None)
    ways = [(session.command("queues", worst), f"the {counts[worst]} in {worst}")] if worst else []
    if acme.dead_letters(automation=automation, active_only=True, limit=1).items:
        ways.append((session.command("dead-letters", "groups", "--active"), "what fails, by cause"))
    if ways:
        out.next(*ways)


def _print_entries(session: Session, acme: "TenantQueries", name: str, entries: "Sequence[QueueEntry]") -> None:
    out, now = session.output, acme.engine.now_ms()
    short = shortener(acme, [entry.run_id for entry in entries], whole=not out.terminal)
    columns: tuple[Column, ...]
    rows: list[tuple[object, ...]]
    match name:
        case "ready" | "scheduled":
            columns = (*_RUN, Column("reason"), Column("due"), Column("held back"))
            rows = [(entry.reason.replace("_", " "), moment(entry.due_ms, now), _held_back(entry)) for entry in entries]
        case "limited":
            columns = (*_RUN, Column("held back"), Column("waits for", elastic=True), Column("due"))
            rows = [(_held_back(entry), ", ".join(entry.held_by), _due(entry, now)) for entry in entries]
        case "retry_backoff":
            columns = (*_RUN, *_NODE)
            rows = [(e.node, f"{e.next_number}/{e.max_attempts or '?'}", _due(e, now), e.text) for e in entries]
        case "awaiting_approval":
            columns = (*_RUN, *_ASKED)
            rows = [(e.node, _due(e, now) or "never", e.text) for e in entries]
        case "running":
            columns = (*_RUN, Column("worker", elastic=True), Column("lease ends"))
            rows = [(entry.worker, moment(entry.lease_expires_ms, now)) for entry in entries]
        case _:
            columns = (*_RUN, Column("status"), Column("dead", right=True))
            rows = [(entry.status, entry.open_letters or "") for entry in entries]
    starts = ((short(entry.run_id), entry.automation, entry.key) for entry in entries)
    out.table(columns, ((*start, *row) for start, row in zip(starts, rows, strict=True)))


def _shown(entry: "QueueEntry", redactor: "Redactor") -> "QueueEntry":
    """*entry* without the secrets of its prompt, which logs of before keep as it was written."""
    return entry.model_copy(update={"text": redactor.text(entry.text)}) if entry.text else entry


def _held_back(entry: "QueueEntry") -> str:
    return "" if entry.held_back is None else entry.held_back.replace("_", " ")


def _due(entry: "QueueEntry", now: int) -> str:
    return "" if entry.due_ms is None else relative(entry.due_ms, now)


_ASKED = (Column("node", whole=True), Column("expires"), Column("asks", elastic=True))
_NODE = (Column("node", elastic=True, ends=True), Column("try"), Column("due"), Column("failure", elastic=True))
_RUN = (Column("run", whole=True), Column("automation", elastic=True), Column("key", wide=True))
