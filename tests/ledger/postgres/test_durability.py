"""Who is told "done" can rely on it; who waits for the lock does not wait for the disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from redrive.ledger.postgres import connecting
from redrive.ledger.postgres.recorder import PostgresRecorder
from tests.ledger.world import World
from tests.stores import outside


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A log with a run."""
    world = World(tmp_path / "log.db")
    world.submit("before")
    yield world
    world.ledger.close()


@pytest.fixture
def dba(postgres: str) -> Iterator["psycopg.Connection[Any]"]:
    """Somebody who looks at the server meanwhile."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


def test_the_lock_is_free_before_the_flush_and_the_caller_goes_on_after_it(
    world: World, dba: "psycopg.Connection[Any]"
) -> None:
    """The two halves of a commit, one after the other."""
    recorder = world.ledger.recorder
    assert isinstance(recorder, PostgresRecorder)
    together, seen = recorder.writer.together, list[Any]()

    def split(*statements: Any) -> Any:
        assert statements[0][0] == "COMMIT"
        together(statements[0])
        seen.extend(dba.execute("SELECT pg_try_advisory_lock(%s)", (recorder._key,)).fetchone() or ())
        dba.execute("SELECT pg_advisory_unlock_all()")
        seen.extend(dba.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or ())
        return together(*statements[1:])

    recorder.begin()
    recorder.writer.execute("INSERT INTO meta VALUES ('x', 'y')")
    recorder.writer.together = split  # type: ignore[method-assign]
    recorder.commit()
    del recorder.writer.together
    assert seen[0] is True, "another writer may go on"
    assert dba.execute("SELECT pg_current_wal_flush_lsn() >= %s::pg_lsn", (seen[1],)).fetchone() == (True,)


def test_every_command_is_flushed_when_it_returns(world: World, dba: "psycopg.Connection[Any]") -> None:
    """The place in the write-ahead log that the command has reached is on the disk."""
    commit, places = world.ledger.recorder.commit, list[Any]()

    def noting() -> None:
        world.ledger.recorder.writer.execute("SELECT 1")  # what was kept back is written
        places.extend(dba.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or ())
        commit()

    world.ledger.recorder.commit = noting  # type: ignore[method-assign]
    for n in range(10):
        world.submit(str(n))
        reached = dba.execute("SELECT pg_current_wal_flush_lsn() > %s::pg_lsn", (places[-1],)).fetchone()
        assert reached == (True,), "beyond the rows: the commit record as well"


@pytest.mark.parametrize(("configured", "used"), [("off", "on"), ("local", "local"), ("on", "on")])
def test_what_the_server_is_set_to_holds_for_the_flush(
    world: World, configured: str, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But that nobody waits at all: who is told "done" must be able to rely on it. The rows themselves never wait."""
    recorder = world.ledger.recorder
    assert isinstance(recorder, PostgresRecorder)
    monkeypatch.setattr(connecting, "_IDLE", f"{connecting._IDLE} -c synchronous_commit={configured}")
    recorder.writer.close()
    world.submit("a")
    assert recorder._durably == used
    assert recorder.writer.execute("SHOW synchronous_commit").fetchone() == ("off",)


def test_a_ledger_that_need_not_be_durable_is_not_flushed(tmp_path: Path) -> None:
    """One statement less."""
    world = World(tmp_path / "log.db", durable=False)
    world.submit("a")
    with outside(world.path) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (3,)
    world.ledger.close()
