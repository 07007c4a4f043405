"""Stores: what can be said of the database that holds a log, and done to it, without opening the log."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Protocol

from redrive.ledger.starting import PATIENCE_MS
from redrive.ledger.urls import is_server, location_of
from redrive.projections.models import Model
from redrive.projections.view import view_path
from redrive.projections.view_state import ViewState


class DatabaseMade(Model):
    """A log's tables were created, or (*new* False) are there. *role* was granted what it needs, if it was named."""

    store: str
    location: str
    ledger_id: str
    schema_version: int
    new: bool
    role: str | None


class DatabaseUpgraded(Model):
    """The tables were brought from a version to another; to the same, when there was nothing to do."""

    store: str
    location: str
    ledger_id: str
    from_version: int
    to_version: int


class DatabaseStatus(Model):
    """Where a log lies and how it is doing. What only a server has is null for a file: its settings, connections (on
    the whole server, and redrive's in this database), transactions of others as far as this role may see them. The
    *view* is the live one of this user on this machine, null where there is none yet."""

    store: str
    location: str
    server: str
    schema_version: int
    newest_schema_version: int
    ledger_id: str
    events: int
    last_position: int
    size_bytes: int
    agenda_rows: int
    write_lock_held: bool | None
    write_lock_waiting: int | None = None
    connections: int | None = None
    max_connections: int | None = None
    redrive_connections: int | None = None
    synchronous_commit: str | None = None
    fsync: bool | None = None
    full_page_writes: bool | None = None
    standby: bool | None = None
    oldest_transaction_ms: int | None = None
    idle_in_transaction: int | None = None
    view_path: str | None
    view_position: int | None
    view_lag: int | None
    warnings: tuple[str, ...] = ()


class Store(Protocol):
    """A place for one log."""

    @property
    def location(self) -> str:
        """Where it is, for messages."""

    def is_there(self) -> bool:
        """Whether there is a log. Raises StorageError."""

    def make(self) -> DatabaseMade:
        """Create the log's tables where there are none. Raises StorageError."""

    def upgrade(self) -> DatabaseUpgraded:
        """Bring the tables up to this version. Raises StorageError."""

    def status(self) -> DatabaseStatus:
        """How it is doing. Raises StorageError."""


def store_at(url: str, *, busy_timeout_ms: int = 10_000, connect_timeout_ms: int = PATIENCE_MS) -> Store:
    """The store that *url* names. Raises InvalidValue."""
    location = location_of(url)
    if is_server(location):
        from redrive.ledger.postgres.store import PostgresStore

        return PostgresStore(location, busy_timeout_ms=busy_timeout_ms, connect_timeout_ms=connect_timeout_ms)
    from redrive.ledger.sqlite.file import SqliteFile

    return SqliteFile(location, busy_timeout_ms=busy_timeout_ms)


def view_of(home: str, ledger_id: str) -> tuple[str, int] | None:
    """The path of the log's live view, and how far it is; None when there is none by this code."""
    found = [(_position(path, ledger_id), path) for path in (view_path(home), view_path(home, locked=True))]
    position, path = max(found)
    return None if position < 0 else (path, position)


def _position(path: str, ledger_id: str) -> int:
    try:
        connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)
    except (sqlite3.Error, ValueError):
        return -1
    with closing(connection):
        try:
            state = ViewState.of(connection)
        except (sqlite3.Error, TypeError):  # none yet, or one that is being made
            return -1
    return state.position if state.ledger == ledger_id else -1
