"""The file that holds a log: whether it is one, how large it is, who writes to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from redrive.domain.errors import StorageError
from redrive.ledger.schema import APPLICATION_ID, SCHEMA_VERSION, connect, prepare
from redrive.ledger.sqlite.whole import is_whole
from redrive.ledger.storage_errors import storage_errors
from redrive.ledger.stores import DatabaseMade, DatabaseStatus, DatabaseUpgraded, view_of

_META = "SELECT value FROM meta WHERE name = 'ledger_id'"
STORE = "sqlite"


class SqliteFile:
    """A file for one log."""

    def __init__(self, path: str, *, busy_timeout_ms: int) -> None:
        self.location, self._busy_timeout_ms = path, busy_timeout_ms

    def is_there(self) -> bool:
        """Whether the file is there, and has something in it."""
        try:
            return Path(self.location).stat().st_size > 0
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (OSError, ValueError):  # a name that is too long; opening it says so
            return True

    def make(self) -> DatabaseMade:
        """Create the log's tables where there are none."""
        new = not (self.is_there() and self._version())
        with closing(connect(self.location, busy_timeout_ms=self._busy_timeout_ms)) as connection:
            id_ = prepare(connection, self.location)
        return DatabaseMade(
            store=STORE, location=self.location, ledger_id=id_, schema_version=SCHEMA_VERSION, new=new, role=None
        )

    def upgrade(self) -> DatabaseUpgraded:
        """Bring the tables up to this version, which opening the log does as well."""
        found = self._version()
        with closing(connect(self.location, busy_timeout_ms=self._busy_timeout_ms)) as connection:
            id_ = prepare(connection, self.location)
        return DatabaseUpgraded(
            store=STORE,
            location=self.location,
            ledger_id=id_,
            from_version=found or SCHEMA_VERSION,
            to_version=SCHEMA_VERSION,
        )

    def status(self) -> DatabaseStatus:
        """How it is doing."""
        version = self._version()
        with self._looking() as connection:
            found = connection.execute(_META).fetchone() if version else None
            if found is None:
                raise StorageError(f"{self.location}: this file holds no log yet; `redrive db init` makes one")
            events, last = connection.execute("SELECT count(*), coalesce(max(position), 0) FROM events").fetchone()
            rows = connection.execute("SELECT count(*) FROM agenda").fetchone()[0]
            held = _is_locked(connection)
        view = view_of(self.location, found[0])
        return DatabaseStatus(
            store=STORE,
            location=self.location,
            server=f"SQLite {sqlite3.sqlite_version}",
            schema_version=version,
            newest_schema_version=SCHEMA_VERSION,
            ledger_id=found[0],
            events=events,
            last_position=last,
            size_bytes=sum(_size(self.location + part) for part in ("", "-wal")),
            agenda_rows=rows,
            write_lock_held=held,
            view_path=view[0] if view else None,
            view_position=view[1] if view else None,
            view_lag=last - view[1] if view else None,
        )

    def _version(self) -> int:
        """The version of the schema, 0 of an empty file. Raises StorageError for a file that is none of ours."""
        with self._looking() as connection:
            application, version, tables = (
                connection.execute(query).fetchone()[0]
                for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
            )
        if application == 0 and tables == 0:
            return 0
        if application != APPLICATION_ID:
            raise StorageError(f"{self.location}: this SQLite database is not a redrive log")
        if version > SCHEMA_VERSION:
            raise StorageError(
                f"{self.location}: the log has schema {version}, this redrive knows {SCHEMA_VERSION}: "
                "install a newer redrive"
            )
        return int(version)

    @contextmanager
    def _looking(self) -> Iterator[sqlite3.Connection]:
        with storage_errors(self.location), closing(self._opened()) as connection:
            yield connection

    def _opened(self) -> sqlite3.Connection:
        connection = self._connected("mode=rw")
        try:
            connection.execute("PRAGMA schema_version")
        except sqlite3.Error as error:
            connection.close()
            if not is_whole(self.location, error):
                raise
            return self._connected("immutable=1")
        return connection

    def _connected(self, how: str) -> sqlite3.Connection:
        uri, timeout = f"{Path(self.location).absolute().as_uri()}?{how}", self._busy_timeout_ms / 1000
        return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=timeout)


def _is_locked(connection: sqlite3.Connection) -> bool | None:
    """Whether somebody is writing; None when that cannot be tried."""
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return True if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY else None
    return False


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
