"""The queues by name: who waits for what, and for how long."""

import json
from collections.abc import Sequence
from typing import Any

from redrive.projections.models import Page, QueueEntry
from redrive.projections.paging import Selection, decode_cursor, page_of, word
from redrive.projections.view import View

BY_STATUS = ("running", "paused", "blocked", "failed")
QUEUES = ("ready", "scheduled", "retry_backoff", "limited", "awaiting_approval", *BY_STATUS, "needs_review")
HELD_BACK = ("no_handler", "resource_lock", "rate_limit")

Shape = tuple[str, Sequence[str], Sequence[str]]
"""A SELECT, the names of its columns, and what it is ordered by."""

_RUN = (
    "run_id",
    "tenant",
    "automation",
    "key",
    "status",
    "generation",
    "worker",
    "lease_expires_ms",
    "pause_requested",
    "open_letters",
    "held_by",
    "created",
)
_NODE = ("node", "number", "next_number", "max_attempts", "backoff_ms", "resource_key", "text", "due_ms", "reason")
_OF_RUN = ", ".join(f"r.{name}" for name in _RUN)
_RUNS = f"SELECT {_OF_RUN}, r.due_ms, r.queue_reason FROM runs r"
_BACKOFFS = (
    f"SELECT {_OF_RUN}, {', '.join(f'b.{name}' for name in _NODE)} FROM backoffs b JOIN runs r ON r.run_id = b.run_id"
)

_APPROVAL = ("node", "text", "due_ms", "reason")
_APPROVALS = (
    f"SELECT {_OF_RUN}, a.node, a.prompt, a.expires_at_ms, 'approval' "
    "FROM approvals a JOIN runs r ON r.run_id = a.run_id"
)


def entries(
    view: View,
    name: str,
    *,
    tenant: str | None,
    automation: str | None,
    now_ms: int,
    limit: int,
    cursor: str | None,
) -> Page[QueueEntry]:
    """A page of the queue called *name*. Raises InvalidValue for an unknown name."""
    queue = word(name, "queue", QUEUES)
    chosen, shape = _chosen(view, queue, tenant, automation, now_ms)
    return _page(view, queue, shape, chosen, now_ms, limit, cursor)


def lengths(view: View, *, tenant: str | None, automation: str | None, now_ms: int) -> dict[str, int]:
    """How many are in each queue."""
    found = {}
    for queue in QUEUES:
        chosen, (select, _, _) = _chosen(view, queue, tenant, automation, now_ms)
        ((found[queue],),) = view.rows(f"SELECT count(*) FROM ({select}{chosen.sql()})", chosen.values)
    return found


def _chosen(view: View, queue: str, tenant: str | None, automation: str | None, now_ms: int) -> tuple[Selection, Shape]:
    """Which rows are in a *queue*, and how they are read."""
    names: tuple[str, ...] = (*_RUN, "due_ms", "reason")
    select, order = _RUNS, ["r.created"]
    chosen = Selection(view.id, f"queue {queue}").equal("r.automation", automation)
    chosen.equal({"retry_backoff": "b.tenant", "awaiting_approval": "a.tenant"}.get(queue, "r.tenant"), tenant)
    if queue == "retry_backoff":
        chosen.where("r.status IN ('queued', 'running', 'paused')")
        names, select, order = (*_RUN, *_NODE), _BACKOFFS, ["b.due_ms", "b.created", "b.node"]
    elif queue == "awaiting_approval":
        names, select, order = (*_RUN, *_APPROVAL), _APPROVALS, ["a.created", "a.node"]
    elif queue in ("ready", "scheduled"):
        chosen.where("r.status = 'queued' AND r.due_ms IS NOT NULL")
        chosen.where("r.due_ms <= ?" if queue == "ready" else "r.due_ms > ?", now_ms, drifts=True)
        order = ["r.due_ms", "r.created"]
    elif queue == "limited":
        chosen.where("r.status = 'queued' AND r.queue_reason IN ('resource_lock', 'rate_limit')")
    elif queue == "needs_review":
        chosen.where("r.needs_review = 1")
    else:
        chosen.where("r.status = ?", queue)
    return chosen, (select, names, order)


def _page(
    view: View,
    queue: str,
    shape: Shape,
    chosen: Selection,
    now_ms: int,
    limit: int,
    cursor: str | None,
) -> Page[QueueEntry]:
    select, names, order = shape
    soonest_first = len(order) > 1
    key = decode_cursor(chosen, cursor, [str if column.endswith("node") else int for column in order])
    place = f"({', '.join(order)}) {'>' if soonest_first else '<'} ({', '.join('?' * len(order))})"
    by = ", ".join(f"{column} {'ASC' if soonest_first else 'DESC'}" for column in order)
    query = f"{select}{chosen.sql(place if key else None)} ORDER BY {by} LIMIT ?"
    found = view.rows(query, [*chosen.values, *(key or ()), limit + 1])
    rows = [dict(zip(names, row, strict=True)) for row in found]
    plain = [column.partition(".")[2] for column in order]
    kept, after = page_of(rows, limit, chosen, lambda row: [row[column] for column in plain])
    return Page(items=tuple(_entry(queue, row, now_ms) for row in kept), cursor=after)


def _entry(queue: str, row: dict[str, Any], now_ms: int) -> QueueEntry:
    due = row["due_ms"]
    row["held_by"] = tuple(json.loads(row["held_by"]))
    held_back = row["reason"] if row["status"] == "queued" and row["reason"] in HELD_BACK else None
    remaining_ms = None if due is None else max(0, due - now_ms)
    return QueueEntry(queue=queue, remaining_ms=remaining_ms, held_back=held_back, **row)
