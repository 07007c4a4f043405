"""A connection to PostgreSQL that is used like one of ``sqlite3``.

Values are sent in binary, statements are prepared by the server. What a transaction writes is kept back and sent
together with the statement that asks for an answer next, or with its end: a command costs the ways to the server that
it needs to know something, not one for each row.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import pq

from redrive.ledger.postgres.errors import fault_of
from redrive.ledger.postgres.pipeline import Pipeline, Statement
from redrive.ledger.postgres.values import loaded
from redrive.ledger.seams import wrapping
from redrive.ledger.storage_errors import DatabaseFault

_FATAL = ("FATAL", "PANIC")
_WRITES = ("INSERT", "UPDATE", "DELETE")
_MOST_KEPT = 8_192  # values: what a long maintenance writes is not gathered in memory


class Found:
    """What a statement found: all of it is here, and is turned into rows when somebody wants them."""

    __slots__ = ("_at", "_connection", "_result", "_rowcount", "_rows")

    def __init__(
        self, result: "pq.abc.PGresult | None", connection: "psycopg.Connection[Any]", rowcount: int = -1
    ) -> None:
        self._result, self._connection, self._rowcount = result, connection, rowcount
        self._rows: list[Any] | None = None
        self._at = 0

    @property
    def rowcount(self) -> int:
        """How many rows it found or changed; -1: that is not known yet."""
        return self._rowcount if self._result is None else self._result.command_tuples or 0

    def rows(self) -> list[Any]:
        """All rows."""
        if self._rows is None:
            result = self._result
            if result is not None and result.status == pq.ExecStatus.TUPLES_OK:
                self._rows = loaded(result, self._connection)
            else:
                self._rows = []
        return self._rows

    def fetchone(self) -> Any:
        """The next row, None when there is none."""
        rows = self.rows()
        if self._at >= len(rows):
            return None
        self._at += 1
        return rows[self._at - 1]

    def fetchmany(self, size: int = 1) -> list[Any]:
        """At most so many of the next rows."""
        rows = self.rows()[self._at : self._at + size]
        self._at += len(rows)
        return rows

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        rows = self.rows()
        begun, self._at = self._at, len(rows)
        return rows[begun:] if begun else rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


class Opening(NamedTuple):
    """What goes ahead of others on a way to the server: told when it is sent, and told what was answered."""

    statements: Callable[[], Sequence[Statement]]
    answered: Callable[[list[Found]], None]


class PostgresConnection:
    """One connection, in autocommit mode."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self.raw = connection
        self._kept: list[Statement] = []
        self._kept_values = 0
        self._opening: Opening | None = None
        self._along: Opening | None = None
        self._pipeline = Pipeline(connection)

    def renew(self, connection: "psycopg.Connection[Any]") -> None:
        """Go on with a new connection: the one before is lost, with what was kept back."""
        self._forget_kept()
        self._opening = self._along = None
        self.raw.close()
        self.raw = connection
        self._pipeline = Pipeline(connection)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open that can still be committed."""
        return self._opening is not None or self.raw.info.transaction_status == pq.TransactionStatus.INTRANS

    @property
    def broken(self) -> bool:
        """Whether the server is gone."""
        return self.raw.closed or self.raw.broken

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Found:
        """Run one statement. Within a transaction, one that writes is kept back."""
        if sql.startswith(_WRITES) and self.in_transaction:
            self._kept.append((sql, parameters))
            self._kept_values += 1 + len(parameters)
            if self._kept_values > _MOST_KEPT:
                self.together()
            return Found(None, self.raw)
        found = self.together((sql, parameters))[-1]
        found.rows()  # before another thread may lose the connection
        return found

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Found:
        """Run one statement for each of *parameters*."""
        if not parameters:
            return Found(None, self.raw, 0)
        found = self.together(*((sql, values) for values in parameters))
        return Found(None, self.raw, sum(one.rowcount for one in found))

    def script(self, statements: str) -> None:
        """Run several statements without values."""
        try:
            self.raw.execute(statements.encode())
        except psycopg.Error as error:
            raise fault_of(error) from error
        finally:
            self._pipeline.forget()  # the driver may have had the server forget what is prepared: after a DROP

    def begin_later(self, opening: Opening) -> None:
        """Begin a transaction with *opening*, which is sent only when something is asked or committed within it."""
        self._opening = opening

    def ask_along(self, question: Opening) -> None:
        """Send *question* on the next way to the server, ahead of what is asked there."""
        self._along = question

    def together(self, *statements: Statement) -> list[Found]:
        """Run what was kept back and *statements* in one way to the server; what *statements* found."""
        first, self._along, self._opening = self._opening or self._along, None, None
        opening = first.statements() if first is not None else ()
        sent = [*opening, *self._kept, *statements]
        self._forget_kept()
        try:
            found = [Found(one, self.raw) for one in self._pipeline.run(sent)]
        except psycopg.Error as error:
            if error.diag.severity_nonlocalized in _FATAL:  # the driver may only have read the server's last words
                self.raw.close()
            raise fault_of(error) from error
        if first is not None:
            first.answered(found[: len(opening)])
        return found[len(sent) - len(statements) :]

    def _forget_kept(self) -> None:
        self._kept.clear()
        self._kept_values = 0

    def rollback(self) -> None:
        """Undo the open transaction, with what was kept back of it; nothing when there is none, or no server. A
        connection that cannot do that is closed."""
        self._forget_kept()
        self._opening = self._along = None
        if not self.broken and self.raw.info.transaction_status != pq.TransactionStatus.IDLE:
            try:
                self.together(("ROLLBACK", ()))
            except DatabaseFault:
                self.raw.close()
                raise

    def close(self) -> None:
        """Close it."""
        self.raw.close()


def wrapped(raw: "psycopg.Connection[Any]") -> PostgresConnection:
    """A connection, or what the fault simulator puts around one."""
    make: type[PostgresConnection] = wrapping.get() or PostgresConnection  # type: ignore[assignment]
    return make(raw)
