"""The floor on PostgreSQL: what the same commits, rows, bytes and indexes cost without redrive.

A run of the real work is recorded at the engine's connection that writes: every statement that changes the log, with
its values, in the pieces in which they went to the server. Exactly these are then written to an empty log with the
same schema, on a connection with the same settings.

In it are: BEGIN, the lock under which positions are given, the events (one statement with arrays for each command),
the agenda's rows, the commit that does not wait, and the flush that does; positions are the log's last and what
follows, found by the server. A piece goes to the server as the engine's did, in one way there and back.

Not in it are: what is read (what is due, what others wrote, streams), the check that what was read did not move,
recorded times that may not go backwards, and the ring that wakes other processes.

What is sent is sent by ``redrive.ledger.postgres.pipeline``, because psycopg's own pipeline takes more of both
processors for the same statements: a floor on it would lie higher than the engine needs to.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import pq

import redrive
from benchmarks.measure import Cost, Stopwatch, ticking_clock
from redrive.ledger.postgres.appending import CREATED, INSERT
from redrive.ledger.postgres.connection import PostgresConnection
from redrive.ledger.postgres.pipeline import Pipeline, Statement
from redrive.ledger.postgres.recorder import PostgresRecorder
from redrive.ledger.seams import wrapping

Piece = list[Statement]
WRITES = ("INSERT", "UPDATE", "DELETE")
FLUSH = "SELECT set_config('synchronous_commit'"
KEPT = ("BEGIN", "SELECT pg_advisory_xact_lock", FLUSH, *WRITES, "COMMIT", "ROLLBACK")
EVENTS = (
    "INSERT INTO events SELECT last.position + n, s, v, t, st, te, c, r "
    "FROM unnest(?::text[], ?::bigint[], ?::text[], ?::bytea[], ?::text[], ?::text[], ?::bigint[]) "
    "WITH ORDINALITY AS u (s, v, t, st, te, c, r, n), "
    "(SELECT coalesce(max(position), 0) AS position FROM events) AS last"
)


class RecordingPipeline(Pipeline):
    """Remembers what was answered without an error."""

    pieces: list[Piece] | None = None

    def run(self, statements: Sequence[Statement]) -> "list[pq.abc.PGresult]":
        """Run, and remember."""
        found = super().run(statements)
        if self.pieces is not None:
            self.pieces.append(list(statements))
        return found


class RecordingConnection(PostgresConnection):
    """A connection whose pieces are remembered."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        super().__init__(connection)
        self._pipeline = self.recording = RecordingPipeline(connection)


def open_there(url: str) -> redrive.Engine:
    """An engine whose clock never waits, with dice that always show the same."""
    return redrive.open(url, clock=ticking_clock(), dice=lambda: 0.5)


def record(url: str, work: Callable[[redrive.Engine, int], None], runs: int) -> list[Piece]:
    """What *work* writes to the log at *url*, piece by piece, after what only the first run of a log writes."""
    token = wrapping.set(RecordingConnection)
    try:
        engine = open_there(url)
    finally:
        wrapping.reset(token)
    with engine:
        work(engine, 1)
        writer = engine.ledger.recorder.writer
        assert isinstance(writer, RecordingConnection)
        begun = engine.ledger.last_position()
        pieces = writer.recording.pieces = []
        work(engine, runs)
        writer.recording.pieces = None
        written = engine.ledger.last_position() - begun
    kept = that_write(pieces)
    assert inserts(kept) == written, f"{inserts(kept)} of {written} events were recorded"
    return kept


def replay(url: str, pieces: Sequence[Piece], ready: Callable[[], None] = lambda: None) -> Cost:
    """Write the recorded pieces to the log at *url*, as soon as it is *ready*."""
    with _writer(url) as raw:
        run = Pipeline(raw, b"floor").run
        ready()
        with Stopwatch() as watch:
            for piece in pieces:
                run(piece)
    return watch.cost


@contextmanager
def _writer(url: str) -> Iterator["psycopg.Connection[Any]"]:
    """The connection on which an engine would write, with its settings."""
    recorder = PostgresRecorder()
    recorder.open(url, busy_timeout_ms=60_000, durable=True)
    try:
        yield recorder.writer.raw
    finally:
        recorder.close()


def inserts(pieces: Sequence[Piece]) -> int:
    """How many events are inserted."""
    return sum(len(values[0]) for piece in pieces for sql, values in piece if sql is EVENTS)


def commits(pieces: Sequence[Piece]) -> int:
    """How many commits there are."""
    return sum(sql == "COMMIT" for piece in pieces for sql, _ in piece)


def that_write(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces without what only reads, and without transactions that wrote nothing."""
    kept: list[Piece] = []
    for piece in pieces:
        writing = [_plain(sql, values) for sql, values in piece if sql.startswith(KEPT)]
        if writing and writing[-1][0] == "ROLLBACK":
            assert len(writing) == 1, "a transaction that wrote was undone"
            assert not any(sql.startswith(WRITES) for sql, _ in kept[-1]), "a transaction that wrote was undone"
            kept.pop()
        elif any(not sql.startswith(FLUSH) for sql, _ in writing):
            kept.append(writing)
    return kept


def _plain(sql: str, values: Sequence[Any]) -> Statement:
    """A statement without what it asks about others who may have written meanwhile."""
    return (EVENTS, values[1:]) if sql == INSERT else (sql.replace(CREATED, "?4"), values)
