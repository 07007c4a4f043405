"""The storage seam of logs on a server: a connection to PostgreSQL that asks before and after each statement.

What the ledger sends together is sent one by one here, so that something can strike between two statements; what it
keeps back until an answer is needed is kept back here, too.
"""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors, pq

from redrive.faults.kinds import Kind
from redrive.faults.seam import AT_BEGIN, AT_COMMIT, Faulty, Seam
from redrive.ledger.postgres.connection import Found, PostgresConnection
from redrive.ledger.postgres.errors import fault_of
from redrive.ledger.postgres.pipeline import Statement
from redrive.ledger.seams import wrapping
from redrive.ledger.storage_errors import DatabaseFault

_WRITES = ("INSERT", "UPDATE", "DELETE")
_LOCK = "SELECT pg_advisory_xact_lock"
_ERRORS: dict[Kind, psycopg.Error] = {
    Kind.COMMIT_ERROR: errors.DiskFull("could not write to the log: no space left"),
    Kind.DISK_FULL: errors.DiskFull("could not extend file"),
    Kind.READ_ERROR: errors.IoError("could not read block 0"),
    Kind.LOCKED: errors.LockNotAvailable("canceling statement due to lock timeout"),
    Kind.READ_ONLY: errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"),
    Kind.LOST_ACKNOWLEDGEMENT: psycopg.OperationalError("server closed the connection unexpectedly"),
    Kind.CONNECTION_LOST: psycopg.OperationalError("server closed the connection unexpectedly"),
    Kind.SERVER_RESTART: errors.AdminShutdown("terminating connection due to administrator command"),
}
_ENDS_IT = (Kind.LOST_ACKNOWLEDGEMENT, Kind.CONNECTION_LOST, Kind.SERVER_RESTART)


class FaultyPostgres(PostgresConnection):
    """A connection whose statements pass the seam."""

    def __init__(self, connection: "psycopg.Connection[Any]", seam: Seam, opened: list[Faulty]) -> None:
        super().__init__(connection)
        self._seam = seam
        opened.append(self)

    def renew(self, connection: "psycopg.Connection[Any]") -> None:
        """Go on with a new connection, unless the process is no more."""
        super().renew(connection)
        self._seam.require_alive()

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Found:
        """Ask, execute, ask again."""
        if not (sql.startswith(_WRITES) and self.in_transaction):
            return super().execute(sql, parameters)
        self._seam.before(self, sql)
        found = super().execute(sql, parameters)
        self._seam.after(self, sql)
        return found

    def together(self, *statements: Statement) -> list[Found]:
        """Ask, execute one, ask again; and then the next."""
        if not statements:
            return super().together()
        found: list[Found] = []
        for statement in statements:
            self._seam.before(self, statement[0])
            found += super().together(statement)
            self._seam.after(self, statement[0])
        return found

    def fits(self, kind: Kind, statement: str) -> bool:
        """Whether a fault of *kind* may strike here."""
        if kind in AT_COMMIT:
            return statement == "COMMIT"
        if kind in AT_BEGIN:
            return statement.startswith("BEGIN")
        if kind is Kind.LOCKED:
            return statement.startswith(_LOCK)
        if kind in (Kind.DISK_FULL, Kind.READ_ONLY):
            return statement.startswith(_WRITES)
        if kind is Kind.READ_ERROR:
            return statement.startswith("SELECT") and not statement.startswith(_LOCK)
        if kind is Kind.SLOW_TRANSACTION:
            return self.in_transaction and not statement.startswith("ROLLBACK")
        return True

    def failed(self, kind: Kind, *, rolls_back: bool) -> Exception | None:  # noqa: ARG002 - a server always does
        """What the ledger would get from the server, whose transaction is void; None where *kind* is no error."""
        if kind not in _ERRORS:
            return None
        if kind in _ENDS_IT:
            self.die()
        elif kind is Kind.COMMIT_ERROR:
            self._undo()
        elif self.in_transaction:
            with contextlib.suppress(DatabaseFault):
                super().together(("SELECT 1 / 0", ()))
        return fault_of(_ERRORS[kind])

    def die(self) -> None:
        """The connection ends: what was not committed is undone, at once, and not when the server comes to it."""
        self._undo()
        self.raw.close()

    def close(self) -> None:
        """As soon as this returns, nobody waits for its locks."""
        self.die()

    def _undo(self) -> None:
        self._forget_kept()
        if not self.broken and self.raw.info.transaction_status != pq.TransactionStatus.IDLE:
            super().together(("ROLLBACK", ()))


@contextmanager
def through(seam: Seam, opened: list[Faulty]) -> Iterator[None]:
    """What is opened meanwhile passes the seam."""
    token = wrapping.set(lambda raw: FaultyPostgres(raw, seam, opened))
    try:
        yield
    finally:
        wrapping.reset(token)


@contextmanager
def untouched() -> Iterator[None]:
    """What is opened meanwhile does not."""
    token = wrapping.set(None)
    try:
        yield
    finally:
        wrapping.reset(token)
