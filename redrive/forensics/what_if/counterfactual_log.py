"""Counterfactual logs: the recorded events of the runs that stay as they were, and the others' counterfactual ones, in
a database of their own that is thrown away. The ordinary views are folded from them."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from redrive.domain.event import Recorded
from redrive.forensics.private import PrivateFolder
from redrive.forensics.what_if.bounds import Ends
from redrive.ledger.mapper import decode, row_of
from redrive.projections.queries import Queries
from redrive.projections.view import CHUNK, View

if TYPE_CHECKING:
    from redrive.engine import Engine

Side = Literal["lower", "upper"]
_TABLES = """
CREATE TABLE written (
    number INTEGER PRIMARY KEY, side TEXT, at_ms INTEGER, stream TEXT, version INTEGER, topic TEXT, state BLOB,
    tenant TEXT, correlation TEXT
);
CREATE TABLE line (side TEXT, position INTEGER, recorded INTEGER, number INTEGER, PRIMARY KEY (side, position))
WITHOUT ROWID;
"""


class CounterfactualLogs:
    """Two logs that never were: *lower*, in which everything unknown fails, and *upper*, in which it succeeds."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._written = False
        self._parted: dict[str, int] = {}
        self._gone: set[str] = set()
        self._ends: Callable[[str, int], Ends] | None = None
        self._private = PrivateFolder(engine.views.path)
        self.folder = self._private.place
        self._db = sqlite3.connect(self.folder / "events.db", isolation_level=None, check_same_thread=False)
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; " + _TABLES)
        self._db.execute("BEGIN")

    def part(self, parted: dict[str, int], gone: set[str], ends: Callable[[str, int], Ends]) -> None:
        """From its position on, what was recorded of each run in *parted* does not hold; nothing else does of those
        that are *gone*. *ends* plays both courses of a run that parted at a position."""
        self._parted, self._gone, self._ends = parted, gone, ends

    def _write(self) -> None:
        """Write what would have been recorded: once somebody asks for it, since a report needs none of it."""
        if self._written:
            return
        self._written = True
        assert self._ends is not None
        for run, position in sorted(self._parted.items(), key=itemgetter(1)):
            if run in self._gone:
                continue
            lower, upper = self._ends(run, position)
            self._keep(lower.events, upper.events)

    def _keep(self, lower: Sequence[Recorded], upper: Sequence[Recorded]) -> None:
        below = [(recorded.recorded_at_ms, *row_of(recorded)[:6]) for recorded in lower]
        above = below if upper is lower else [(recorded.recorded_at_ms, *row_of(recorded)[:6]) for recorded in upper]
        for side, rows in (("lower", below), ("upper", above)):
            self._db.executemany(
                f"INSERT INTO written (side, at_ms, stream, version, topic, state, tenant, correlation)"
                f" VALUES ('{side}', ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def line_up(self, side: Side, until: int) -> None:
        """Number the events of one log, by time; what is recorded stands in its recorded order."""
        self._write()
        if self._db.execute("SELECT 1 FROM line WHERE side = ? LIMIT 1", (side,)).fetchone():
            return
        position = 0
        waiting = self._db.execute(
            "SELECT at_ms, number FROM written WHERE side = ? ORDER BY at_ms, number", (side,)
        ).fetchall()
        waiting.reverse()
        for at, recorded_ms, correlation in self._recorded(until):
            if self._parted.get(correlation, at + 1) <= at:
                continue
            while waiting and waiting[-1][0] < recorded_ms:
                position += 1
                self._db.execute("INSERT INTO line VALUES (?, ?, NULL, ?)", (side, position, waiting.pop()[1]))
            position += 1
            self._db.execute("INSERT INTO line VALUES (?, ?, ?, NULL)", (side, position, at))
        while waiting:
            position += 1
            self._db.execute("INSERT INTO line VALUES (?, ?, NULL, ?)", (side, position, waiting.pop()[1]))

    def _recorded(self, until: int) -> Iterator[tuple[int, int, str]]:
        reader = self._engine.ledger.recorder.reader()
        yield from reader.execute(
            "SELECT position, recorded_at_ms, correlation FROM events WHERE position <= ? ORDER BY position", (until,)
        )

    def after(self, side: Side, after: int, until: int, limit: int) -> list[Recorded]:
        """The events of one log beyond *after*."""
        rows = self._db.execute(
            "SELECT line.position, recorded, stream, version, topic, state, tenant, correlation, at_ms FROM line"
            " LEFT JOIN written ON written.number = line.number"
            " WHERE line.side = ? AND line.position > ? AND line.position <= ? ORDER BY line.position LIMIT ?",
            (side, after, until, limit),
        ).fetchall()
        told = {r.position: r for r in self._engine.ledger.at_positions([row[1] for row in rows if row[1] is not None])}
        found: list[Recorded] = []
        for row in rows:
            recorded = None if row[1] is None else told[row[1]]
            found.append(decode(row[0], *row[2:]) if recorded is None else recorded._replace(position=row[0]))
        return found

    def last(self, side: Side) -> int:
        """The last position of one log."""
        return self._db.execute("SELECT max(position) FROM line WHERE side = ?", (side,)).fetchone()[0] or 0

    def close(self) -> None:
        """Throw everything away."""
        self._db.close()
        self._private.remove()


class CounterfactualLog:
    """One of the two, as views read a log."""

    def __init__(self, logs: CounterfactualLogs, side: Side, id_: str) -> None:
        self._logs, self._side, self.id = logs, side, id_

    def replay(self, after: int = 0, until: int | None = None, batch: int = CHUNK) -> Iterator[list[Recorded]]:
        """The log beyond position *after*, batch by batch."""
        while events := self._logs.after(self._side, after, 2**62 if until is None else until, batch):
            yield events
            after = events[-1].position

    def tip(self) -> tuple[int]:
        """The end of it."""
        return (self._logs.last(self._side),)

    def event_id_at(self, position: int) -> str | None:
        """The id of the event at *position*."""
        found = self._logs.after(self._side, position - 1, position, 1)
        return found[0].event_id if found else None


class CounterfactualViews(Queries):
    """The ordinary views, folded over a log that never was: ``dead_letters()``, ``runs()``, ``queue("failed")``."""

    def __init__(self, logs: CounterfactualLogs, side: Side, origin: str, until: int) -> None:
        logs.line_up(side, until)
        log = CounterfactualLog(logs, side, f"COUNTERFACTUAL {side} of {origin}")
        self.view = View(log, str(logs.folder / f"{side}.db"))
        super().__init__(self.view, None)

    def close(self) -> None:
        """Close the view."""
        self.view.close()
