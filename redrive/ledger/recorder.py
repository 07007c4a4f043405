"""The event recorder: what both stores share of appending under the write lock, and of reading beside it."""

import contextlib
import os
import threading
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from eventsourcing.persistence import ApplicationRecorder, Notification, StoredEvent, Subscription

from redrive.domain.errors import Conflict, EngineClosed, StorageError
from redrive.domain.identity import EventId
from redrive.ledger.database import Connection, Row
from redrive.ledger.encrypting import Encrypting
from redrive.ledger.mapper import LoggedEvent, NewRow, event_id_of
from redrive.ledger.storage_errors import STORAGE, storage_errors

if TYPE_CHECKING:
    from redrive.ledger.postgres.bell import Bell
    from redrive.retention.shelf import Shelf

COLUMNS = "position, originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms"
_HEAD = "SELECT originator_version FROM events WHERE originator_id = ? ORDER BY originator_version DESC LIMIT 1"
_TIP = "SELECT position, originator_id, originator_version, recorded_at_ms FROM events ORDER BY position DESC LIMIT 1"

_STATE_OF = itemgetter(4)


class News(NamedTuple):
    """What others wrote: to *streams*, or nobody knows where (None: anything may have changed); and when the last
    event of the log was recorded, if anything is new."""

    streams: Collection[str] | None
    recorded_at_ms: int = 0


