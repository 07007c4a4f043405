"""Ways to watch an invariant while the log is folded: each says where its verdict may have changed."""

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Literal, NamedTuple, Protocol

from redrive.domain.errors import InvalidValue
from redrive.domain.event import Recorded
from redrive.forensics.invariants.invariant import BY_ROW, ByRow, Guard
from redrive.forensics.invariants.touching import touching
from redrive.forensics.steps import Steps
from redrive.ledger.database import Row as LogRow
from redrive.projections import fold, queues
from redrive.projections.batch import Batch, collector_paused
from redrive.projections.tables import Row, Table

WRITE_AFTER = 8_192
MOST_REMEMBERED = 100_000

Wants = Callable[[LogRow], bool] | None
How = Literal["by_row", "by_query", "by_predicate"]


class Now(NamedTuple):
    """A verdict: after *event* (None: before the first), with some of the rows that violate."""

    event: Recorded | None
    violated: bool
    rows: tuple[dict[str, Any], ...] = ()


class Watch(Protocol):
    """A way to watch."""

    wants: Wants
    """Whether the event that is stored in a row may change the verdict; None: any may."""

    @property
    def asked(self) -> int:
        """How often the invariant itself was."""

    @property
    def how(self) -> How:
        """Its kind."""

    def begin(self) -> Now:
        """The verdict before the first event."""

    def after(self, events: Sequence[Recorded]) -> Iterator[Now]:
        """Fold *events*; the verdicts where they may have changed."""


def rows_touched(batch: Batch, event: Recorded) -> Iterator[tuple[Table, str, Row]]:
    """The rows of runs, dead letters, effects and compensations that *event* may have changed."""
    stream, run = event.stream, event.correlation
    for id_ in (stream, run) if stream != run else (stream,):
        if (row := batch.runs.get(id_)) is not None:
            yield BY_ROW["runs"], id_, row
    for name, rows in (
        ("dead_letters", batch.letters),
        ("effects", batch.effects),
        ("compensations", batch.compensations),
    ):
        if (row := rows.get(stream)) is not None:
            yield BY_ROW[name], stream, row


