"""What evidence needs of a log, in whatever database it lies: its rows as they are stored, and a place for the tree."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Self

from redrive.evidence.store import Addition, Archived, Outrun, StoredCheckpoint, StoredRow
from redrive.ledger.database import Connection
from redrive.ledger.ledger import LogLedger
from redrive.ledger.recorder import COLUMNS
from redrive.ledger.storage_errors import storage_errors

ROWS = f"SELECT {COLUMNS} FROM events WHERE position > ? ORDER BY position LIMIT ?"
LEAF_ROWS = ROWS.replace("tenant, correlation", "NULL, NULL")
FIRST = -(2**63)
_PUT_TILE = "INSERT INTO tree_tiles VALUES (?, ?, ?) ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes"
_ROWS = 256
_STATE_OF = itemgetter(4)


class LogEvidence(ABC):
    """The rows and the tree of one log. Raises StorageError."""

    _checkpoint = "SELECT size, previous_size, position, root, note, sealed_at_ms FROM tree_checkpoints"
    _tile = "SELECT hashes FROM tree_tiles WHERE level = ? AND tile = ?"

    def __init__(self, ledger: LogLedger, *, whole: bool = False) -> None:
        self._ledger, self._whole = ledger, whole

    def whole(self) -> Self:
        """The same log, its rows with the states that were archived. Reading them raises ArchiveUnreadable."""
        return type(self)(self._ledger, whole=True)

    def rows_after(self, position: float, limit: int) -> Sequence[StoredRow]:
        """At most *limit* rows beyond *position* (``-inf``: from the very first), in log order."""
        return self._rows(ROWS, position, limit)

    def leaf_rows_after(self, position: float, limit: int) -> Sequence[StoredRow]:
        """At most *limit* rows beyond *position*, in log order, with nothing in place of tenant and correlation: no
        leaf holds these columns, and to make texts of them is a quarter of the work of reading a row."""
        return self._rows(LEAF_ROWS, position, limit)

    def _rows(self, query: str, position: float, limit: int) -> Sequence[StoredRow]:
        with storage_errors(self._ledger.path):
            connection = self._ledger.recorder.reader()
            after = max(position, FIRST)
            return self._stored(connection.execute(query, (after, limit)).fetchall(), connection)

    def _stored(self, rows: list[StoredRow], connection: Connection) -> list[StoredRow]:
        """The rows with what remains of the states that were archived."""
        if b"" not in map(_STATE_OF, rows):
            return rows
        if self._whole:
            return self._ledger.recorder.shelf.put_back(rows, connection)
        kept = self._ledger.recorder.shelf.kept([row[0] for row in rows if row[4] == b""], connection)
        return [
            (*row[:4], Archived(kept[row[0]][0].size, kept[row[0]][0].digest), *row[5:])
            if row[4] == b"" and row[0] in kept
            else row
            for row in rows
        ]

    def archived_state(self, position: int) -> tuple[bytes, object]:
        """The state of a row that was archived, from its archive, and the id of the event that the log has kept of it.
        Raises ArchiveUnreadable."""
        with storage_errors(self._ledger.path):
            shelf, connection = self._ledger.recorder.shelf, self._ledger.recorder.reader()
            state = shelf.state(*shelf.kept([position], connection)[position])
            (event_id,) = connection.execute("SELECT event_id FROM archived WHERE position = ?", (position,)).fetchone()
            return state, event_id

    def file(self) -> tuple[str, int] | None:
        """The file of the log, and how many milliseconds to wait for who writes to it; None for one on a server."""
        return None

    @abstractmethod
    def faults(self) -> list[str]:
        """What is wrong with the database that reading it row by row does not show. It may be asked in a thread of its
        own."""

    def last(self) -> StoredCheckpoint | None:
        """The checkpoint with the greatest size."""
        row = self._one(f"{self._checkpoint} ORDER BY size DESC LIMIT 1")
        return StoredCheckpoint(*row) if row else None

    def checkpoints(self, after: int, limit: int) -> Sequence[StoredCheckpoint]:
        """At most *limit* checkpoints of more than *after* leaves, by size."""
        with storage_errors(self._ledger.path):
            rows = self._ledger.recorder.reader().execute(
                f"{self._checkpoint} WHERE size > ? ORDER BY size LIMIT ?", (after, limit)
            )
            return [StoredCheckpoint(*row) for row in rows.fetchall()]

    def tile(self, level: int, tile: int) -> bytes:
        """The hashes of a tile, none when it is not there."""
        row = self._one(self._tile, level, tile)
        return row[0] if row and row[0] else b""

    def leaves(self, start: int, limit: int) -> Sequence[tuple[int, int]]:
        """At most *limit* pairs of leaf index and position, from index *start* on."""
        query = "SELECT leaf_index, position FROM tree_leaves WHERE leaf_index >= ? ORDER BY leaf_index LIMIT ?"
        with storage_errors(self._ledger.path):
            return self._ledger.recorder.reader().execute(query, (start, limit)).fetchall()

    def leaf_count(self) -> int:
        """One more than the greatest leaf index."""
        row = self._one("SELECT leaf_index FROM tree_leaves ORDER BY leaf_index DESC LIMIT 1")
        return int(row[0]) + 1 if row else 0

    def add(self, addition: Addition) -> None:
        """Write a seal in one transaction. Raises Outrun, StorageError."""
        point = addition.checkpoint
        leaves = [*chain.from_iterable(enumerate(addition.positions, start=point.previous_size))]
        tiles = [(level, tile, hashes) for (level, tile), hashes in addition.tiles.items()]
        values = (point.size, point.previous_size, point.position, point.root, point.note, point.sealed_at_ms)
        with self._ledger.committer.writing() as writer:
            size = writer.execute("SELECT max(size) FROM tree_checkpoints").fetchone()[0] or 0
            if size != point.previous_size:
                raise Outrun(f"the tree has {size} leaves, not {point.previous_size}")
            writer.execute("INSERT INTO tree_checkpoints VALUES (?, ?, ?, ?, ?, ?)", values)
            _insert_leaves(writer, leaves)
            writer.executemany(_PUT_TILE, tiles)

    def make_durable(self) -> None:
        """Wait until what can be read of log and tree is durable."""
        with storage_errors(self._ledger.path):
            self._ledger.recorder.make_durable()

    def _one(self, query: str, *values: int) -> tuple[Any, ...] | None:
        with storage_errors(self._ledger.path):
            row: tuple[Any, ...] | None = self._ledger.recorder.reader().execute(query, values).fetchone()
            return row


def _insert_leaves(writer: Connection, leaves: Sequence[int]) -> None:
    """Insert indexes and positions, which follow each other in *leaves*: many rows by one statement take half as long
    as one by one."""
    for at in range(0, len(leaves), 2 * _ROWS):
        some = leaves[at : at + 2 * _ROWS]
        writer.execute(_insertion(len(some) // 2), some)


@lru_cache(maxsize=4)
def _insertion(rows: int) -> str:
    """The statement that inserts so many leaves: nearly always as many as the last one did."""
    return "INSERT INTO tree_leaves VALUES " + ", ".join(["(?, ?)"] * rows)
