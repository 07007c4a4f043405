"""Capacity: how much of each limit is in use, and who waits for room, in tables that the append transaction changes.

Both can be rebuilt from the log: what is in use is a function of the runs' states, a bucket of the starts since it
was filled, and a place in a line of the run that waits. Nobody has to be woken: who claims looks into the lines whose
limit has room, so that no wake-up can be lost, and one freed slot is offered to one waiter after the other.

A *limit* says how many may run or start; its *room* is what it leaves. A *waiter* is a queued run that a limit holds
back; a *line* holds the waiters of one limit, one tenant and one handler, the oldest first. A run that waits again
before anything of it could start was *passed over*: its places are *reserving*, what is free is kept for it. The
waiters that come first for what is free are *ahead*, if the worker that asks could execute them; others, if somebody
else looked for them just now, are *expected*, and what is free is *kept* for them.
"""

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from heapq import merge

from redrive.domain.identity import Principal, RunId, Tenant
from redrive.domain.limits import NOBODY, UNLIMITED, Bucket, First, Gauge, Limit, Room, keys_of_run, room_for_one
from redrive.domain.ports import START, Ahead, Due
from redrive.domain.values import canonical_json
from redrive.ledger.agenda_rows import ANY
from redrive.ledger.capacity_rows import CapacityRow, Line, WaiterRow
from redrive.ledger.database import Connection
from redrive.ledger.expected import Expectation, Expected
from redrive.ledger.limit_book import LimitBook
from redrive.ledger.mapper import tenant_named

LOOK_AGAIN_MS = 200
_AHEAD: dict[Ahead, str] = {
    "all": "blocking + reserving > 0",
    "passed_over": "reserving > 0",
    "elsewhere": "reserving > blocking",
}
MOST_AHEAD = 64
_PUT = (
    "INSERT INTO capacity VALUES (?, ?, ?, ?) ON CONFLICT (limit_key) DO UPDATE SET "
    "in_use = excluded.in_use, level = excluded.level, refilled_ms = excluded.refilled_ms"
)


