"""One connection: what fails leaves nothing half done; what was kept back gets into no other transaction."""

import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from redrive.ledger.postgres.connection import PostgresConnection
from redrive.ledger.storage_errors import DatabaseFault
from tests.ledger.world import World

PUT = "INSERT INTO pg_temp.t VALUES (?)"
DUPLICATE, BROKEN = (1,), (object(),)  # refused by the server; by the driver, before anything is sent


@pytest.fixture
def connection(postgres: str) -> Iterator[PostgresConnection]:
    """A connection with a table of its own."""
    with psycopg.connect(postgres, autocommit=True) as raw:
        used = PostgresConnection(raw)
        used.script("CREATE TEMP TABLE t (n BIGINT PRIMARY KEY)")
        used.execute(PUT, (1,))
        yield used


def numbers(connection: PostgresConnection) -> list[int]:
    """What the table holds."""
    return [row[0] for row in connection.execute("SELECT n FROM pg_temp.t ORDER BY n")]


def begun(connection: PostgresConnection, *values: Any) -> None:
    """A transaction that has written *values*, which are kept back."""
    connection.execute("BEGIN")
    for value in values:
        connection.execute(PUT, value)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("wrong", [DUPLICATE, BROKEN])
def test_a_write_that_is_refused_dooms_the_transaction(
    connection: PostgresConnection, place: int, wrong: tuple[Any]
) -> None:
    """Wherever among those kept back it stands, and whoever refuses it: a server that has not noticed would commit
    what is left."""
    values: list[Any] = [(2,), (3,)]
    values.insert(place, wrong)
    begun(connection, *values)
    with pytest.raises(DatabaseFault):
        connection.execute("SELECT 1")
    assert not connection.in_transaction


def test_a_statement_that_was_skipped_is_not_taken_for_prepared(postgres: str) -> None:
    """It would be named for as long as the connection lives, and the server never saw it."""
    connection = PostgresConnection(psycopg.connect(postgres, autocommit=True))
    with pytest.raises(DatabaseFault):
        connection.together(("SELECT 1 / 0", ()), ("SELECT 5", ()))
    assert connection.execute("SELECT 5").fetchone() == (5,)
    connection.close()


def test_a_read_that_fails_alone_leaves_the_driver_and_the_server_agreed(connection: PostgresConnection) -> None:
    """The server has given the transaction up, and so has the connection."""
    begun(connection)
    with pytest.raises(DatabaseFault):
        connection.execute("SELECT 1 / 0")
    assert not connection.in_transaction
    with pytest.raises(DatabaseFault):
        connection.execute(PUT, (2,))
    connection.rollback()
    assert numbers(connection) == [1]


def test_what_was_kept_back_ends_with_the_rollback(connection: PostgresConnection) -> None:
    """The next transaction does not write it."""
    begun(connection, (2,))
    connection.rollback()
    begun(connection, (3,))
    connection.execute("COMMIT")
    assert numbers(connection) == [1, 3]


def test_what_was_kept_back_ends_with_the_connection(connection: PostgresConnection, postgres: str) -> None:
    """Nor does a new connection."""
    begun(connection, (2,))
    connection.renew(psycopg.connect(postgres, autocommit=True))
    connection.script("CREATE TEMP TABLE t (n BIGINT PRIMARY KEY)")
    assert (connection.in_transaction, numbers(connection)) == (False, [])
    connection.close()


@pytest.mark.parametrize("kept", [0, 2])
def test_an_interrupt_drops_the_connection(
    connection: PostgresConnection, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows how far it went: it is not used again."""
    begun(connection, *((n,) for n in range(2, 2 + kept)))

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(select, "select", interrupted)
    with pytest.raises(KeyboardInterrupt):
        connection.execute("SELECT pg_sleep(0)")
    monkeypatch.undo()
    assert (connection.broken, connection.in_transaction) == (True, False)


@pytest.mark.parametrize("statements", [1, 2])
def test_a_connection_that_the_server_ended_is_known_to_be_broken(
    connection: PostgresConnection, postgres: str, statements: int
) -> None:
    """At the first statement that fails, also when the driver has only read the server's last words."""
    with psycopg.connect(postgres, autocommit=True) as dba:
        dba.execute("SELECT pg_terminate_backend(%s, 10000)", (connection.raw.info.backend_pid,))
    with pytest.raises(DatabaseFault, match="ended the connection"):
        connection.together(*[("SELECT 1", ())] * statements)
    assert connection.broken


def test_a_deferred_constraint_fails_the_commit(connection: PostgresConnection) -> None:
    """COMMIT itself says no."""
    connection.script("CREATE TEMP TABLE d (n BIGINT UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO pg_temp.d VALUES (1), (1)")
    with pytest.raises(DatabaseFault):
        connection.together(("COMMIT", ()), ("SELECT 1", ()))
    assert not connection.in_transaction
    connection.rollback()


@pytest.mark.parametrize(
    "text", ["", "a", "\0", "a\0b", "\ue000", "\ue000\ue001", "\0\ue000\0", "\ue000\ue000\0\ue001", "\ue001\0"]
)
def test_a_text_comes_back_as_it_was_written(tmp_path: Path, text: str) -> None:
    """NUL too, for which PostgreSQL has no place, and what stands for it."""
    world = World(tmp_path / "log.db")
    writer = world.ledger.recorder.writer
    writer.execute("INSERT INTO meta VALUES ('text', ?)", (text,))
    assert writer.execute("SELECT value FROM meta WHERE name = 'text' AND value = ?", (text,)).fetchone() == (text,)
    world.ledger.close()


def test_what_is_kept_back_is_bounded(connection: PostgresConnection) -> None:
    """A copy of a million events is not gathered in memory; nothing is lost or done twice by that."""
    connection.script("CREATE TEMP TABLE many (n BIGINT PRIMARY KEY)")
    connection.execute("BEGIN")
    most = 0
    for n in range(10_000):
        connection.execute("INSERT INTO pg_temp.many VALUES (?)", (n,))
        most = max(most, len(connection._kept))
    connection.together(("COMMIT", ()))
    assert connection.execute("SELECT count(*) FROM pg_temp.many").fetchone() == (10_000,)
    assert most < 5_000
