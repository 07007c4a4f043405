"""Capacity: how much of each limit is in use, and who waits for room, in tables that the append transaction changes.

Both can be rebuilt from the log: what is in use is a function of the runs' states, a bucket of the starts since it
was filled, and a place in a line of the run that waits. Nobody has to be woken: who claims looks into the lines whose
limit has room, so that no wake-up can be lost, and one freed slot is offered to one waiter after the other.

A *limit* says how many may run or start; its *room* is what it leaves. A *waiter* is a queued run that a limit holds
back; a *line* holds the waiters of one limit, one tenant and one handler, the oldest first. A run that waits again
before anything of it could start was *passed over*: its places are *reserving*, what is free is kept for it. The
waiters that come first for what is free are *ahead*.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from typing import NamedTuple

from redrive.domain.identity import Principal, RunId, Tenant
from redrive.domain.limits import UNLIMITED, Bucket, Gauge, Limit, Room, keys_of_run, room_for_one
from redrive.domain.ports import START, Ahead, Due
from redrive.domain.run.state import Run, Status
from redrive.domain.values import canonical_json
from redrive.ledger.agenda_rows import ANY, MOST_NEEDS
from redrive.ledger.limit_book import LimitBook
from redrive.ledger.mapper import tenant_named

LOOK_AGAIN_MS = 200
_AHEAD: dict[Ahead, str] = {
    "all": "(blocking OR reserving)",
    "passed_over": "reserving",
    "elsewhere": "reserving AND NOT blocking",
}
MOST_AHEAD = 64


class CapacityRow(NamedTuple):
    """What is in use of a limit, and what was in its bucket at *refilled_ms*."""

    limit_key: str
    in_use: int
    level: int
    refilled_ms: int


class WaiterRow(NamedTuple):
    """A run's place in a line. *blocking*: this limit holds it back; *reserving*: it was passed over, and what is
    free of this limit is kept for it."""

    run: str
    line: str
    due_ms: int
    created: int
    blocking: int
    reserving: int


class Line(NamedTuple):
    """Who waits for one limit: a tenant's runs that one handler (ANY: look at the run) can go on with."""

    limit_key: str
    tenant: str
    needs: str

    @property
    def text(self) -> str:
        """As it stands in the table: lines of one limit lie together."""
        return canonical_json(list(self)).decode()


def usage_of(run: Run) -> Counter[str]:
    """What a run uses: its claim counts for its tenant and in total, its running attempts for what they name."""
    used: Counter[str] = Counter()
    if run.status is Status.RUNNING and run.claim is not None:
        used.update(keys_of_run(run.tenant))
    for node in run.running:
        used.update(run.flow.nodes[node].limit_keys)
    return used


def waiters_of(run: Run, created: int) -> tuple[WaiterRow, ...]:
    """The places of a run that limits hold back, in the lines of every limit that its nodes wait for."""
    if run.status is not Status.QUEUED or not run.held_by:
        return ()
    since = run.held_since_ms or 0
    held, found = set(run.held_by), dict[Line, tuple[int, bool]]()
    dues = {**dict.fromkeys(run.ready, since), **{node: max(since, due) for node, due in run.waiting.items()}}
    for node, due in dues.items():
        spec = run.flow.nodes[node]
        if held.isdisjoint(spec.limit_keys):
            continue
        for key in spec.limit_keys:
            if key in held or run.passed_over:
                line = Line(key, str(run.tenant), spec.handled_by if len(found) < MOST_NEEDS else ANY)
                found[line] = min(found.get(line, (due, False)), (due, False))[0], key in held
    rows = ((line.text, due, blocking) for line, (due, blocking) in found.items())
    return tuple(sorted(WaiterRow(run.id, *row[:2], created, row[2], run.passed_over) for row in rows))


