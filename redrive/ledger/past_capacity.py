"""What was in use of the limits at a moment of the past: nothing is kept about it, so the log is asked."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

from redrive.domain.errors import NotFound
from redrive.domain.event import Recorded
from redrive.domain.identity import RunId
from redrive.domain.limits import Bucket
from redrive.domain.run.state import Run
from redrive.ledger.buckets import STARTS, buckets_of
from redrive.ledger.capacity import Capacity
from redrive.ledger.capacity_rows import CapacityRow, usage_of, waiters_of
from redrive.ledger.ledger import LogLedger
from redrive.ledger.limit_book import LIMITS_STREAM, LimitBook, book_from
from redrive.ledger.mapper import shown
from redrive.ledger.storage_errors import storage_errors

MOST_RUNS = 4_096


class PastCapacity(Capacity):
    """Capacity as it was, by its rows and by how many waited for each limit. Nobody claims from it."""

    def __init__(self, book: LimitBook, rows: dict[str, CapacityRow], waited: Counter[str], now_ms: int) -> None:
        super().__init__(sqlite3.connect(":memory:", check_same_thread=False), book, now_ms)
        self._connection.close()  # the tables of the present say nothing about the past
        self._rows, self._waited = rows, waited

    def row(self, key: str) -> CapacityRow:
        """The row of a limit; where there is none, nothing was in use."""
        return self._rows.get(key, CapacityRow(key, 0, 0, 0))

    def waiting(self) -> Counter[str]:
        """How many runs waited for each limit."""
        return self._waited


def capacity_at(ledger: LogLedger, position: int, now_ms: int, active: Iterable[RunId]) -> Capacity:
    """What was in use at *position*. *active*: the runs that may have used something or waited then."""
    with storage_errors(ledger.path):
        rows = [row for row in ledger.recorder.rows_of(LIMITS_STREAM, 0) if row[0] <= position]
    book = book_from(rows, rows[-1][2], rows[-1][4]) if rows else LimitBook()
    used: Counter[str] = Counter()
    waited: Counter[str] = Counter()
    for id_ in active if book.limits else ():
        run = _run_at(ledger, id_, position)
        if run is not None:
            used.update(usage_of(run))
            waited.update(json.loads(place.line)[0] for place in waiters_of(run, 0) if place.blocking)
    buckets = _buckets_at(ledger, position, book)
    known = {key: CapacityRow(key, used[key], buckets[key].level, buckets[key].at_ms) for key in book.limits}
    return PastCapacity(book, known, waited, now_ms)


def _run_at(ledger: LogLedger, id_: RunId, position: int) -> Run | None:
    try:
        return ledger.run_state(None, id_, position)
    except NotFound:  # a newer version began it: what it uses is not known
        return None


def _buckets_at(ledger: LogLedger, position: int, book: LimitBook) -> dict[str, Bucket]:
    """What was in each bucket, and when, by starts of which some may have been archived since."""

    def starts(first: int) -> Iterator[Recorded]:
        with storage_errors(ledger.path):
            found = ledger.recorder.reader().execute(STARTS, (first, position))
            while rows := found.fetchmany(MOST_RUNS):
                yield from shown(ledger.recorder.as_read(rows))

    return buckets_of(book, starts, lru_cache(MOST_RUNS)(lambda id_: _run_at(ledger, id_, position)))
