"""Connections for reading: any number of threads, few connections, and a server that was away."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from redrive import StorageError
from redrive.ledger.postgres.readers import MOST_READERS, Readers
from redrive.ledger.postgres.recorder import PostgresRecorder
from redrive.ledger.storage_errors import DatabaseFault
from tests.ledger.world import World
from tests.processes.workshop import running


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[PostgresRecorder]:
    """Of a log that is open."""
    world = World(tmp_path / "log.db")
    assert isinstance(world.ledger.recorder, PostgresRecorder)
    yield world.ledger.recorder
    world.ledger.close()


def test_many_threads_share_few_connections(recorder: PostgresRecorder) -> None:
    """Who comes when all are lent waits for one."""
    readers = recorder._readers

    def read() -> None:
        for _ in range(3):
            readers.execute("SELECT pg_sleep(0.02)")

    with ExitStack() as threads:
        for _ in range(20):
            threads.enter_context(running(read))
    assert 1 <= len(readers._idle) <= MOST_READERS


def test_connections_that_were_lost_are_not_tried_one_by_one(recorder: PostgresRecorder) -> None:
    """One statement finds out for all of them."""
    readers, kept = recorder._readers, [recorder._connected_to_read() for _ in range(5)]
    for connection in kept:
        readers._give_back(connection)
        recorder.writer.execute("SELECT pg_terminate_backend(?::int, 10000)", (connection.raw.info.backend_pid,))
    assert readers.execute("SELECT 1").fetchone() == (1,)
    assert len(readers._idle) == 1
    assert all(connection.broken for connection in kept)


def test_a_statement_that_is_refused_costs_no_connection(recorder: PostgresRecorder) -> None:
    """Nor is it run twice."""
    readers = recorder._readers
    readers.execute("SELECT 1")
    (before,) = readers._idle
    for statement in ("SELECT 1 / 0", "DELETE FROM meta"):
        with pytest.raises(DatabaseFault):
            readers.execute(statement)
    assert readers._idle == [before]


def test_who_waits_for_too_long_is_told() -> None:
    """And a place that was lent for a connection that could not be made is given back."""

    def unreachable() -> None:
        raise DatabaseFault("away")

    readers = Readers(unreachable, 50)  # type: ignore[arg-type]
    for _ in range(2 * MOST_READERS):
        with pytest.raises(DatabaseFault, match="away"):
            readers.execute("SELECT 1")
    for _ in range(MOST_READERS):
        readers._room.acquire()
    with pytest.raises(DatabaseFault, match="too many threads"):
        readers.execute("SELECT 1")


def test_closing_while_somebody_reads(recorder: PostgresRecorder) -> None:
    """Who reads gets an answer, and its connection is closed then."""
    readers, asked = recorder._readers, threading.Event()
    lent = recorder._connected_to_read()

    def read() -> None:
        asked.set()
        assert readers._on(lent, "SELECT 1 FROM pg_sleep(0.3)", ()).fetchone() == (1,)

    with running(read):
        asked.wait()
        readers.close()
    assert lent.broken
    with pytest.raises(StorageError, match="closed"):
        readers.execute("SELECT 1")
