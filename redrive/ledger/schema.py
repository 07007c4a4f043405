"""The log file: its tables, how it is opened, and how its version is checked."""

import sqlite3
import uuid
from pathlib import Path

from redrive.domain.errors import StorageError
from redrive.ledger.seams import connecting
from redrive.ledger.storage_errors import storage_errors
from redrive.projections.wal import enter_wal

APPLICATION_ID = 0x72647276  # "rdrv"
SCHEMA_VERSION = 3

_TABLES = """
CREATE TABLE events (
    position           INTEGER PRIMARY KEY AUTOINCREMENT,
    originator_id      TEXT NOT NULL,
    originator_version INTEGER NOT NULL,
    topic              TEXT NOT NULL,
    state              BLOB NOT NULL,
    tenant             TEXT NOT NULL,
    correlation        TEXT NOT NULL,
    recorded_at_ms     INTEGER NOT NULL
);
CREATE UNIQUE INDEX events_stream ON events (originator_id, originator_version);
CREATE INDEX events_correlation ON events (correlation);
CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

CREATE TABLE agenda (
    subject       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    due_ms        INTEGER,
    created       INTEGER NOT NULL,
    tenant        TEXT NOT NULL,
    needs         TEXT NOT NULL,
    run           TEXT NOT NULL,
    not_before_ms INTEGER NOT NULL,
    holder        TEXT,
    PRIMARY KEY (subject, needs)
) WITHOUT ROWID;
CREATE INDEX agenda_due ON agenda (kind, due_ms, created) WHERE due_ms IS NOT NULL;
CREATE INDEX agenda_queue ON agenda (tenant, needs, due_ms, created) WHERE kind = 'run';
CREATE INDEX agenda_letters ON agenda (run) WHERE kind = 'dead_letter';

CREATE TABLE IF NOT EXISTS capacity (
    limit_key   TEXT PRIMARY KEY,
    in_use      INTEGER NOT NULL,
    level       INTEGER NOT NULL,
    refilled_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS waiters (
    run        TEXT NOT NULL,
    line       TEXT NOT NULL,
    due_ms     INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    blocking   INTEGER NOT NULL,
    reserving  INTEGER NOT NULL,
    PRIMARY KEY (run, line)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiters_line ON waiters (line, due_ms, created);

CREATE TABLE IF NOT EXISTS tree_leaves (
    leaf_index INTEGER PRIMARY KEY,
    position   INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS tree_tiles (
    level  INTEGER NOT NULL,
    tile   INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, tile)
);

CREATE TABLE IF NOT EXISTS tree_checkpoints (
    size          INTEGER PRIMARY KEY,
    previous_size INTEGER NOT NULL UNIQUE,
    position      INTEGER NOT NULL,
    root          BLOB NOT NULL,
    note          TEXT NOT NULL,
    sealed_at_ms  INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS expected (
    run      TEXT PRIMARY KEY,
    asked_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS expected_asked ON expected (asked_ms, until_ms);

CREATE TABLE IF NOT EXISTS archives (
    number INTEGER PRIMARY KEY,
    id     TEXT NOT NULL UNIQUE,
    path   TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS archived (
    position INTEGER PRIMARY KEY,
    archive  INTEGER NOT NULL,
    offset   INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    digest   BLOB NOT NULL,
    event_id TEXT NOT NULL
);

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


def connect(path: str, *, busy_timeout_ms: int, durable: bool = True, immutable: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode; the caller says BEGIN. *immutable*: nobody writes to the file, and nothing is
    made beside it."""
    uri = f"{Path(path).absolute().as_uri()}?{'immutable=1' if immutable else 'mode=rwc'}"
    with storage_errors(path):
        connection = connecting.get()(
            uri,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            timeout=busy_timeout_ms / 1000,
        )
        try:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        except BaseException:
            connection.close()
            raise
        return connection


def prepare(connection: sqlite3.Connection, path: str) -> str:
    """Create the tables in an empty file, or check that this version may use what is there; the ledger's id.

    Raises StorageError for a file that is no log, is damaged, or was written by a newer version.
    """
    with storage_errors(path):
        fresh = _is_empty(connection, path)  # before anything is changed: the file may be somebody else's
        enter_wal(connection)
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if fresh:
            _create(connection, path)
            _is_empty(connection, path)
        _upgrade(connection)
        row = connection.execute("SELECT value FROM meta WHERE name = 'ledger_id'").fetchone()
    if row is None:
        raise StorageError(f"{path}: the log has lost its identity (table meta); restore a backup")
    return str(row[0])


def _is_empty(connection: sqlite3.Connection, path: str) -> bool:
    """Whether the file is new. Raises StorageError when it is neither new nor a log that this version may use."""
    connection.execute("BEGIN")
    application, version, tables = (
        connection.execute(query).fetchone()[0]
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    connection.execute("ROLLBACK")
    if application == 0 and tables == 0:
        return True
    if application != APPLICATION_ID:
        raise StorageError(f"{path}: this SQLite database is not a redrive log")
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"{path}: the log has schema {version}, this redrive knows {SCHEMA_VERSION}: install a newer redrive"
        )
    return False


def _create(connection: sqlite3.Connection, path: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA application_id").fetchone()[0] == 0:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise StorageError(f"{path}: this SQLite database is not a redrive log")  # noqa: TRY301
            for statement in statements():
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES ('ledger_id', ?)", (str(uuid.uuid4()),))
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _upgrade(connection: sqlite3.Connection) -> None:
    """Add the tables that older versions did not have; they begin empty: no limits, nothing sealed."""
    if connection.execute("PRAGMA user_version").fetchone()[0] >= SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements():
            if " IF NOT EXISTS " in statement:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def statements() -> list[str]:
    """The statements of the schema; a trigger's body holds a semicolon of its own."""
    statements, pending = [], ""
    for line in _TABLES.splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return [statement for statement in statements if statement.strip()]
