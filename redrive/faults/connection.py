"""The storage seam of logs in files: a connection to SQLite that asks before and after each statement."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self, cast

from redrive.faults.kinds import Kind
from redrive.faults.seam import AT_BEGIN, AT_COMMIT, AT_LOCK, Faulty, Seam
from redrive.ledger.seams import connecting

_WRITES = ("INSERT", "UPDATE", "DELETE", "COMMIT")
_ERRORS = {
    Kind.COMMIT_ERROR: (sqlite3.SQLITE_IOERR, "disk I/O error"),
    Kind.FSYNC_ERROR: (sqlite3.SQLITE_IOERR_FSYNC, "disk I/O error"),
    Kind.LOST_ACKNOWLEDGEMENT: (sqlite3.SQLITE_IOERR, "disk I/O error"),
    Kind.DISK_FULL: (sqlite3.SQLITE_FULL, "database or disk is full"),
    Kind.READ_ERROR: (sqlite3.SQLITE_IOERR_READ, "disk I/O error"),
    Kind.LOCKED: (sqlite3.SQLITE_BUSY, "database is locked"),
    Kind.READ_ONLY: (sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
}


class FaultyConnection(sqlite3.Connection):
    """A connection whose statements pass the seam; ``connect_with`` makes it."""

    seam: Seam

    def cursor(self, factory: Any = None) -> Any:  # noqa: ARG002 - there is one kind of cursor here
        """A cursor that asks, too."""
        self.seam.require_alive()
        return super().cursor(FaultyCursor)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Ask, execute, ask again."""
        self.seam.before(self, sql)
        done = super().execute(sql, parameters)
        self.seam.after(self, sql)
        return done

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Ask, execute, ask again."""
        self.seam.before(self, sql)
        done = super().executemany(sql, parameters)
        self.seam.after(self, sql)
        return done

    def fits(self, kind: Kind, statement: str) -> bool:
        """Whether a fault of *kind* may strike here."""
        if kind in AT_COMMIT:
            return statement == "COMMIT"
        if kind in AT_BEGIN or kind in AT_LOCK:
            return statement == "BEGIN IMMEDIATE"
        if kind is Kind.DISK_FULL:
            return statement.startswith(_WRITES)
        if kind is Kind.READ_ERROR:
            return statement.startswith(("SELECT", "PRAGMA data_version"))
        if kind is Kind.SLOW_TRANSACTION:
            return self.in_transaction and not statement.startswith("ROLLBACK")
        return True

    def failed(self, kind: Kind, *, rolls_back: bool) -> Exception | None:
        """What SQLite would raise, with or without having rolled back; None where *kind* is no error."""
        if kind not in _ERRORS:
            return None
        if self.in_transaction and (kind is Kind.FSYNC_ERROR or rolls_back):
            self.rollback()
        code, message = _ERRORS[kind]
        error = sqlite3.OperationalError(message)
        error.sqlite_errorcode = code
        return error

    def die(self) -> None:
        """What the kernel does with the connection of a process that was killed."""
        with contextlib.suppress(sqlite3.ProgrammingError):  # it was closed already
            if self.in_transaction:
                self.rollback()
        self.close()


class FaultyCursor(sqlite3.Cursor):
    """Passes each statement by the seam."""

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        """Ask, execute, ask again."""
        connection = cast(FaultyConnection, self.connection)
        connection.seam.before(connection, sql)
        done = super().execute(sql, parameters)
        connection.seam.after(connection, sql)
        return done

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Self:
        """Ask, execute, ask again."""
        connection = cast(FaultyConnection, self.connection)
        connection.seam.before(connection, sql)
        done = super().executemany(sql, parameters)
        connection.seam.after(connection, sql)
        return done


def connect_with(seam: Seam, opened: list[Faulty]) -> Callable[..., sqlite3.Connection]:
    """What stands in for ``sqlite3.connect``; the connections are noted in *opened*."""

    def make(*args: Any, **options: Any) -> FaultyConnection:
        connection = FaultyConnection(*args, **options)
        connection.seam = seam
        opened.append(connection)
        return connection

    return partial(sqlite3.connect, factory=cast(type[FaultyConnection], make))


@contextmanager
def through(seam: Seam, opened: list[Faulty]) -> Iterator[None]:
    """What is opened meanwhile passes the seam."""
    token = connecting.set(connect_with(seam, opened))
    try:
        yield
    finally:
        connecting.reset(token)


@contextmanager
def untouched() -> Iterator[None]:
    """What is opened meanwhile does not."""
    token = connecting.set(sqlite3.connect)
    try:
        yield
    finally:
        connecting.reset(token)
