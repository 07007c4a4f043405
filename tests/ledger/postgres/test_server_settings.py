"""What whoever runs the server has set: it holds, or is refused with a sentence, or changes nothing."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ledger.postgres.test_faults import begun, end_connection, recorder_of, told
from tests.ledger.world import World
from tests.stores import SERVER, outside


@pytest.fixture
def database(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator["psycopg.Connection[Any]"]:
    """A database ``t_own`` of the test's own, whose settings it may change through this connection."""
    with psycopg.connect(postgres, autocommit=True) as dba:
        dba.execute("DROP DATABASE IF EXISTS t_own WITH (FORCE)")
        dba.execute("CREATE DATABASE t_own")
        monkeypatch.setenv(SERVER, postgres.replace("/postgres?", "/t_own?"))
        yield dba
        dba.execute("DROP DATABASE t_own WITH (FORCE)")
        dba.execute("DROP ROLE IF EXISTS t_clerk")


def test_a_database_that_takes_no_writes(
    database: "psycopg.Connection[Any]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading goes on. The news is asked for first, which finds the new connection, however fast this machine is."""
    monkeypatch.setattr("redrive.ledger.ahead.STALE_S", -1)
    world = World(tmp_path / "log.db")
    run = world.submit("a")
    database.execute("ALTER DATABASE t_own SET default_transaction_read_only = on")
    end_connection(world)
    with told("takes no writes"):
        world.note(run)
    assert len(world.log()) == 3
    database.execute("ALTER DATABASE t_own RESET default_transaction_read_only")
    end_connection(world)
    world.note(run)
    world.ledger.close()


def test_a_statement_timeout_of_the_server(database: "psycopg.Connection[Any]", tmp_path: Path) -> None:
    """It also ends the waiting for the lock."""
    World(tmp_path / "log.db").ledger.close()  # making tables may take longer
    database.execute("ALTER DATABASE t_own SET statement_timeout = '2s'")
    world = World(tmp_path / "log.db", busy_timeout_ms=30_000)
    with outside(world.path) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(?)", (recorder_of(world)._key,))
        with told("statement_timeout of this role or database"):
            world.submit("a")
    world.submit("a")
    world.ledger.close()


def test_a_server_without_room_for_readers(
    database: "psycopg.Connection[Any]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands go on; who reads is told what to do, and served once there is room."""
    database.execute("CREATE ROLE t_clerk LOGIN CONNECTION LIMIT 1")
    database.execute("ALTER DATABASE t_own OWNER TO t_clerk")
    url = database.info.dsn
    host = dict(part.split("=", 1) for part in url.split() if "=" in part)["host"]
    monkeypatch.setenv(SERVER, f"postgresql://t_clerk@/t_own?host={host}")
    world = World(tmp_path / "log.db")
    world.submit("a")
    with told("no connection left|too many connections"):
        world.log()
    world.submit("b")
    database.execute("ALTER ROLE t_clerk CONNECTION LIMIT 5")
    assert len(begun(world)) == 2
    world.ledger.close()


def test_a_database_that_cannot_hold_every_name(database: "psycopg.Connection[Any]", tmp_path: Path) -> None:
    """Refused when it is opened, not when the first such name comes."""
    database.execute("DROP DATABASE t_own")
    database.execute("CREATE DATABASE t_own ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    with told("encoding is LATIN1: redrive needs one with UTF8"):
        World(tmp_path / "log.db")


def test_what_the_environment_says_of_encodings_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names come back as they were written; options of the URL hold."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    monkeypatch.setenv(SERVER, os.environ[SERVER] + "&options=-c%20work_mem=5MB")
    world = World(tmp_path / "log.db")
    run = world.submit("Grüße, 世界")
    assert world.ledger.run_state(None, run).key == "Grüße, 世界"
    assert recorder_of(world).writer.execute("SHOW work_mem").fetchone() == ("5MB",)
    world.ledger.close()
