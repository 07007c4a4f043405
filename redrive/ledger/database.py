"""What the ledger asks of a database: the part of Python's ``sqlite3`` that both stores have.

Statements are written in the SQL that SQLite and PostgreSQL share, with ``?`` for values; ``INDEXED BY`` is an order
to SQLite, which PostgreSQL never sees.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

Row = tuple[Any, ...]
"""A row, in the order of the columns that were asked for."""


class Cursor(Protocol):
    """What a statement found."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""

    def fetchone(self) -> Any:
        """The next row, None when there is none."""

    def fetchmany(self, size: int = ...) -> list[Any]:
        """At most so many of the next rows."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """The rows that are left."""


class Connection(Protocol):
    """A connection in autocommit mode; who wants a transaction says so to the recorder."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open that can still be committed."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Cursor:
        """Run one statement for each of *parameters*."""

    def close(self) -> None:
        """Close it."""