class LogRecorder(ApplicationRecorder):
    """The committer appends within its transaction on *writer*, under *lock*; versions follow the head without a
    hole. *path* names the log in messages; what lies in files beside it is named after *home*."""

    bell: "Bell | None" = None
    """Wakes other processes, where they can be woken."""

    keys_away = False
    """Whether payloads are encrypted here, and the log was opened without its key store."""

    read_only = False
    """Whether nobody may write here: the log can be asked, and nothing else."""

    shift = 0
    """By how much the positions of the last commit are higher than they were told: others wrote before it."""

    path: str
    home: str
    writer: Connection
    busy_timeout_ms: int

    def __init__(self, **_: Any) -> None:
        self._pid = os.getpid()
        self._closed = False
        self.lock = threading.Lock()
        self.heads: dict[str, int] = {}
        self._shelf: Shelf | None = None
        self.encryption: Encrypting | None = None

    @abstractmethod
    def open(self, path: str, *, busy_timeout_ms: int, durable: bool) -> str:
        """Connect to the log at *path*, making it where there is none; its id. Raises StorageError."""

    @abstractmethod
    def reader(self) -> Connection:
        """A connection for reading, for this thread."""

    @abstractmethod
    def is_there(self) -> bool:
        """Whether what was opened still lies where it was; else what is written to it would be lost."""

    @abstractmethod
    def begin(self) -> None:
        """Begin a transaction on *writer*, as the only one who writes to the log."""

    @abstractmethod
    def commit(self) -> None:
        """Commit it; what it wrote is durable."""

    def make_durable(self) -> None:
        """Wait until what can be read is durable; where nothing can be read before it is, that is now."""

    @abstractmethod
    def news(self) -> News:
        """What others wrote since this was last asked, as *writer* sees it."""

    @abstractmethod
    def distrust(self) -> None:
        """What was learned of the log may be wrong: anything is news."""

    def rows_for_sure(self, stream: str, after: int) -> list[Row]:
        """The rows of *stream* beyond version *after*, once a commit that reported an error has ended for sure."""
        self.rollback()
        return self.rows_of(stream, after)

    @abstractmethod
    def emptying(self) -> contextlib.AbstractContextManager[None]:
        """Within a transaction: states of events may be emptied, because an archive has them."""

    @abstractmethod
    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """The writer's connection, reading one moment of the log; under *lock*."""

    def rollback(self) -> None:
        """Undo the transaction on *writer*, as far as there is one."""
        with contextlib.suppress(*STORAGE):
            if self.writer.in_transaction:
                self.writer.execute("ROLLBACK")

    @property
    def shelf(self) -> "Shelf":
        """The archives of this log."""
        if self._shelf is None:
            from redrive.retention.shelf import Shelf

            self._shelf = Shelf(self.home)
        return self._shelf

    def close(self) -> None:
        """Close what reads and what writes (under *lock*)."""
        self._closed = True
        if self._shelf is not None:
            self._shelf.close()

    def require_open(self) -> None:
        """Raises EngineClosed, also after a fork."""
        if os.getpid() != self._pid:
            raise EngineClosed(f"{self.path}: opened before a fork; each process opens the log for itself")
        if self._closed:
            raise EngineClosed(f"{self.path}: the engine is closed")

    def require_there(self) -> None:
        """Raises StorageError where a file is no longer what lies at its path."""
        if not self.is_there():
            raise StorageError(f"{self.path}: the file was moved or deleted; put it back, or open another log")

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """The library's subscriptions poll; the ledger's do not."""
        raise NotImplementedError("subscribe to the ledger")

    def head(self, stream: str) -> int:
        """The last version of *stream*, 0 when it is empty; read at most once per write transaction."""
        known = self.heads.get(stream)
        if known is None:
            row = self.writer.execute(_HEAD, (stream,)).fetchone()
            known = self.heads[stream] = row[0] if row else 0
            if not isinstance(known, int):
                raise StorageError(f"{self.path}: the file is damaged: stream {stream} ends with version {known!r}")
        return known

    def id_at(self, position: int) -> EventId | None:
        """The id of the event at *position*, None when there is none."""
        connection = self.reader()
        row = connection.execute("SELECT position, state FROM events WHERE position = ?", (position,)).fetchone()
        return self._id_in(connection, *row) if row else None

    def _id_in(self, connection: Connection, position: int, state: bytes) -> EventId:
        """The id in a state; of one that was archived, the log has kept it."""
        if state != b"":
            return event_id_of(state)
        row = connection.execute("SELECT event_id FROM archived WHERE position = ?", (position,)).fetchone()
        return EventId(str(row[0]) if row else "")

    def insert_events(
        self, stored_events: Sequence[StoredEvent], unchanged: Mapping[str, int] | None = None, **_: Any
    ) -> Sequence[int] | None:
        """The library's appending, a transaction of its own; *unchanged* names streams and the versions they must
        have. The agenda does not follow. Raises Conflict when a stream moved; returns the positions."""
        with self.lock, storage_errors(self.path):
            try:
                self.heads.clear()
                self.begin()
                row = self.writer.execute("SELECT recorded_at_ms FROM events ORDER BY position DESC LIMIT 1").fetchone()
                rows = [_row_after(event, row[0] if row else 0) for event in stored_events]
                rows = rows if self.encryption is None else self.encryption.encrypt(rows, None)
                last = self.insert(rows, sorted((unchanged or {}).items()))
                self.commit()
            except BaseException:
                if self.encryption is not None:
                    self.encryption.forget_begun()
                raise
            finally:
                self.rollback()
                self.heads.clear()
                self.distrust()
        return range(last - len(stored_events) + 1, last + 1)

    def insert(self, rows: Sequence[NewRow], unchanged: Iterable[tuple[str, int]], *, checked: bool = False) -> int:
        """Insert within the open write transaction; the last position, which the others precede without a gap.
        *checked*: nobody else wrote to these streams since they were read.

        Raises Conflict when a stream moved.
        """
        if checked:
            self.heads.update((row[0], row[1]) for row in rows)
            return self.write(rows)
        for stream, version in unchanged:
            if self.head(stream) != version:
                raise Conflict(f"stream {stream} moved from version {version} to {self.head(stream)}")
        heads = self.heads
        for row in rows:
            stream, version = row[0], row[1]
            if heads.get(stream) != version - 1 and self.head(stream) != version - 1:
                raise Conflict(f"stream {stream} is at version {self.head(stream)}, not {version - 1}")
            heads[stream] = version
        return self.write(rows)

    @abstractmethod
    def write(self, rows: Sequence[NewRow]) -> int:
        """Insert rows whose versions follow; the last position."""

    def rows_of(self, stream: str, after: int, connection: Connection | None = None) -> list[Row]:
        """The rows of *stream* beyond version *after*, in order."""
        if not stream.isascii():
            stream = stream.encode("utf-8", "replace").decode()  # SQLite takes no lone surrogates
        query = f"SELECT {COLUMNS} FROM events WHERE originator_id = ? AND originator_version > ? ORDER BY 3"
        used = connection or self.reader()
        return self.as_read(used.execute(query, (stream, after)).fetchall(), used)

    def rows_of_each(self, after: Mapping[str, int]) -> dict[str, list[Row]]:
        """The rows of several streams, each beyond its version, as *writer* sees them."""
        return {stream: self.rows_of(stream, version, self.writer) for stream, version in after.items()}

    def first_of(self, stream: str) -> Row | None:
        """The row with which *stream* begins, if there is one."""
        query = f"SELECT {COLUMNS} FROM events WHERE originator_id = ? AND originator_version = 1"
        with storage_errors(self.path):
            return next(iter(self.as_read(self.reader().execute(query, (stream,)).fetchall())), None)

    def rows_after(self, position: int, limit: int, until: int | None = None) -> list[Row]:
        """At most *limit* rows beyond *position*, in log order, none beyond *until*."""
        query = f"SELECT {COLUMNS} FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"
        with storage_errors(self.path):
            rows = self.reader().execute(query, (position, 2**62 if until is None else until, limit)).fetchall()
            return self.as_read(rows)

    def as_stored(self, rows: list[Row], connection: Connection | None = None) -> list[Row]:
        """Rows of the table with states that were archived, byte for byte. Raises ArchiveUnreadable."""
        if b"" in map(_STATE_OF, rows):
            return self.shelf.put_back(rows, connection or self.reader())
        return rows

    def as_read(self, rows: list[Row], connection: Connection | None = None) -> list[Row]:
        """Rows of the table as they are read: with states that were archived, and payloads, where the log has keys."""
        rows = self.as_stored(rows, connection)
        return rows if self.encryption is None else self.encryption.decrypted(rows)

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
        return self.tip()[0]

    def tip(self) -> tuple[int, str, int, int]:
        """The last event of the log: its position, stream, version, and when it was recorded."""
        with storage_errors(self.path):
            row: tuple[int, str, int, int] | None = self.reader().execute(_TIP).fetchone()
        return row or (0, "", 0, 0)


def _row_after(event: StoredEvent, recorded_at_ms: int) -> NewRow:
    """The row of *event*, recorded no earlier than the one before it."""
    assert isinstance(event, LoggedEvent)
    at = max(event.recorded_at_ms, recorded_at_ms)
    stream = str(event.originator_id)
    return stream, event.originator_version, event.topic, event.state, event.tenant, event.correlation, at


def _logged(row: Row) -> LoggedEvent:
    position, stream, version, topic, state, tenant, correlation, recorded_at_ms = row
    return LoggedEvent(stream, version, topic, state, tenant, correlation, recorded_at_ms, position)
