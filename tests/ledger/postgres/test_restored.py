"""The log is taken to an earlier moment, or away, while the process lives and its connection stays."""

from pathlib import Path

import pytest

from redrive import StorageError
from redrive.ledger.postgres.address import address_of
from redrive.ledger.postgres.connection import PostgresConnection
from redrive.ledger.postgres.schema import create
from tests.ledger.world import CHAIN, World
from tests.stores import location_of, outside

TABLES = ("events", "agenda", "capacity", "waiters", "expected", "meta")


def drop(path: Path) -> None:
    """The schema goes."""
    with outside(path) as connection:
        connection.execute(f"DROP SCHEMA {address_of(location_of(path)).schema} CASCADE")


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the log's tables hold."""
    with outside(path) as connection:
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}


def restore(path: Path, dumped: dict[str, list[tuple[object, ...]]]) -> None:
    """Make the schema anew from what was dumped."""
    drop(path)
    address = address_of(location_of(path))
    with outside(path) as connection:
        assert isinstance(connection, PostgresConnection)
        connection.execute("COMMIT")
        create(connection, address.schema, address.label)
        connection.execute("BEGIN")
        connection.execute("DELETE FROM meta")
        for table, rows in dumped.items():
            for row in rows:
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


@pytest.mark.parametrize("others_went_on", [False, True])
def test_a_restored_log_is_read_again(tmp_path: Path, others_went_on: bool) -> None:
    """What is in memory beyond that moment is forgotten, also when others took the same positions and versions."""
    path = tmp_path / "log.db"
    world = World(path)
    run = world.submit("a")
    dumped = dump(path)
    world.note(run)
    world.submit("b", CHAIN)
    restore(path, dumped)
    if others_went_on:
        other = World(path)
        other.now += 1
        other.note(run)
        other.submit("c", CHAIN)
        other.ledger.close()
    world.now += 2
    world.note(run)
    assert world.in_memory(run).version == len(world.ledger.stream(run)) == 2 + others_went_on
    world.submit("b", CHAIN)
    world.check()
    world.ledger.close()


def test_a_log_that_is_gone(tmp_path: Path) -> None:
    """A clear error, again and again; nothing is created in its place."""
    path = tmp_path / "log.db"
    world = World(path)
    run = world.submit("a")
    drop(path)
    for act in (lambda: world.note(run), lambda: world.submit("b"), world.log, lambda: world.in_memory(run)):
        with pytest.raises(StorageError, match="there is no log here"):
            act()
    world.ledger.close()


def test_another_log_in_its_place(tmp_path: Path) -> None:
    """It is not written to by who opened the first."""
    path = tmp_path / "log.db"
    world = World(path)
    run = world.submit("a")
    drop(path)
    other = World(path)
    other.submit("x")
    for _ in range(2):
        with pytest.raises(StorageError, match="another log lies here now"):
            world.note(run)
    assert len(other.log()) == 3
    for one in (world, other):
        one.ledger.close()
