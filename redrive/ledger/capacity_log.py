"""Capacity as the log alone says it must be, for rebuilds and checks; and when work is worth looking for."""

from collections import Counter
from collections.abc import Container
from typing import NamedTuple

from redrive.domain.errors import StreamUnreadable
from redrive.domain.identity import RunId, Tenant
from redrive.domain.limits import Bucket, full_bucket, taken
from redrive.domain.run.state import Run
from redrive.ledger.agenda import Agenda
from redrive.ledger.capacity import Capacity
from redrive.ledger.capacity_rows import CapacityRow, WaiterRow, usage_of, waiters_of
from redrive.ledger.committer import Committer
from redrive.ledger.database import Connection
from redrive.ledger.limit_book import LimitBook, book_of
from redrive.ledger.mapper import shown
from redrive.ledger.recorder import COLUMNS, LogRecorder
from redrive.ledger.states import Entry
from redrive.ledger.tally import tokens_taken


class CapacityContent(NamedTuple):
    """All of what is kept about limits; the least of it, when there are *unreadable* runs: what these use is not to be
    told."""

    rows: list[CapacityRow]
    waiters: list[WaiterRow]
    unreadable: bool = False

    def agrees(self, kept: CapacityRow) -> bool:
        """Whether a row may be what the log gives."""
        if not self.unreadable:
            return kept in self.rows
        return any(row.limit_key == kept.limit_key and row.in_use <= kept.in_use for row in self.rows)


def capacity_now(recorder: LogRecorder, now_ms: int) -> Capacity:
    """Capacity through this thread's connection for reading."""
    connection = recorder.reader()
    return Capacity(connection, book_of(recorder, connection, LimitBook()), now_ms)


def next_work_ms(
    recorder: LogRecorder, now_ms: int, tenant: Tenant | None, handlers: Container[str] | None, run: RunId | None
) -> int | None:
    """When the next run that *handlers* can go on with (only *run*, when given), or the next dispatch, is due, as
    far as limits allow."""
    capacity, agenda = capacity_now(recorder, now_ms), Agenda(recorder.reader())
    if not capacity.book.version:
        return agenda.next_of_run(run) if run else agenda.next_work_ms(tenant, handlers)

    def allowed(owner: str, due_ms: int) -> int | None:
        return capacity.run_allowed_ms(owner, due_ms, tenant, handlers)

    if run is None:
        due = agenda.next_work_ms(tenant, handlers, allowed)
    else:
        due = agenda.next_of_run(run)
        due = due if due is None or tenant is None else allowed(str(tenant), due)
    dues = [due, capacity.next_ms(tenant, handlers, run)]
    return min((due for due in dues if due is not None), default=None)


def capacity_by_the_log(committer: Committer, connection: Connection) -> CapacityContent:
    """The rows that the log gives: states for what is in use and who waits, starts for what is in the buckets."""
    book = book_of(committer.recorder, connection, LimitBook())
    if not book.version:
        return CapacityContent([], [])
    committer.states.foreign_changes += 1
    used: Counter[str] = Counter()
    waiters: list[WaiterRow] = []
    unreadable = False
    query = "SELECT originator_id FROM events WHERE originator_version = 1 AND topic LIKE 'run.submitted/%'"
    for (stream,) in connection.execute(query).fetchall():
        committer.states.shrink()
        entry = committer.states.readable(stream)
        unreadable = unreadable or entry is None
        if entry is not None and isinstance(entry.state, Run):
            used.update(usage_of(entry.state))
            waiters += waiters_of(entry.state, entry.created)
    buckets = _buckets(committer, connection, book)
    rows = [
        CapacityRow(key, used[key], bucket.level, bucket.at_ms)
        for key, bucket in ((key, buckets[key]) for key in sorted(book.limits))
    ]
    return CapacityContent(rows, sorted(waiters), unreadable)


def rebuild_capacity(committer: Committer) -> None:
    """Write the tables anew, in the open write transaction. Runs that cannot be read here keep their places, and
    while there are any, what is known to be in use stays so: no limit is exceeded for not being able to count."""
    connection = committer.recorder.writer
    content = capacity_by_the_log(committer, connection)
    capacity = Capacity(connection, LimitBook(), 0)
    kept = [row for row in capacity.waiters() if committer.states.readable(row.run) is None]
    rows = {row.limit_key: row for row in content.rows}
    known = [row for row in capacity.rows() if row.limit_key in rows and content.agrees(row)]
    capacity.replace_all([*{**rows, **{row.limit_key: row for row in known}}.values()], [*content.waiters, *kept])


def _begun(committer: Committer, stream: str) -> Entry | None:
    """A run, also one that only a newer version may continue: the tokens that it took are taken."""
    try:
        return committer.states.get(stream)
    except StreamUnreadable:
        return None


def _buckets(committer: Committer, connection: Connection, book: LimitBook) -> dict[str, Bucket]:
    buckets = {key: full_bucket(limit.rate, book.anew[key].at_ms) for key, limit in book.limits.items()}
    rated = {key: limit.rate for key, limit in book.limits.items() if limit.rate is not None}
    query = (
        f"SELECT {COLUMNS} FROM events WHERE position > ? "
        "AND (topic LIKE 'run.attempt-started/%' OR topic LIKE 'run.claimed/%') ORDER BY position"
    )
    first = min((book.anew[key].position for key in rated), default=None)
    rows = connection.execute(query, (first,)).fetchall() if first is not None else []
    for recorded in shown(committer.recorder.as_read(rows, connection)):
        entry = _begun(committer, recorded.stream)
        if entry is None or not isinstance(entry.state, Run):
            continue
        for key in tokens_taken(entry.state, recorded.event):  # type: ignore[arg-type]  # its stream is readable
            if key in rated and recorded.position > book.anew[key].position:
                buckets[key] = taken(rated[key], buckets[key], recorded.occurred_at_ms)
    return buckets
