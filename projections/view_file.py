"""The file of a view: its connections, and how another file takes its place while others have it open.

Whoever opens the file holds the lock file shared until SQLite has opened the write-ahead log too; whoever replaces
it holds the lock exclusively. So no connection ever pairs one file with the log of another. Connections that had
the old file open go on reading it until they notice; SQLite itself leaves alone the files of a database that moved.
"""

import contextlib
import fcntl
import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

from redrive.domain.errors import EngineClosed, StorageError
from redrive.projections.wal import enter_wal

APPLICATION_ID = 0x72647677  # "rdvw"
BUSY_TIMEOUT_S = 30.0
ABANDONED_S = 3_600.0
MOST_IDLE_READERS = 32
_REPLACED = "another file has taken the place of the view"

_SENTENCES = {
    sqlite3.SQLITE_FULL: "the disk is full; the view stays as it was, and catches up when there is space again",
    sqlite3.SQLITE_READONLY: "the view or its folder is read-only",
    sqlite3.SQLITE_BUSY: "another process holds the view's write lock for too long; try again",
    sqlite3.SQLITE_LOCKED: "another connection holds the view's write lock for too long; try again",
    sqlite3.SQLITE_CORRUPT: "the view is damaged; rebuild it",
    sqlite3.SQLITE_NOTADB: "the view is damaged; rebuild it",
    sqlite3.SQLITE_CANTOPEN: "the view cannot be opened: does its folder exist, and may this user write there?",
    sqlite3.SQLITE_IOERR: "reading or writing the view failed (disk full, or a failing disk)",
}


class Replaced(sqlite3.OperationalError):
    """Another file has taken the place of the view, and is not as far yet."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether *error* says that the file is not, or no longer, a sound database."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def sync(path: str | Path) -> None:
    """Wait until the file or folder at *path* is on the disk as it is. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction; the lock is taken before anything is read in it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def view_errors(path: str | None) -> Iterator[None]:
    """Raise the errors of SQLite and of the file system as StorageError, damage excepted."""
    try:
        yield
    except sqlite3.Error as error:
        if is_damage(error):
            raise
        sentence = _SENTENCES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "the database refused")
        raise StorageError(f"{path or 'view in memory'}: {sentence} ({error})") from error
    except OSError as error:
        asks = "does its folder exist, and may this user write there?"
        raise StorageError(f"{path}: the view's file cannot be used: {asks} ({error})") from error


