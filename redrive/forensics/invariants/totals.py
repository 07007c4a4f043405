"""Watching a condition over aggregates: what each row gives is kept in totals, so that no table is read again.

Only whole numbers are kept: what is added and taken away of them is exact. A query that meets anything else is asked
again from there on, as any other is.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, TypeGuard

from redrive.domain.errors import InvalidValue
from redrive.domain.event import Recorded
from redrive.forensics.invariants.aggregates import Aggregate, Condition
from redrive.forensics.invariants.invariant import Guard
from redrive.forensics.invariants.touching import touching
from redrive.forensics.invariants.watching import (
    MOST_REMEMBERED,
    WRITE_AFTER,
    AskedAgain,
    How,
    Now,
    Wants,
    as_written,
    rows_touched,
)
from redrive.forensics.steps import Steps
from redrive.projections import fold
from redrive.projections.batch import Batch, collector_paused
from redrive.projections.tables import Row

_MOST = 2**45
"""Of one row, so that SQLite's own sum of a quarter of a million of them does not overflow either."""


class _NotKept(Exception):
    """A row gives something else than a whole number."""


class Total:
    """One aggregate, and what the rows give to it that were touched since the views were written last."""

    def __init__(self, steps: Steps, guard: Guard, what: Aggregate) -> None:
        self.table = table = what.table
        self._guard, self._function, self._sign = guard, what.function, -1 if what.function == "max" else 1
        key, source = table.key[0], f"FROM {table.name} AS {what.alias}"
        reads = guard.reads(f"SELECT {what.gives} {source}")
        if not reads.keys() <= {table.name}:
            raise InvalidValue("invariant", what.gives, "an aggregate of the columns of one table")
        columns = sorted(reads.get(table.name, set()) & set(table.columns)) or [key]
        types = {name: kind for _, name, kind, *_ in steps.connection.execute(f"PRAGMA table_info({table.name})")}
        cast = ", ".join(f"CAST(? AS {types[name]}) AS {name}" for name in columns)
        self._of_row = f"SELECT {what.gives} FROM (SELECT {cast}) AS {what.alias}"
        self._of_stored = f"SELECT {what.gives} {source} WHERE {key} = ?"
        self._values = as_written(table, columns)
        self.touching = touching(table, columns)
        self._known: dict[tuple[Any, ...], int | None] = {}
        self.given: dict[str, int | None] = {}
        self.asked = 0
        given = f"(SELECT {what.gives} AS given {source})"
        self._begin(f"SELECT given, count(*) FROM {given} GROUP BY given, typeof(given)")

    def _begin(self, query: str) -> None:
        """Count what there is."""
        found = self._guard.ask(query, (), MOST_REMEMBERED + 1)
        if len(found) > MOST_REMEMBERED or not all(_is_kept(given) for given, _ in found):
            raise InvalidValue("invariant", query, "whole numbers, not too many different ones")
        self._held: Counter[int] = Counter({given: count for given, count in found if given is not None})
        self._heap = [self._sign * given for given in self._held]
        heapify(self._heap)
        self._count, self._sum = self._held.total(), sum(given * count for given, count in self._held.items())

    def follow(self, id_: str, row: Row, *, is_new: bool) -> bool:
        """Take a row as it is now; whether it gives something else than before. Raises _NotKept."""
        values = self._values(row)
        try:
            now = self._known[values]
        except KeyError:
            now = self._remember(values)
        try:
            before = self.given[id_]
        except KeyError:
            before = None if is_new else self._asked(self._of_stored, (id_,))
        self.given[id_] = now
        if now == before:
            return False
        if now is not None:
            self._add(now)
        if before is not None:
            self._take(before)
        return True

    def _add(self, given: int) -> None:
        self._count, self._sum = self._count + 1, self._sum + given
        if self._function in ("max", "min"):
            self._held[given] += 1
            if self._held[given] == 1:
                heappush(self._heap, self._sign * given)
                self._let_go()

    def _let_go(self) -> None:
        """Of what no row gives any more, the heap keeps only a part. Raises _NotKept where there is too much."""
        if len(self._held) > MOST_REMEMBERED:
            raise _NotKept
        if len(self._heap) > 2 * len(self._held) + 1_000:
            self._heap = [self._sign * given for given in self._held]
            heapify(self._heap)

    def _take(self, given: int) -> None:
        self._count, self._sum = self._count - 1, self._sum - given
        if self._function in ("max", "min"):
            self._held[given] -= 1
            if not self._held[given]:
                del self._held[given]

    def value(self) -> int | None:
        """What the aggregate is now. Raises _NotKept when SQLite could not say it."""
        if self._function == "count":
            return self._count
        if not self._count:
            return None
        if self._function == "sum":
            if abs(self._sum) >= 2**63:
                raise _NotKept
            return self._sum
        while self._sign * self._heap[0] not in self._held:
            heappop(self._heap)
        return self._sign * self._heap[0]

    def _remember(self, values: tuple[Any, ...]) -> int | None:
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        given = self._known[values] = self._asked(self._of_row, values)
        return given

    def _asked(self, query: str, values: tuple[Any, ...]) -> int | None:
        self.asked += 1
        found = self._guard.ask(query, values, 1)
        given = found[0][0] if found else None
        if not _is_kept(given):
            raise _NotKept
        return given


