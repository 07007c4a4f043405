"""The recorder of a log in one SQLite file."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from weakref import WeakSet

from redrive.domain.errors import StorageError
from redrive.ledger.mapper import NewRow
from redrive.ledger.recorder import LogRecorder, News
from redrive.ledger.schema import connect, prepare
from redrive.ledger.sqlite.whole import is_whole, may_write, sizes_of

_INSERT = (
    "INSERT INTO events (originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_TRIGGER = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'events_no_update'"
_LAST = "SELECT recorded_at_ms FROM events ORDER BY position DESC LIMIT 1"
_NOTHING = News(())


class SqliteRecorder(LogRecorder):
    """Writes on one connection, reads on one for each thread."""

    writer: sqlite3.Connection

    def __init__(self) -> None:
        super().__init__()
        self._local = threading.local()
        self._seen: int | None = None
        self._immutable = False

    def open(self, path: str, *, busy_timeout_ms: int, durable: bool) -> str:
        """Connect to the log at *path*, creating it when there is none; its id."""
        self.path, self.home = path, str(Path(path).absolute())  # the program may go to another folder
        self.busy_timeout_ms = busy_timeout_ms
        self._wal = f"{self.home}-wal"
        if _identity_of(path) in _inherited:
            raise StorageError(
                f"{path}: the process from which this one was forked had it open, and SQLite takes its locks for those "
                "of this one: fork before the log is opened, or after it is closed, or start processes by spawn"
            )
        try:
            return self._begun(durable)
        except StorageError as error:
            if not is_whole(path, error.__cause__):
                raise
            self._immutable, self._whole = True, sizes_of(path)
            return self._begun(durable)

    def _begun(self, durable: bool) -> str:
        path = self.path
        self.writer = connect(path, busy_timeout_ms=self.busy_timeout_ms, durable=durable, immutable=self._immutable)
        try:
            found = Path(path).stat()
            self._identity = (found.st_dev, found.st_ino)
            _opened.add(self)
            id_ = prepare(self.writer, path)
            self._wal_identity = _identity_of(self._wal)
            self.read_only = self._immutable or not may_write(path)
        except BaseException:
            self.writer.close()
            raise
        return id_

    def is_there(self) -> bool:
        """Whether the file that was opened still lies at its path; else what is written to it would be lost."""
        try:
            found = os.stat(self.home)  # noqa: PTH116 - on the way of every commit
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def reader(self) -> sqlite3.Connection:
        """This thread's connection for reading."""
        if self._closed:
            self._local.reader = None
        self.require_open()
        self.require_there()
        known: _Reader | None = getattr(self._local, "reader", None)
        if known is None:
            known = self._local.reader = _Reader(self.connected())
        if self._immutable and sizes_of(self.home) != self._whole:
            raise StorageError(f"{self.path}: somebody writes to the log, which was read-only: open it anew")
        return known.connection

    def connected(self) -> sqlite3.Connection:
        """A new connection for reading; it is the caller's to close."""
        connection = connect(self.home, busy_timeout_ms=self.busy_timeout_ms, immutable=self._immutable)
        connection.execute("PRAGMA query_only = ON")
        return connection

    def close(self) -> None:
        """Close this thread's connections, and the writer's (under *lock*). What another thread reads with is closed
        when it next asks, or ends: closing a connection that another thread is using crashes the process."""
        super().close()
        mine: _Reader | None = getattr(self._local, "reader", None)
        for connection in (mine.connection, self.writer) if mine else (self.writer,):
            connection.close()

    def begin(self) -> None:
        """Begin a transaction with the file's write lock. Raises StorageError, as ``commit``."""
        self._require_wal()
        self.writer.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Commit it: the write-ahead log is flushed.

        POSIX takes away all locks of a process on a file when any part of it closes the file: a copy of the log that is
        made within this process, say. Then the next process that closes the log deletes the write-ahead log, and what
        is written to it from here on may be lost. Raises StorageError.
        """
        self.writer.execute("COMMIT")
        self._require_wal()

    def _require_wal(self) -> None:
        found = _identity_of(self._wal)
        if self._wal_identity is None:
            self._wal_identity = found
        elif found != self._wal_identity:
            raise StorageError(
                f"{self._wal}: it was deleted or replaced while this process used it, and what is written now may be "
                "lost: open the log anew (did this process open and close the log's file by itself?)"
            )

    def news(self) -> News:
        """Whether any other connection changed the file: SQLite does not say what."""
        seen = self.writer.execute("PRAGMA data_version").fetchone()[0]
        if seen == self._seen:
            return _NOTHING
        self._seen = seen
        row = self.writer.execute(_LAST).fetchone()
        return News(None, row[0] if row else 0)

    def distrust(self) -> None:
        """Anything is news."""
        self._seen = None

    @contextlib.contextmanager
    def emptying(self) -> Iterator[None]:
        """The trigger that keeps the log append-only is away meanwhile, for nobody else: the transaction holds the
        write lock."""
        trigger = self.writer.execute(_TRIGGER).fetchone()
        self.writer.execute("DROP TRIGGER IF EXISTS events_no_update")
        yield
        if trigger is not None:
            self.writer.execute(trigger[0])

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """The writer's connection, reading one moment of the log; under *lock*."""
        self.heads.clear()
        self.writer.execute("BEGIN")
        try:
            yield self.writer
        finally:
            self.writer.execute("ROLLBACK")
            self.heads.clear()
            self.distrust()

    def write(self, rows: Sequence[NewRow]) -> int:
        """Insert rows whose versions follow; the last position, which the others precede without a gap."""
        cursor = self.writer.cursor()
        execute = cursor.execute
        for row in rows:
            execute(_INSERT, row)
        return cursor.lastrowid or 0


def _identity_of(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - on the way of every commit
    except OSError:
        return None
    return found.st_dev, found.st_ino


_opened: "WeakSet[SqliteRecorder]" = WeakSet()
_inherited: set[tuple[int, int] | None] = set()
"""The files that were open when this process was forked. SQLite shares what it knows of a file's locks within a
process, and goes by that in the child, too: whoever closes the file in the parent would delete the write-ahead log
under it, with what was acknowledged there."""


def _inherit() -> None:
    _inherited.update(one._identity for one in _opened if not one._closed)
    _opened.clear()


os.register_at_fork(after_in_child=_inherit)


class _Reader:
    """The connection of one thread, closed when the thread has ended."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()
