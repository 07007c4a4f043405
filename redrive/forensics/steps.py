"""A view that is folded step by step, by one who looks at it in between: for diffs and invariants.

It is a file of its own that nobody else opens, so it needs no journal and no flushes; it goes when it is closed.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Self

from redrive.domain.event import Recorded
from redrive.forensics.checkpoints import EVERY, ViewCheckpoints
from redrive.forensics.positions import Position
from redrive.forensics.prefix import LogPrefix, Progress
from redrive.forensics.private import PrivateView
from redrive.ledger.database import Row
from redrive.ledger.mapper import shown
from redrive.projections import fold
from redrive.projections.batch import Batch, collector_paused
from redrive.projections.graphs import Graphs
from redrive.projections.view_file import view_errors

if TYPE_CHECKING:
    from redrive.engine import Engine

PER_TRANSACTION = 20_000


class Steps:
    """The views as they stood at *start*, to be moved on by hand up to *end*: a context manager."""

    def __init__(
        self,
        engine: "Engine",
        start: Position,
        end: Position,
        progress: Progress | None,
        every: int | None,
    ) -> None:
        checkpoints = ViewCheckpoints(engine.ledger, engine.views, EVERY if every is None else every)
        self.start, self.end = start, end
        self.position = start.position
        self.events = 0
        self._ledger, self._progress = engine.ledger, progress
        self._graphs = Graphs()
        self._private = PrivateView(LogPrefix(engine.ledger, start, progress), engine.views, checkpoints, on_disk=True)
        assert self._private.view.path is not None
        self._private.view.close()
        self._path = self._private.view.path
        with view_errors(self._path):
            self.connection = sqlite3.connect(self._path, isolation_level=None, cached_statements=256)
            for pragma in ("journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF", "cache_size = -65536"):
                self.connection.execute(f"PRAGMA {pragma}")
            self.connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self.connection.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def batches(self, size: int = 256, wanted: Callable[[Row], bool] | None = None) -> Iterator[list[Recorded]]:
        """The events beyond *start*, batch by batch, still to be folded by whoever asks; only those whose row is
        *wanted*, when that is given: no other is decoded."""
        begun, written = self.start.position, self.start.position
        for rows in self._ledger.rows(self.start.position, self.end.position, size):
            with collector_paused():
                events = shown(rows if wanted is None else [row for row in rows if wanted(row)])
            yield events
            self.events += len(rows)
            last = rows[-1][0]
            if last - written >= PER_TRANSACTION:
                self.connection.execute("COMMIT")
                self.connection.execute("BEGIN")
                written = last
            if self._progress is not None:
                self._progress(last - begun, self.end.position - begun)

    def batch(self) -> Batch:
        """Rows in memory, for one or several events."""
        return Batch(self.connection, self._graphs)

    def fold(self, events: Sequence[Recorded]) -> None:
        """Fold *events*, and write what they change."""
        batch = self.batch()
        with collector_paused():
            fold.fold(batch, events)
            fold.write(batch)
        self.position = events[-1].position

    def go_to(self, position: int) -> None:
        """Fold what lies between here and *position*."""
        for events in self._ledger.replay(self.position, position):
            self.fold(events)

    def drop_indexes(self) -> None:
        """Do without the indexes that only queries need: a fold that nobody queries is faster so."""
        names = self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        for (name,) in names.fetchall():
            self.connection.execute(f"DROP INDEX {name}")

    def close(self) -> None:
        """Throw it away."""
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()
        self._private.close()
