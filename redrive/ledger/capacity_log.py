"""Capacity as the log alone says it must be, for rebuilds and checks."""

from collections import Counter
from typing import NamedTuple

from redrive.domain.errors import StreamUnreadable
from redrive.domain.event import Recorded
from redrive.domain.limits import Bucket
from redrive.domain.run.state import Run
from redrive.domain.values import MAX_INTEGER
from redrive.ledger.buckets import STARTS, buckets_of
from redrive.ledger.capacity import Capacity
from redrive.ledger.capacity_rows import CapacityRow, WaiterRow, usage_of, waiters_of
from redrive.ledger.committer import Committer
from redrive.ledger.database import Connection
from redrive.ledger.limit_book import LimitBook, book_of
from redrive.ledger.mapper import shown


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


def _run(committer: Committer, stream: str) -> Run | None:
    """A run, also one that only a newer version may continue: the tokens that it took are taken."""
    try:
        entry = committer.states.get(stream)
    except StreamUnreadable:
        return None
    return entry.state if entry is not None and isinstance(entry.state, Run) else None


def _buckets(committer: Committer, connection: Connection, book: LimitBook) -> dict[str, Bucket]:
    def starts(first: int) -> list[Recorded]:
        rows = connection.execute(STARTS, (first, MAX_INTEGER)).fetchall()
        return shown(committer.recorder.as_read(rows, connection))

    return buckets_of(book, starts, lambda id_: _run(committer, id_))