def as_written(table: Table, columns: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
    """What gives these columns of a row of *table* in memory, as they will be written."""
    chosen = itemgetter(*columns) if len(columns) > 1 else lambda row: (row[columns[0]],)
    if table.name != "runs" or not _MADE_WHEN_WRITTEN.keys() & set(columns):
        return chosen

    if len(columns) == 1:
        only = _MADE_WHEN_WRITTEN[columns[0]]
        return lambda row: (only(row),)
    made = [_MADE_WHEN_WRITTEN.get(name) or itemgetter(name) for name in columns]
    return lambda row: tuple([make(row) for make in made])


def _bits(row: Row) -> str:
    bits: int = row["succeeded_bits"]
    return f"{bits:x}" if bits else ""


_MADE_WHEN_WRITTEN: dict[str, Callable[[Row], Any]] = {"needs_review": queues.needs_review, "succeeded_bits": _bits}
"""The columns of runs that are in memory in another form, or not at all."""


class RowByRow:
    """Watches a row invariant: which rows violate it, by what they hold."""

    how: How = "by_row"

    def __init__(self, steps: Steps, guard: Guard, what: ByRow) -> None:
        self._steps, self._guard, self._what = steps, guard, what
        table, key = what.table, what.table.key[0]
        reads = guard.reads(f"SELECT 1 FROM {table.name} AS {what.alias} WHERE ({what.condition}\n)")
        if not reads.keys() <= {table.name}:
            raise InvalidValue("invariant", what.condition, "a condition on the columns of one table")
        self._columns = sorted(reads.get(table.name, set()) & set(table.columns)) or [key]
        types = {name: kind for _, name, kind, *_ in steps.connection.execute(f"PRAGMA table_info({table.name})")}
        cast = ", ".join(f"CAST(? AS {types[name]}) AS {name}" for name in self._columns)
        self._one = f"SELECT EXISTS (SELECT 1 FROM (SELECT {cast}) AS {what.alias} WHERE ({what.condition}\n))"
        guard.ask(self._one, (None,) * len(self._columns), 1)
        self._values = as_written(table, self._columns)
        self._named = tuple(dict.fromkeys((*table.key, *self._columns)))
        self._shown = as_written(table, self._named)
        self._known: dict[tuple[Any, ...], bool] = {}
        query = f"SELECT {key} FROM {table.name} AS {what.alias} WHERE ({what.condition}\n)"
        self._violating = {row[0] for row in guard.ask(query, (), 2**31 - 1)}
        self.asked = 0
        self._sampled = guard.sample() if self._violating else ()
        touches = touching(table, self._columns)
        self._chosen = touches.classes
        self.wants: Wants = touches.wants
        steps.drop_indexes()
        self._batch, self._folded = steps.batch(), 0

    def begin(self) -> Now:
        """The verdict before the first event."""
        return Now(None, bool(self._violating), self._sampled)

    def after(self, events: Sequence[Recorded]) -> Iterator[Now]:
        """Fold *events*; the verdicts where they flip."""
        flips: list[Now] = []
        violating, known, values_of = self._violating, self._known, self._values
        rows, of_runs = self._rows(), self._what.table.name == "runs"

        def look(event: Recorded) -> None:
            before, bad_row = bool(violating), None
            stream = event.stream
            for id_ in (stream, event.correlation) if of_runs and event.correlation != stream else (stream,):
                if (row := rows.get(id_)) is None:
                    continue
                values = values_of(row)
                bad = known.get(values)
                if bad is None:
                    bad = self._judge(values)
                if bad:
                    violating.add(id_)
                    bad_row = row
                else:
                    violating.discard(id_)
            if bool(violating) != before:
                flips.append(Now(event, not before, () if bad_row is None else self._sample(bad_row)))

        chosen = self._chosen
        events = [event for event in events if event.event.__class__ in chosen]
        if events:
            with collector_paused():
                fold.fold(self._batch, events, look)
        self._folded += len(events)
        if self._folded >= WRITE_AFTER:
            self._write()
        yield from flips

    def _rows(self) -> dict[str, Row]:
        """The rows of its table that are in memory."""
        match self._what.table.name:
            case "runs":
                return self._batch.runs
            case "dead_letters":
                return self._batch.letters
            case "effects":
                return self._batch.effects
            case _:
                return self._batch.compensations

    def _judge(self, values: tuple[Any, ...]) -> bool:
        self.asked += 1
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        bad = self._known[values] = bool(self._guard.ask(self._one, values, 1)[0][0])
        return bad

    def _sample(self, row: Row) -> tuple[dict[str, Any], ...]:
        return (dict(zip(self._named, self._shown(row), strict=True)),)

    def _write(self) -> None:
        batch = self._batch
        for unread in (batch.texts, batch.waiting, batch.approvals, batch.unknown, batch.events):
            unread.clear()  # nothing that a row invariant reads follows from these
        fold.write(batch)
        self._batch, self._folded = self._steps.batch(), 0


class AskedAgain:
    """Watches any query: asks it again where what it reads may have changed, or *every* so many events."""

    how: How = "by_query"
    wants: Wants = None

    def __init__(self, steps: Steps, guard: Guard, every: int) -> None:
        self._steps, self._guard, self._every = steps, guard, every
        self.asked = 0
        reads = guard.reads()
        self._rowwise = {
            name: as_written(BY_ROW[name], columns)
            for name in reads
            if name in BY_ROW and (columns := sorted(reads[name] & set(BY_ROW[name].columns)))
        }
        self._counted = {name for name in reads if name in BY_ROW and name not in self._rowwise}
        self._elsewhere = bool(reads.keys() - BY_ROW.keys())
        self._seen: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._batch, self._folded, self._changed = steps.batch(), 0, False
        self._reads_texts = bool({"texts", "mentions"} & reads.keys())

    def begin(self) -> Now:
        """The verdict before the first event."""
        return self._verdict(None)

    def after(self, events: Sequence[Recorded]) -> Iterator[Now]:
        """Fold *events*; the verdicts where they may have changed."""
        if self._every > 1:
            fold.fold(self._batch, events)
            self._write()
            yield self._verdict(events[-1])
            return
        for event in events:
            fold.fold(self._batch, (event,), self._look)
            self._folded += 1
            if self._changed:
                self._write()
                yield self._verdict(event)
            elif self._folded >= WRITE_AFTER:
                self._write()

    def _look(self, event: Recorded) -> None:
        """Whether what the query reads may be another than before *event*."""
        changed = self._elsewhere
        for table, id_, row in rows_touched(self._batch, event):
            name = table.name
            if (values_of := self._rowwise.get(name)) is not None:
                values = values_of(row)
                if self._seen.get((name, id_)) != values:
                    self._remember((name, id_), values)
                    changed = True
            elif name in self._counted and (name, id_) not in self._seen:
                self._remember((name, id_), ())
                changed = True
        self._changed = changed

    def _remember(self, key: tuple[str, str], values: tuple[Any, ...]) -> None:
        if len(self._seen) >= MOST_REMEMBERED:
            self._seen.clear()
        self._seen[key] = values

    def _write(self) -> None:
        if not self._reads_texts:
            self._batch.texts.clear()
        fold.write(self._batch)
        self._batch, self._folded, self._changed = self._steps.batch(), 0, False

    def _verdict(self, event: Recorded | None) -> Now:
        self.asked += 1
        violated = self._guard.is_violated()
        return Now(event, violated, self._guard.sample() if violated else ())