class ViewFile:
    """A view's database: one connection that writes, as many that read as are used at once.

    In memory (*path* None) there is one connection for both; its user takes turns.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path
        self._idle: deque[tuple[int, sqlite3.Connection]] = deque()
        self._inode = 0
        self._turn = 0
        self._closed = False
        self.writer = self._open()

    def moved(self) -> bool:
        """Whether another file has taken the place of the one that is open."""
        if self.path is None:
            return False
        try:
            return os.stat(self.path).st_ino != self._inode  # noqa: PTH116 - asked before every query
        except FileNotFoundError:
            return True

    def reopen(self) -> None:
        """Open the file that is there now."""
        old, self.writer = self.writer, self._open()
        old.close()

    @contextlib.contextmanager
    def reading(self, least: int = 0) -> Iterator[sqlite3.Connection]:
        """A connection for reading what is folded to *least* or beyond; in memory, the only one. Raises Replaced."""
        if self.path is None:
            yield self.writer
            return
        turn, connection = self._take(least)
        try:
            yield connection
        finally:
            if turn == self._turn and len(self._idle) < MOST_IDLE_READERS:
                self._idle.append((turn, connection))
            else:
                connection.close()

    @contextlib.contextmanager
    def replacement(self) -> Iterator[sqlite3.Connection]:
        """A new, empty database to fill; it takes this one's place at the end of the with block."""
        if self.path is None:
            fresh = _connect(":memory:")
            try:
                yield fresh
            except BaseException:
                fresh.close()
                raise
            old, self.writer = self.writer, fresh
            old.close()
            return
        self._sweep_abandoned()
        path = f"{self.path}.rebuild-{os.getpid()}-{token_hex(4)}"
        try:
            with contextlib.closing(_connect(path)) as fresh:
                fresh.execute("PRAGMA journal_mode = OFF")  # nobody sees the file, a crash leaves nothing to keep
                fresh.execute("PRAGMA synchronous = OFF")
                yield fresh
            self._replace_by(path)
        finally:
            _remove(path, f"{path}-wal", f"{path}-shm")
        self.reopen()

    @contextlib.contextmanager
    def rebuilding(self) -> Iterator[None]:
        """One process folds the whole log at a time; the others wait, and then find its file in place."""
        if self.path is None:
            yield
            return
        with _locked(f"{self.path}.anew", fcntl.LOCK_EX):
            yield

    @classmethod
    def discard(cls, path: str) -> None:
        """Throw a file away that is no database."""
        with _locked(path, fcntl.LOCK_EX):
            _remove(path, f"{path}-wal", f"{path}-shm")

    def close(self) -> None:
        """Close every connection that is not in use; the others close when they are given back."""
        self._closed = True
        self._turn += 1
        self.writer.close()
        self._close_idle()

    def require_open(self) -> None:
        """Raises EngineClosed."""
        if self._closed:
            raise EngineClosed(f"{self.path or 'memory'}: the engine is closed")

    def size(self) -> int:
        """Bytes on disk, or in memory."""
        pages = self.writer.execute("PRAGMA page_count").fetchone()[0]
        return int(pages * self.writer.execute("PRAGMA page_size").fetchone()[0])

    def _open(self) -> sqlite3.Connection:
        if self.path is None:
            return _connect(":memory:")
        _leave_no_pair(self.path)
        with _locked(self.path, fcntl.LOCK_SH):
            connection = _connect(self.path)
            try:
                enter_wal(connection)
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except BaseException:
                connection.close()
                raise
            self._inode = Path(self.path).stat().st_ino
            self._turn += 1
        self._close_idle()
        return connection

    def _take(self, least: int) -> tuple[int, sqlite3.Connection]:
        while self._idle:
            with contextlib.suppress(IndexError):
                turn, connection = self._idle.pop()
                if turn == self._turn:
                    return turn, connection
                connection.close()
        assert self.path is not None
        self.require_open()
        with _locked(self.path, fcntl.LOCK_SH):
            turn = self._turn
            if self.moved():
                raise Replaced(_REPLACED)
            connection = _connect(self.path)
            connection.execute("PRAGMA query_only = ON")
            if _folded_to(connection) < least:
                connection.close()
                raise Replaced(_REPLACED)
            return turn, connection

    def _close_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop()[1].close()

    def _replace_by(self, fresh: str) -> None:
        """Put *fresh* in place. The old name goes first: a crash in between leaves no file, never a wrong pair."""
        assert self.path is not None
        sync(fresh)
        with _locked(self.path, fcntl.LOCK_EX):
            _remove(self.path, f"{self.path}-wal", f"{self.path}-shm")
            Path(fresh).rename(self.path)

    def _sweep_abandoned(self) -> None:
        """Remove what rebuilds left behind whose process died."""
        assert self.path is not None
        place = Path(self.path)
        for found in place.parent.iterdir():
            if found.name.startswith(f"{place.name}.rebuild-"):
                with contextlib.suppress(OSError):
                    if time.time() - found.stat().st_mtime > ABANDONED_S:
                        found.unlink()


@contextlib.contextmanager
def _locked(path: str, how: int) -> Iterator[None]:
    """Hold the lock file of the view at *path*."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _leave_no_pair(path: str) -> None:
    """Where somebody removed or emptied the database, remove what was written ahead for it: those who have it open
    still share that, and a new database that shared it too would end them."""
    if not _holds_something(path):
        with _locked(path, fcntl.LOCK_EX):
            if not _holds_something(path):
                _remove(path, f"{path}-wal", f"{path}-shm")


def _holds_something(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0  # noqa: PTH116 - as above
    except FileNotFoundError:
        return False


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=BUSY_TIMEOUT_S
    )
    connection.execute("PRAGMA cache_size = -32768")
    return connection


def _folded_to(connection: sqlite3.Connection) -> int:
    """How far it is folded; -1 where nothing is."""
    if connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'view'").fetchone()[0]:
        for (position,) in connection.execute("SELECT position FROM view"):
            return int(position)
    return -1


def _remove(*paths: str) -> None:
    for path in paths:
        Path(path).unlink(missing_ok=True)
