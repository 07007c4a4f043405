"""The recorder of a log in a PostgreSQL database.

Positions are given under an advisory lock that is held from the check of what was read to a commit that does not wait
for the disk; the wait comes after it, without the lock, so that those of many processes share a flush. Whoever sees a
position has seen all before it. What others see may be lost with the server until it is flushed, never without what
was decided because of it: the write-ahead log is one sequence. Nobody is told "done" before the flush.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8BinaryDumper

from redrive.domain.errors import StorageError
from redrive.ledger.database import Connection, Row
from redrive.ledger.mapper import NewRow
from redrive.ledger.postgres.address import address_of
from redrive.ledger.postgres.bell import Bell
from redrive.ledger.postgres.connection import ExactTextLoader, Found, LenientStrDumper, PostgresConnection
from redrive.ledger.postgres.errors import fault_of
from redrive.ledger.postgres.names import home_of, lock_key
from redrive.ledger.postgres.pipeline import Pipeline
from redrive.ledger.postgres.readers import Readers
from redrive.ledger.postgres.schema import META, prepare
from redrive.ledger.recorder import LogRecorder, News
from redrive.ledger.seams import wrapping
from redrive.ledger.storage_errors import DatabaseFault, storage_errors

MOST_NEWS = 500
IDLE_IN_TRANSACTION = "60s"
_READING = " -c default_transaction_read_only=on"
_NEWS = (
    "SELECT position, originator_id, originator_version, recorded_at_ms FROM events WHERE position >= ? "
    f"ORDER BY position LIMIT {MOST_NEWS + 1}"
)
_LAST = _NEWS.replace("ORDER BY position", "ORDER BY position DESC").replace(str(MOST_NEWS + 1), "1")
_PATIENCE = {"tcp_user_timeout": 30_000, "keepalives_idle": 30}  # a server that is gone without a word
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"  # each statement sees what was committed before it: after the lock, all
_LOCK = "SELECT pg_advisory_xact_lock(?)"
_FIRST = (("SHOW synchronous_commit", ()), ("SET synchronous_commit = off", ()))
_FLUSH = "SELECT set_config('synchronous_commit', ?, true), pg_logical_emit_message(true, 'redrive', '')"
_INSERT = (
    "INSERT INTO events SELECT ? + n, s, v, t, st, te, c, r FROM unnest(?::text[], ?::bigint[], ?::text[], "
    "?::bytea[], ?::text[], ?::text[], ?::bigint[]) WITH ORDINALITY AS u (s, v, t, st, te, c, r, n)"
)


class Place(NamedTuple):
    """The last event that is known: should another stand there, the log is not the one that was read."""

    position: int
    stream: str
    version: int
    recorded_at_ms: int


NOWHERE = Place(0, "", 0, 0)


class PostgresRecorder(LogRecorder):
    """Writes on one connection, reads on those of a pool."""

    concurrent: ClassVar[bool] = True

    writer: PostgresConnection
    bell: Bell

    def open(self, path: str, *, busy_timeout_ms: int, durable: bool) -> str:
        """Connect to the log at the URL *path*, creating its tables where there are none; its id."""
        address = address_of(path)
        self.path, self.busy_timeout_ms = address.label, busy_timeout_ms
        self._conninfo, self._durable = address.conninfo, durable
        given: dict[str, Any] = conninfo_to_dict(self._conninfo)
        self._patience: dict[str, Any] = {name: value for name, value in _PATIENCE.items() if name not in given}
        self._options = (
            f"{given.get('options', '')} -c search_path={address.schema} -c lock_timeout={max(1, busy_timeout_ms)} "
            f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION}"
        )
        self._known: Place | None = None
        self._written = False
        self._heard: set[str] | None = set()
        self._readers = Readers(self._connected_to_read, busy_timeout_ms)
        with storage_errors(self.path):
            self.writer = _wrapped(self._connected())
            try:
                self._require_unicode()
                id_ = prepare(self.writer, address.schema, self.path)
            except BaseException:
                self.writer.close()
                raise
        self._id, self._key = id_, lock_key(address.schema)
        self.bell = Bell(f"redrive-{id_}", self.reader, self._connected)
        self.home = home_of(address, id_)
        return id_

    def _connected(self, more: str = "") -> "psycopg.Connection[Any]":
        raw: psycopg.Connection[Any] | None = None
        try:
            raw = psycopg.connect(
                self._conninfo,
                autocommit=True,
                options=self._options + more,
                application_name="redrive" if not more else "redrive reading",
                connect_timeout=max(2, self.busy_timeout_ms // 1000),
                client_encoding="UTF8",
                **self._patience,
            )
            _configure(raw)
            asked = Pipeline(raw, b"redrive_first").run(_FIRST)  # the driver would wait for ever
            if not more:
                configured = str(asked[0][0][0][0])
                self._durably = "on" if configured == "off" else configured  # who is told "done" relies on it
        except BaseException as error:
            if raw is not None:
                raw.close()
            if isinstance(error, psycopg.Error):
                raise fault_of(error) from error
            raise
        return raw

    def _require_unicode(self) -> None:
        encoding = self.writer.raw.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StorageError(f"{self.path}: the database's encoding is {encoding}: redrive needs one with UTF8")

    def _connected_to_read(self) -> PostgresConnection:
        return _wrapped(self._connected(_READING))

    @property
    def lost(self) -> bool:  # type: ignore[override]
        """Whether the connection that writes is known to be gone."""
        return self.writer.broken

    def is_there(self) -> bool:
        """The server tells by itself."""
        return True

    def reader(self) -> Connection:
        """Each statement on one of a few connections."""
        self.require_open()
        return self._readers

    def close(self) -> None:
        """Close every connection."""
        super().close()
        self.bell.close()
        self.writer.close()
        self._readers.close()

    def begin(self) -> None:
        """Begin a transaction as the only one who writes to the log, and hear the news."""
        found = self._first((_BEGIN, ()), (_LOCK, (self._key,)), self._question())
        self._hear(found[-1].fetchall())

    def commit(self) -> None:
        """Commit it, let others go on, and wait until it is durable."""
        self._written = False
        if not self.writer.in_transaction:  # the server would answer COMMIT with a rollback
            raise DatabaseFault("the transaction was lost before its end: nothing was written; try again")
        if self._durable:
            self.writer.together(("COMMIT", ()), (_FLUSH, (self._durably,)))
        else:
            self.writer.together(("COMMIT", ()))

    def make_durable(self) -> None:
        """Others may have committed, and not flushed yet, what was read here."""
        if self._durable:
            with self.lock:
                self._first((_FLUSH, (self._durably,)))

    def rollback(self) -> None:
        """Undo the transaction on *writer*, as far as there is one."""
        with contextlib.suppress(DatabaseFault, psycopg.Error):
            self.writer.rollback()
        if self._written:
            self._written = False
            self.distrust()

    def news(self) -> News:
        """What others wrote since this was last asked."""
        if not self.writer.in_transaction:
            self._hear(self._first(self._question())[-1].fetchall())
        if self._heard is None:
            self._require_same_log()
        heard, self._heard = self._heard, set()
        return News(heard, self._known.recorded_at_ms if self._known else 0)

    def distrust(self) -> None:
        """Anything is news."""
        self._known = None

    def _require_same_log(self) -> None:
        """Raises StorageError when the schema was filled with another log."""
        row = self.writer.execute(META, ("ledger_id",)).fetchone()
        if row is None or row[0] != self._id:
            raise StorageError(f"{self.path}: another log lies here now: open it anew")

    def _question(self) -> tuple[str, Sequence[Any]]:
        return (_LAST, (0,)) if self._known is None else (_NEWS, (self._known.position,))

    def _hear(self, rows: list[Row]) -> None:
        """Note to which streams others wrote, as far as it can be told."""
        known, last = self._known, Place(*rows[-1]) if rows else NOWHERE
        self._known = last
        if known is None or len(rows) > MOST_NEWS or (known is not NOWHERE and (not rows or Place(*rows[0]) != known)):
            self._heard = None
            if len(rows) > MOST_NEWS:
                self._known = None
                self._hear(self.writer.execute(_LAST, (0,)).fetchall())
        elif self._heard is not None:
            self._heard.update(row[1] for row in (rows if known is NOWHERE else rows[1:]))

    def _first(self, *statements: tuple[str, Sequence[Any]]) -> list[Found]:
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
        statements = tuple(self._question() if sql is _NEWS else (sql, values) for sql, values in statements)
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
        base = self._known.position
        if rows:
            self.writer.execute(_INSERT, (base, *map(list, zip(*rows, strict=True))))
            last, self._written = rows[-1], True
            self._known = Place(base + len(rows), last[0], last[1], last[6])
        return base + len(rows)


def _wrapped(raw: "psycopg.Connection[Any]") -> PostgresConnection:
    make: type[PostgresConnection] = wrapping.get() or PostgresConnection  # type: ignore[assignment]
    return make(raw)


def _configure(raw: "psycopg.Connection[Any]") -> None:
    for number in (int, bool):  # one type for all numbers, as in SQLite: a statement is prepared once
        raw.adapters.register_dumper(number, Int8BinaryDumper)
    raw.adapters.register_dumper(str, LenientStrDumper)
    raw.adapters.register_loader("text", ExactTextLoader)
    raw.prepare_threshold = 2