def _is_kept(given: object) -> TypeGuard[int | None]:
    return given is None or (type(given) is int and abs(given) < _MOST)


class Totals:
    """Watches a condition over aggregates."""

    how: How = "by_query"

    def __init__(self, steps: Steps, guard: Guard, what: Condition) -> None:
        self._steps, self._guard = steps, guard
        self._condition = f"SELECT ({what.sql}\n)"
        if guard.reads(self._condition, (None,) * len(what.aggregates)):
            raise InvalidValue("invariant", what.sql, "a condition on nothing but its aggregates")
        self._totals = [Total(steps, guard, one) for one in what.aggregates]
        self._by_table: dict[str, list[Total]] = {}
        for total in self._totals:
            self._by_table.setdefault(total.table.name, []).append(total)
        may_touch = [total.touching for total in self._totals]
        self._chosen = frozenset[type]().union(*(one.classes for one in may_touch))
        self.wants: Wants = may_touch[0].wants
        if len(may_touch) > 1:
            self.wants = lambda row: any(one.wants(row) for one in may_touch)
        self._known: dict[tuple[int | None, ...], bool] = {}
        self._verdicts = 0
        self._violated = self._is_violated()
        steps.drop_indexes()
        self._batch, self._folded = steps.batch(), 0
        self._otherwise: AskedAgain | None = None

    @property
    def asked(self) -> int:
        """How often SQLite was."""
        otherwise = 0 if self._otherwise is None else self._otherwise.asked
        return self._verdicts + sum(total.asked for total in self._totals) + otherwise

    def begin(self) -> Now:
        """The verdict before the first event."""
        return Now(None, self._violated)

    def after(self, events: Sequence[Recorded]) -> Iterator[Now]:
        """Fold *events*; the verdicts where they flip."""
        if self._otherwise is not None:
            yield from self._otherwise.after(events)
            return
        events = [event for event in events if event.event.__class__ in self._chosen]
        flips, seen = list[Now](), list[Recorded]()

        def look(event: Recorded) -> None:
            seen.append(event)
            if self._changes(event) and (violated := self._is_violated()) != self._violated:
                self._violated = violated
                flips.append(Now(event, violated))

        try:
            with collector_paused():
                fold.fold(self._batch, events, look)
        except _NotKept:
            yield from flips
            yield from self._ask_from(seen[-1], events[len(seen) :])
            return
        self._folded += len(events)
        if self._folded >= WRITE_AFTER:
            self._write()
        yield from flips

    def _changes(self, event: Recorded) -> bool:
        """Whether *event* changed what a row gives. Raises _NotKept."""
        changed = False
        for table, id_, row in rows_touched(self._batch, event):
            for total in self._by_table.get(table.name, ()):
                changed |= total.follow(id_, row, is_new=event.version == 1 and event.stream == id_)
        return changed

    def _is_violated(self) -> bool:
        values = tuple([total.value() for total in self._totals])
        violated = self._known.get(values)
        if violated is None:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._verdicts += 1
            violated = self._known[values] = self._guard.is_violated(self._condition, values)
        return violated

    def _ask_from(self, event: Recorded, events: Sequence[Recorded]) -> Iterator[Now]:
        """Ask again from now on: *event* is folded, *events* are not."""
        self._write()
        self._otherwise = AskedAgain(self._steps, self._guard, 1)
        yield self._otherwise.begin()._replace(event=event)
        if events:
            yield from self._otherwise.after(events)

    def _write(self) -> None:
        batch: Batch = self._batch
        batch.texts.clear()  # nothing that is read follows from these
        fold.write(batch)
        self._batch, self._folded = self._steps.batch(), 0
        for total in self._totals:
            total.given.clear()