class Capacity:
    """The tables, through one connection, under the limits of one book."""

    def __init__(self, connection: sqlite3.Connection, book: LimitBook, now_ms: int) -> None:
        self._connection, self.book, self._now_ms = connection, book, now_ms

    def row(self, key: str) -> CapacityRow:
        """The row of a limit; where there is none, nothing is in use."""
        found = self._connection.execute("SELECT * FROM capacity WHERE limit_key = ?", (key,)).fetchone()
        return CapacityRow(*found) if found else CapacityRow(key, 0, 0, 0)

    def rows(self) -> list[CapacityRow]:
        """The whole table, sorted."""
        return [CapacityRow(*row) for row in self._connection.execute("SELECT * FROM capacity ORDER BY limit_key")]

    def waiters(self) -> list[WaiterRow]:
        """All places in lines, sorted."""
        return [WaiterRow(*row) for row in self._connection.execute("SELECT * FROM waiters ORDER BY run, line")]

    def waiting(self) -> Counter[str]:
        """How many runs wait for each limit."""
        query = "SELECT line, count(*) FROM waiters WHERE blocking GROUP BY line"
        found: Counter[str] = Counter()
        for line, count in self._connection.execute(query):
            found[json.loads(line)[0]] += count
        return found

    def known(self, key: str) -> Limit | None:
        """The limit with this key, if there is one."""
        return self.book.limits.get(key)

    def set_by(self, key: str) -> Principal | None:
        """Who changed the limit with this key last, if there is one."""
        return self.book.set_by.get(key)

    def room(self, keys: Iterable[str], ahead: Mapping[str, int] | None = None) -> Room:
        """Whether one more may run or start under the limits with these keys."""
        limits = [self.book.limits[key] for key in keys if key in self.book.limits]
        if not limits:
            return UNLIMITED
        return room_for_one((self.gauge(limit, (ahead or {}).get(limit.key, 0)) for limit in limits), self._now_ms)

    def gauge(self, limit: Limit, ahead: int = 0) -> Gauge:
        """Where a limit stands."""
        row = self.row(limit.key)
        return Gauge(limit, row.in_use, Bucket(row.level, row.refilled_ms), ahead)

    def lines(
        self, tenant: Tenant | None, handlers: Container[str] | None, key: str | None = None
    ) -> Iterator[tuple[str, Line]]:
        """The lines (of one limit) that a worker may take runs from, found by seeking from one to the next."""
        prefix = "" if key is None else canonical_json([key]).decode()[:-1] + ","
        query = "SELECT line FROM waiters INDEXED BY waiters_line WHERE line > ? ORDER BY line LIMIT 1"
        text = prefix
        while (found := self._connection.execute(query, (text,)).fetchone()) and found[0].startswith(prefix):
            text = found[0]
            line = Line(*json.loads(text))
            if tenant is not None and line.tenant != str(tenant):
                continue
            if handlers is None or line.needs == ANY or line.needs in handlers:
                yield text, line

    def offers(
        self,
        tenant: Tenant | None,
        handlers: Container[str] | None,
        limit: int,
        without: Container[str] = (),
        after: tuple[int, int] = START,
    ) -> list[Due]:
        """Runs whose line has room, those that have waited longest first, beyond *after* (due, created)."""
        query = (
            "SELECT due_ms, created, run FROM waiters INDEXED BY waiters_line "
            "WHERE line = ? AND due_ms <= ? AND (due_ms, created) > (?, ?) AND blocking "
            "ORDER BY due_ms, created LIMIT ?"
        )
        groups = [
            [(*row, line.tenant) for row in self._connection.execute(query, (text, self._now_ms, *after, limit))]
            for text, line in self.lines(tenant, handlers)
            if line.tenant not in without and self._is_open(line.limit_key, tenant, handlers)
        ]
        found: dict[str, Due] = {}
        for due, created, run, owner in merge(*groups):
            found.setdefault(run, Due(run, tenant_named(owner), due, RunId(run), None, created))
        return list(found.values())[:limit]

    def places_of(self, run: RunId) -> list[tuple[Line, int]]:
        """The lines of limits that hold a run back, and since when it can go on in each."""
        rows = self._connection.execute("SELECT line, due_ms FROM waiters WHERE run = ? AND blocking", (run,))
        return [(Line(*json.loads(line)), due) for line, due in rows]

    def ahead(
        self,
        key: str,
        tenant: Tenant | None,
        handlers: Container[str] | None,
        *,
        who: Ahead,
        before: tuple[int, int] | None = None,
        run: str = "",
    ) -> int:
        """How many waiters other than *run* that this worker could execute come first for a limit, of those *who*
        are meant; *before* limits it to those older than (due, created)."""
        query = (
            "SELECT DISTINCT run FROM waiters INDEXED BY waiters_line "
            "WHERE line = ? AND due_ms <= ? AND (due_ms, created) < (?, ?) AND run != ? "
            f"AND {_AHEAD[who]} LIMIT ?"
        )
        older = before or (2**62, 2**62)
        found: set[str] = set()
        for text, _ in self.lines(tenant, handlers, key):
            rows = self._connection.execute(query, (text, self._now_ms, *older, run, MOST_AHEAD)).fetchall()
            found.update(row[0] for row in rows)
        return sum(self._can_come(RunId(waiter), key) for waiter in found)

    def _can_come(self, run: RunId, key: str) -> bool:
        """Whether what a waiter still lacks, apart from *key*, is a slot that will be freed: nothing is kept for one
        that waits for an operator, or for tokens."""
        others = {line.limit_key for line, _ in self.places_of(run)} - {key}
        rooms = [self.room((other,)) for other in others]
        return not any(room.stopped or room.retry_at_ms is not None for room in rooms)

    def _is_open(self, key: str, tenant: Tenant | None, handlers: Container[str] | None) -> bool:
        if key not in self.book.limits:
            return True
        if self.room((key,)).full:
            return False
        return not self.room((key,), {key: self.ahead(key, tenant, handlers, who="elsewhere")}).full

    def allowed_ms(self, keys: Sequence[str], due_ms: int, ahead: Mapping[str, int] | None = None) -> int | None:
        """From when on limits allow what is due at a time: when there is no room, as soon as it is worth looking
        again; None when only an operator can change it."""
        room = self.room(keys, ahead)
        if not room.full:
            return due_ms
        if room.stopped:
            return None
        return max(due_ms, self._now_ms + LOOK_AGAIN_MS if room.retry_at_ms is None else room.retry_at_ms)

    def next_ms(self, tenant: Tenant | None, handlers: Container[str] | None, run: RunId | None) -> int | None:
        """When the next run that waits in a line is worth looking at."""
        places = self.places_of(run) if run is not None else self._first_of_lines(tenant, handlers)
        dues: list[int | None] = []
        for line, due in places:
            key, owner = line.limit_key, tenant_named(line.tenant)
            kept = {key: self.ahead(key, tenant, handlers, who="elsewhere", run=run or "")}
            allowed = self.allowed_ms((key,), due, kept)
            dues.append(allowed if allowed is None else self.allowed_ms(keys_of_run(owner), allowed))
        return min((due for due in dues if due is not None), default=None)

    def _first_of_lines(self, tenant: Tenant | None, handlers: Container[str] | None) -> list[tuple[Line, int]]:
        query = (
            "SELECT due_ms FROM waiters INDEXED BY waiters_line WHERE line = ? AND blocking "
            "ORDER BY due_ms, created LIMIT 1"
        )
        found = []
        for text, line in self.lines(tenant, handlers):
            if row := self._connection.execute(query, (text,)).fetchone():
                found.append((line, row[0]))
        return found

    def put(self, row: CapacityRow) -> None:
        """Write a row."""
        self._connection.execute("INSERT OR REPLACE INTO capacity VALUES (?, ?, ?, ?)", row)

    def remove(self, key: str) -> None:
        """Drop the row of a limit that is gone."""
        self._connection.execute("DELETE FROM capacity WHERE limit_key = ?", (key,))

    def replace_waiters(self, run: str, rows: Sequence[WaiterRow]) -> None:
        """Put a run in these lines, and in no others."""
        self._connection.execute("DELETE FROM waiters WHERE run = ?", (run,))
        self._connection.executemany("INSERT INTO waiters VALUES (?, ?, ?, ?, ?, ?)", rows)

    def replace_all(self, rows: Sequence[CapacityRow], waiters: Sequence[WaiterRow]) -> None:
        """Write both tables anew."""
        self._connection.execute("DELETE FROM capacity")
        self._connection.execute("DELETE FROM waiters")
        for row in rows:
            self.put(row)
        self._connection.executemany("INSERT INTO waiters VALUES (?, ?, ?, ?, ?, ?)", waiters)
