"""The recorder of a log in a PostgreSQL database.

Positions are given under an advisory lock that is held from the check of what was read to a commit that does not wait
for the disk; the wait comes after it, without the lock, so that those of many processes share a flush. Whoever sees a
position has seen all before it. What others see may be lost with the server until it is flushed, never without what
was decided because of it: the write-ahead log is one sequence. Nobody is told "done" before the flush.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import psycopg

from redrive.domain.errors import StorageError
from redrive.ledger.database import Connection, Row
from redrive.ledger.mapper import NewRow
from redrive.ledger.postgres.address import address_of
from redrive.ledger.postgres.appending import (
    INSERT,
    NEWS,
    NOWHERE,
    ROWS_OF_EACH,
    UNMOVED,
    Place,
    portions,
)
from redrive.ledger.postgres.bell import Bell
from redrive.ledger.postgres.connecting import session
from redrive.ledger.postgres.connection import Found, Opening, PostgresConnection, wrapped
from redrive.ledger.postgres.hearing import HearingRecorder
from redrive.ledger.postgres.names import home_of, lock_key
from redrive.ledger.postgres.pipeline import Statement
from redrive.ledger.postgres.readers import Readers
from redrive.ledger.postgres.schema import prepare
from redrive.ledger.recorder import News
from redrive.ledger.storage_errors import DatabaseFault, storage_errors

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"  # each statement sees what was committed before it: after the lock, all
_LOCK = "SELECT pg_advisory_xact_lock(?)"
_FLUSH = "SELECT set_config('synchronous_commit', ?, true), pg_logical_emit_message(true, 'redrive', '')"


class PostgresRecorder(HearingRecorder):
    """Writes on one connection, reads on those of a pool."""

    bell: Bell

    def open(self, path: str, *, busy_timeout_ms: int, durable: bool) -> str:
        """Connect to the log at the URL *path*, creating its tables where there are none; its id."""
        address = address_of(path)
        self.path, self.busy_timeout_ms = address.label, busy_timeout_ms
        self._address, self._durable = address, durable
        self._written = self._looking = False
        self._known_before: Place | None = None
        self._readers = Readers(self._connected_to_read, busy_timeout_ms)
        with storage_errors(self.path):
            self.writer = wrapped(self._connected())
            try:
                id_ = prepare(self.writer, address.schema, self.path)
            except BaseException:
                self.writer.close()
                raise
        self._id, self._key = id_, lock_key(address.schema)
        self.bell = Bell(f"redrive-{id_}", self.reader, self._connected)
        self.home = home_of(address, id_)
        return id_

    def _connected(self) -> "psycopg.Connection[Any]":
        raw, self._durably = session(self._address, busy_timeout_ms=self.busy_timeout_ms)
        return raw

    def _connected_to_read(self) -> PostgresConnection:
        return wrapped(session(self._address, busy_timeout_ms=self.busy_timeout_ms, reading=True)[0])

    @property
    def lost(self) -> bool:
        """Whether the connection that writes is known to be gone."""
        return self.writer.broken

    def reader(self) -> Connection:
        """Each statement on one of a few connections."""
        self.require_open()
        return self._readers

    def close(self) -> None:
        """Close every connection."""
        self.bell.close()
        super().close()
        self.writer.close()
        self._readers.close()

    def begin(self) -> None:
        """Begin a transaction as the only one who writes to the log, and hear the news."""
        found = self._first((_BEGIN, ()), (_LOCK, (self._key,)), self._question())
        self._hear(found[-1].fetchall())

    def begin_unless(self, moved: Callable[[], Collection[str]]) -> bool:
        """Begin a transaction that goes to the server in one piece, with the check that it rests on: the lock is held
        for as long as the server takes to write."""
        known = self._known
        if known is None or known is NOWHERE:
            return False  # the end of the log is not known
        self._known_before, self.shift = known, 0

        def opening() -> list[Statement]:
            unmoved = UNMOVED, (*known, [*moved()])
            begun = () if self.writer.in_transaction else ((_BEGIN, ()),)
            return [*begun, (_LOCK, (self._key,)), unmoved]

        def opened(found: list[Found]) -> None:
            self._moved_on(known, found[-1].fetchall())

        self._looking = False
        self.writer.begin_later(Opening(opening, opened))
        return True

    def ask_along(self, answered: Callable[[], None]) -> None:
        """Ask for the news with whatever is asked next, ahead of it."""

        def told(found: list[Found]) -> None:
            self._hear(found[-1].fetchall())
            answered()

        self.writer.ask_along(Opening(lambda: (self._question(),), told))

    def look(self, first: Statement, *then: Statement) -> list[list[Row]]:
        """In one way to the server."""
        begun = () if self._looking else ((_BEGIN, ()),)
        found = self.writer.together(*begun, first, self._question(), *then)[len(begun) :]
        self._looking = True
        self._hear(found.pop(1).fetchall())
        return [one.fetchall() for one in found]

    def commit(self) -> None:
        """Commit it, let others go on, and wait until it is durable."""
        self._written = False
        if not self.writer.in_transaction:  # the server would answer COMMIT with a rollback
            raise DatabaseFault("the transaction was lost before its end: nothing was written; try again")
        if self._durable:
            self.writer.together(("COMMIT", ()), (_FLUSH, (self._durably,)))
        else:
            self.writer.together(("COMMIT", ()))
        self._known_before = None

    def make_durable(self) -> None:
        """Others may have committed, and not flushed yet, what was read here."""
        if self._durable:
            with self.lock:
                self._first((_FLUSH, (self._durably,)))

    def rollback(self) -> None:
        """Undo the transaction on *writer*, as far as there is one."""
        self._looking = False
        with contextlib.suppress(DatabaseFault, psycopg.Error):
            self.writer.rollback()
        if self._known_before is not None:
            self._known, self._known_before, self._written = self._known_before, None, False
        elif self._written:
            self._written = False
            self.distrust()

    def news(self) -> News:
        """What others wrote since this was last asked."""
        if self._looking:
            self._looking = False
            self._hear(self.writer.together(("ROLLBACK", ()), self._question())[-1].fetchall())
        elif not self.writer.in_transaction:
            self._hear(self._first(self._question())[-1].fetchall())
        return self.heard()

    def _first(self, *statements: Statement) -> list[Found]:
        """Run what nothing was sent before of: when the connection turns out to be gone, on a new one."""
        if not self.writer.broken:
            try:
                return self.writer.together(*statements)
            except DatabaseFault:
                if not self.writer.broken:
                    self.writer.rollback()
                    raise
        self.require_open()
        self.writer.renew(self._connected())
        self.distrust()
        statements = tuple(self._question() if sql is NEWS else (sql, values) for sql, values in statements)
        try:
            return self.writer.together(*statements)
        except DatabaseFault:
            self.rollback()
            raise

    def rows_for_sure(self, stream: str, after: int) -> list[Row]:
        """The rows of *stream* beyond version *after*: whoever held the lock has ended; what is there is durable."""
        self.rollback()
        self.begin()
        try:
            rows = self.rows_of(stream, after, self.writer)
        finally:
            self.commit()
        return rows

    def keep(self, statement: Statement) -> list[Row]:
        """By locks of the session, which end with it."""
        found, news = self._first(statement, self._question())
        self._hear(news.fetchall())
        return found.fetchall()

    def leave(self) -> None:
        """A connection that is lost has ended it."""
        with contextlib.suppress(DatabaseFault):
            self.writer.together(("SELECT pg_advisory_unlock_all()", ()))

    def rows_of_each(self, after: Mapping[str, int]) -> dict[str, list[Row]]:
        """In one way to the server."""
        each: dict[str, list[Row]] = {stream: [] for stream in after}
        rows = self.writer.execute(ROWS_OF_EACH, ([*after], [*after.values()])).fetchall()
        for row in self.as_read(rows, self.writer):
            each[row[1]].append(row)
        return each

    @contextlib.contextmanager
    def emptying(self) -> Iterator[None]:
        """The trigger that keeps the log append-only lets this transaction pass."""
        self.writer.execute("SELECT set_config('redrive.archiving', 'on', true)")
        yield
        self.writer.execute("SELECT set_config('redrive.archiving', '', true)")

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """The writer's connection, reading one moment of the log; under *lock*."""
        self.heads.clear()
        self._first(("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ()))
        try:
            yield self.writer
        finally:
            self.rollback()
            self.heads.clear()
            self.distrust()

    def write(self, rows: Sequence[NewRow]) -> int:
        """Insert rows whose versions follow; the last position, which the others precede without a gap."""
        if self._known is None:
            raise StorageError(f"{self.path}: the end of the log is not known")
        base = self._known.position - self._added()
        for begun, part in portions(rows):
            # This may be what opens the transaction.
            self.writer.execute(INSERT, (base + begun, *map(list, zip(*part, strict=True))))
        if rows:
            last, self._written = rows[-1], True
            at = max(last[6], self._known.recorded_at_ms)
            self._known = Place(base + len(rows) + self._added(), last[0], last[1], at)
        return base + len(rows)

    def _added(self) -> int:
        """What the server adds to positions that are told in one piece, as far as it has said so."""
        return 0 if self._known_before is None else self.shift
