"""The event recorder: inserts under the write lock, reads on connections of its own."""

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from eventsourcing.persistence import Notification, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from redrive.domain.errors import Conflict
from redrive.ledger.mapper import LoggedEvent
from redrive.ledger.schema import connect
from redrive.ledger.storage_errors import storage_errors

COLUMNS = "position, originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms"
_INSERT = (
    "INSERT INTO events (originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_HEAD = "SELECT originator_version FROM events WHERE originator_id = ? ORDER BY originator_version DESC LIMIT 1"

Row = tuple[Any, ...]


class LogRecorder(SQLiteApplicationRecorder):
    """Appends need an open write transaction on *writer*; versions must follow the head without a hole."""

    path: str
    writer: sqlite3.Connection

    def __init__(self, datastore: SQLiteDatastore) -> None:
        super().__init__(datastore, events_table_name="events")
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._closed = False
        self.heads: dict[str, int] = {}

    def open(self, path: str, *, busy_timeout_ms: int, durable: bool) -> None:
        """Connect to the log at *path*."""
        self.path, self.busy_timeout_ms = path, busy_timeout_ms
        self.writer = connect(path, busy_timeout_ms=busy_timeout_ms, durable=durable)

    def reader(self) -> sqlite3.Connection:
        """This thread's connection for reading."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self.path, busy_timeout_ms=self.busy_timeout_ms)
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            self._readers.append(connection)
        return connection

    def close(self) -> None:
        """Close every connection."""
        for connection in (*self._readers, self.writer):
            connection.close()

    def head(self, stream: str) -> int:
        """The last version of *stream*, 0 when it is empty; read at most once per write transaction."""
        known = self.heads.get(stream)
        if known is None:
            row = self.writer.execute(_HEAD, (stream,)).fetchone()
            known = self.heads[stream] = row[0] if row else 0
        return known

    def insert_events(
        self, stored_events: Sequence[StoredEvent], unchanged: Mapping[str, int] | None = None, **_: Any
    ) -> Sequence[int] | None:
        """Insert within the open write transaction; *unchanged* names streams and the versions they must have.

        Raises Conflict when a stream moved. The positions of the rows follow ``last_position()`` without a gap.
        """
        for stream, version in sorted((unchanged or {}).items()):
            if self.head(stream) != version:
                raise Conflict(f"stream {stream} moved from version {version} to {self.head(stream)}")
        rows = []
        for s in stored_events:
            assert isinstance(s, LoggedEvent)
            stream = str(s.originator_id)
            if self.head(stream) != s.originator_version - 1:
                raise Conflict(f"stream {stream} is at version {self.head(stream)}, not {s.originator_version - 1}")
            self.heads[stream] = s.originator_version
            rows.append((stream, s.originator_version, s.topic, s.state, s.tenant, s.correlation, s.recorded_at_ms))
        self.writer.executemany(_INSERT, rows)
        return None

    def last_position(self) -> int:
        """The position of the row that was inserted last in this transaction."""
        return int(self.writer.execute("SELECT last_insert_rowid()").fetchone()[0])

    def rows_of(self, stream: str, after: int, connection: sqlite3.Connection | None = None) -> list[Row]:
        """The rows of *stream* beyond version *after*, in order."""
        query = f"SELECT {COLUMNS} FROM events WHERE originator_id = ? AND originator_version > ? ORDER BY 3"
        return (connection or self.reader()).execute(query, (stream, after)).fetchall()

    def rows_after(self, position: int, limit: int, until: int | None = None) -> list[Row]:
        """At most *limit* rows beyond *position*, in log order, none beyond *until*."""
        query = f"SELECT {COLUMNS} FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"
        with storage_errors(self.path):
            return self.reader().execute(query, (position, 2**62 if until is None else until, limit)).fetchall()

    def select_events(
        self,
        originator_id: Any,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The library's reading of one stream."""
        rows = [row for row in self.rows_of(str(originator_id), gt or 0) if lte is None or row[2] <= lte]
        return [_logged(row) for row in (rows[::-1] if desc else rows)[:limit]]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The library's reading of the whole log."""
        after = 0 if start is None else start - 1 if inclusive_of_start else start
        rows = self.rows_after(after, limit if not topics else 2**62, stop)
        chosen = [row for row in rows if not topics or row[3] in topics][:limit]
        return [Notification(row[1], row[2], row[3], row[4], id=row[0]) for row in chosen]

    def max_notification_id(self) -> int:
        """The last position of the log, 0 when it is empty."""
        with storage_errors(self.path):
            row = self.reader().execute("SELECT position FROM events ORDER BY position DESC LIMIT 1").fetchone()
        return row[0] if row else 0


def _logged(row: Row) -> LoggedEvent:
    position, stream, version, topic, state, tenant, correlation, recorded_at_ms = row
    return LoggedEvent(stream, version, topic, state, tenant, correlation, recorded_at_ms, position)