class Capacity:
    """The tables, through one connection, under the limits of one book."""

    def __init__(self, connection: Connection, book: LimitBook, now_ms: int) -> None:
        self._connection, self.book, self._now_ms = connection, book, now_ms
        self._expected = Expected(connection, now_ms)

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
        query = "SELECT line, count(*) FROM waiters WHERE blocking > 0 GROUP BY line"
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

    def room(self, keys: Iterable[str], first: Mapping[str, First] | None = None) -> Room:
        """Whether one more may run or start under the limits with these keys; *first*: how many come first."""
        limits = [self.book.limits[key] for key in keys if key in self.book.limits]
        if not limits:
            return UNLIMITED
        return room_for_one((self.gauge(limit, (first or {}).get(limit.key, NOBODY)) for limit in limits), self._now_ms)

    def gauge(self, limit: Limit, first: First = NOBODY) -> Gauge:
        """Where a limit stands."""
        row = self.row(limit.key)
        return Gauge(limit, row.in_use, Bucket(row.level, row.refilled_ms), first.ahead, first.kept)

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
            "WHERE line = ? AND due_ms <= ? AND (due_ms, created) > (?, ?) AND blocking > 0 "
            "ORDER BY due_ms, created LIMIT ?"
        )
        groups = [
            [(*row, line.tenant) for row in self._connection.execute(query, (text, self._now_ms, *after, limit))]
            for text, line in self.lines(tenant, handlers)
            if line.tenant not in without and self._is_open(text, line.limit_key, tenant, handlers)
        ]
        found: dict[str, Due] = {}
        for due, created, run, owner in merge(*groups):
            found.setdefault(run, Due(run, tenant_named(owner), due, RunId(run), None, created))
        return list(found.values())[:limit]

    def places_of(self, run: RunId) -> list[tuple[Line, int]]:
        """The lines of limits that hold a run back, and since when it can go on in each."""
        rows = self._connection.execute("SELECT line, due_ms FROM waiters WHERE run = ? AND blocking > 0", (run,))
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

    def kept(
        self,
        key: str,
        tenant: Tenant | None,
        handlers: Container[str] | None,
        *,
        before: tuple[int, int] | None = None,
        run: str = "",
    ) -> int:
        """How many waiters other than *run* come first for a limit that this worker cannot execute, and that somebody
        else looked for just now; *before* limits it to those older than (due, created)."""
        if key not in self.book.limits or (handlers is None and tenant is None):
            return 0
        places = self._expected.all()
        others = {place.run for place in places if not place.is_for(tenant, handlers)} - {run}
        concerned: dict[str, list[Expectation]] = {}
        for place in places if others else ():
            if place.run in others and self._concerns(place, key):
                concerned.setdefault(place.run, []).append(place)
        return sum(
            not any(place.is_for(tenant, handlers) for place in places)
            and (before is None or min(place.place for place in places) < before)
            and self._lacks_only(key, places[0])
            for places in concerned.values()
        )

    def _concerns(self, place: Expectation, key: str) -> bool:
        """Whether somebody expected takes a slot of *key* next: of a limit of runs, when no other line holds it."""
        if key not in keys_of_run(tenant_named(place.line.tenant)):
            return place.line.limit_key == key
        return not place.blocking or not self.room((place.line.limit_key,)).full

    def _lacks_only(self, key: str, place: Expectation) -> bool:
        """Whether a slot of *key* is what somebody expected waits for, apart from slots that will be freed."""
        runs = [other for other in keys_of_run(tenant_named(place.line.tenant)) if other != key]
        return not self.room(runs).full and self._can_come(place.run, key)

    def first(
        self,
        key: str,
        tenant: Tenant | None,
        handlers: Container[str] | None,
        before: tuple[int, int] | None,
        run: str = "",
    ) -> First:
        """How many come first for the line of a limit: those that wait in another line, and who is expected."""
        ahead = self.ahead(key, tenant, handlers, who="elsewhere", run=run)
        return First(ahead, self.kept(key, tenant, handlers, before=before, run=run))

    def _is_open(self, text: str, key: str, tenant: Tenant | None, handlers: Container[str] | None) -> bool:
        if key not in self.book.limits:
            return True
        if self.room((key,)).full:
            return False
        place = next(iter(self._oldest_of(text, 1)), None)
        return not self.room((key,), {key: self.first(key, tenant, handlers, place and place[:2])}).full

    def allowed_ms(self, keys: Sequence[str], due_ms: int, first: Mapping[str, First] | None = None) -> int | None:
        """From when on limits allow what is due at a time: when there is no room, as soon as it is worth looking
        again; None when only an operator can change it."""
        room = self.room(keys, first)
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
            key = line.limit_key
            first = {key: self.first(key, tenant, handlers, (due, 2**62), run or "")}
            allowed = self.allowed_ms((key,), due, first)
            dues.append(allowed if allowed is None else self.run_allowed_ms(line.tenant, allowed, tenant, handlers))
        return min((due for due in dues if due is not None), default=None)

    def run_allowed_ms(
        self, owner: str, due_ms: int, tenant: Tenant | None, handlers: Container[str] | None
    ) -> int | None:
        """From when on limits of runs allow a worker to claim a run of *owner* that is due at a time."""
        keys = [key for key in keys_of_run(tenant_named(owner)) if key in self.book.limits]
        first = {key: First(0, self.kept(key, tenant, handlers, before=(due_ms, 2**62))) for key in keys}
        return self.allowed_ms(keys, due_ms, first)

    def _first_of_lines(self, tenant: Tenant | None, handlers: Container[str] | None) -> list[tuple[Line, int]]:
        lines = self.lines(tenant, handlers)
        return [(line, due) for text, line in lines for due, _, _ in self._oldest_of(text, 1)]

    def _oldest_of(self, text: str, most: int) -> list[tuple[int, int, str]]:
        """Who has waited longest in a line: (due, created, run), at most so many."""
        query = (
            "SELECT due_ms, created, run FROM waiters INDEXED BY waiters_line WHERE line = ? AND blocking > 0 "
            "ORDER BY due_ms, created LIMIT ?"
        )
        return self._connection.execute(query, (text, most)).fetchall()

    def put(self, row: CapacityRow) -> None:
        """Write a row."""
        self._connection.execute(_PUT, row)

    def remove(self, key: str) -> None:
        """Drop the row of a limit that is gone."""
        self._connection.execute("DELETE FROM capacity WHERE limit_key = ?", (key,))

    def replace_waiters(self, run: str, rows: Sequence[WaiterRow]) -> None:
        """Put a run in these lines, and in no others."""
        self._connection.execute("DELETE FROM waiters WHERE run = ?", (run,))
        if not rows:
            self._expected.remove(run)
        self._connection.executemany("INSERT INTO waiters VALUES (?, ?, ?, ?, ?, ?)", rows)

    def replace_all(self, rows: Sequence[CapacityRow], waiters: Sequence[WaiterRow]) -> None:
        """Write both tables anew."""
        self._connection.execute("DELETE FROM capacity")
        self._connection.execute("DELETE FROM waiters")
        for row in rows:
            self.put(row)
        self._connection.executemany("INSERT INTO waiters VALUES (?, ?, ?, ?, ?, ?)", waiters)
