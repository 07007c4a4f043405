"""The storage seam: a connection to SQLite that asks before and after each statement.

Simulations are about SQLite alone; PostgreSQL's faults are tested on real servers, in tests/ledger/postgres.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol, Self, cast


class KilledError(BaseException):
    """A simulated process is no more; nothing that it still tries reaches the database."""


class Seam(Protocol):
    """Who is asked. What it raises *before*, the statement does not do; *after*, it has done."""

    def require_alive(self) -> None:
        """Raises KilledError when the process is no more."""

    def before(self, connection: "FaultyConnection", statement: str) -> None:
        """The statement is about to be executed."""

    def after(self, connection: "FaultyConnection", statement: str) -> None:
        """The statement was executed."""


class FaultyConnection(sqlite3.Connection):
    """A connection whose statements pass the seam; ``connect`` makes it."""

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


def connect_with(seam: Seam, opened: list[FaultyConnection]) -> Callable[..., sqlite3.Connection]:
    """What stands in for ``sqlite3.connect``; the connections are noted in *opened*."""

    def make(*args: Any, **options: Any) -> FaultyConnection:
        connection = FaultyConnection(*args, **options)
        connection.seam = seam
        opened.append(connection)
        return connection

    return partial(sqlite3.connect, factory=cast(type[FaultyConnection], make))
