"""The floor: what the same commits, rows, bytes and indexes cost without redrive.

A run of the real work is recorded: every statement that changes the log, with its values, and every BEGIN and
COMMIT between them. Replaying exactly these through the bare ``sqlite3`` module, on an empty log with the same
schema and settings, is the least that any engine with this log could take.
"""

import functools
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import redrive
from benchmarks.measure import Cost, Stopwatch, open_log
from redrive.ledger.schema import connect, prepare
from redrive.ledger.seams import connecting

Step = tuple[str, str, Any]
WRITES = ("BEGIN", "COMMIT", "ROLLBACK", "INSERT", "REPLACE", "UPDATE", "DELETE")


class RecordingCursor(sqlite3.Cursor):
    """A cursor that remembers, with its connection, what it was told to write."""

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        """Execute, and remember writes."""
        self.connection.remember("execute", sql, tuple(parameters))  # type: ignore[attr-defined]
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Self:
        """Execute, and remember."""
        rows = list(parameters)
        self.connection.remember("executemany", sql, rows)  # type: ignore[attr-defined]
        return super().executemany(sql, rows)


class RecordingConnection(sqlite3.Connection):
    """A connection that remembers what it was told to write, itself or through cursors of its own."""

    steps: list[Step] | None = None

    def remember(self, verb: str, sql: str, values: Any) -> None:
        """Keep a step that writes."""
        if self.steps is not None and sql.startswith(WRITES):
            self.steps.append((verb, sql, values))

    def cursor(self, factory: Any = RecordingCursor) -> Any:
        """A cursor that remembers; also what the connection's own ``execute`` uses."""
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute, and remember writes."""
        found: sqlite3.Cursor = self.cursor().execute(sql, parameters)
        return found

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Execute, and remember."""
        found: sqlite3.Cursor = self.cursor().executemany(sql, parameters)
        return found


@contextmanager
def _recording() -> Iterator[None]:
    token = connecting.set(functools.partial(sqlite3.connect, factory=RecordingConnection))
    try:
        yield
    finally:
        connecting.reset(token)


def record(path: Path, work: Callable[[redrive.Engine], None]) -> list[Step]:
    """What *work* writes to the log, step by step."""
    with _recording():
        engine = open_log(path)
    with engine:
        writer = engine.ledger.recorder.writer
        assert isinstance(writer, RecordingConnection)
        steps: list[Step] = []
        begun = engine.ledger.last_position()
        writer.steps = steps
        work(engine)
        written, recorded = engine.ledger.last_position() - begun, inserts(steps)
        assert recorded == written, f"{recorded} of {written} events were recorded"
        return _without_empty(steps)


def replay(path: Path, steps: list[Step]) -> Cost:
    """Write the recorded steps to an empty log at *path*."""
    connection = connect(str(path), busy_timeout_ms=10_000)
    try:
        prepare(connection, str(path))
        calls = [(getattr(connection, verb), sql, values) for verb, sql, values in steps]
        with Stopwatch() as watch:
            for call, sql, values in calls:
                call(sql, values)
    finally:
        connection.close()
    return watch.cost


def inserts(steps: list[Step]) -> int:
    """How many events are inserted among *steps*."""
    many = ((verb, len(values)) for verb, sql, values in steps if sql.startswith("INSERT INTO events"))
    return sum(rows if verb == "executemany" else 1 for verb, rows in many)


def commits(steps: list[Step]) -> int:
    """How many commits there are among *steps*."""
    return sum(sql == "COMMIT" for _, sql, _ in steps)


def _without_empty(steps: list[Step]) -> list[Step]:
    """The steps without transactions that wrote nothing: the floor does not look for work that is not there."""
    kept: list[Step] = []
    for step in steps:
        if step[1] == "ROLLBACK":
            assert kept[-1][1].startswith("BEGIN"), "a transaction that wrote was undone"
            kept.pop()
        else:
            kept.append(step)
    return kept
