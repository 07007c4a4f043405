"""Connections for reading: a few, each lent for one statement, kept for the next, and made anew when the server was
away. Nothing runs in the background: who finds no server is told at once, and the next one tries again."""

import threading
from collections.abc import Callable, Sequence

from redrive.domain.errors import EngineClosed
from redrive.ledger.database import Cursor
from redrive.ledger.postgres.connection import PostgresConnection
from redrive.ledger.storage_errors import DatabaseFault

MOST_READERS = 8


class Readers:
    """Is used like one connection, by any number of threads; *connected* makes another."""

    in_transaction = False

    def __init__(self, connected: Callable[[], PostgresConnection], busy_timeout_ms: int) -> None:
        self._connected, self._timeout_s = connected, busy_timeout_ms / 1000
        self._room = threading.BoundedSemaphore(MOST_READERS)
        self._idle: list[PostgresConnection] = []
        self._lock = threading.Lock()
        self._closed = False

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Cursor:
        """Run one statement; once more when the connection turns out to be lost."""
        if not self._room.acquire(timeout=self._timeout_s):
            raise DatabaseFault("too many threads read at once; try again")
        try:
            if (kept := self._kept()) is not None:
                try:
                    return self._on(kept, sql, parameters)
                except DatabaseFault:
                    if not kept.broken:
                        raise
                    self._forget()  # the others were lost with it
            return self._on(self._connected(), sql, parameters)
        finally:
            self._room.release()

    def executemany(self, sql: str, _parameters: Sequence[Sequence[object]], /) -> Cursor:
        """Nothing is written here."""
        raise DatabaseFault(f"a connection for reading was given {sql[:20]!r}")

    def close(self) -> None:
        """Close those that nobody uses, and the others as they are given back."""
        self._closed = True
        self._forget()

    def _kept(self) -> PostgresConnection | None:
        with self._lock:
            if self._closed:
                raise EngineClosed("the engine is closed")
            return self._idle.pop() if self._idle else None

    def _forget(self) -> None:
        with self._lock:
            lost, self._idle = self._idle, []
        for connection in lost:
            connection.close()

    def _on(self, connection: PostgresConnection, sql: str, parameters: Sequence[object]) -> Cursor:
        try:
            return connection.execute(sql, parameters)
        finally:
            self._give_back(connection)

    def _give_back(self, connection: PostgresConnection) -> None:
        with self._lock:
            if not self._closed and not connection.broken:
                self._idle.append(connection)
                return
        connection.close()
