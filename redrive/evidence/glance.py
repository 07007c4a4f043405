"""What a second process does for a scan: it reads a log in SQLite ahead, and tells which stretches of it are sound.

It tells nothing else. What it does not call sound the scan looks at by itself, as it does all of a log without this
process: what is found does not depend on it.
"""

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from struct import error as out_of_range

from redrive.domain.errors import StorageError
from redrive.evidence.columns import doubtful
from redrive.evidence.leaves import leaves_of
from redrive.evidence.stretches import CHUNK, Sound, expected_of, stretches, told
from redrive.ledger.schema import connect

LEFT = 4
MOST_DOUBTFUL = 16
_LEAVES = "SELECT leaf_index, position FROM tree_leaves WHERE leaf_index >= ? ORDER BY leaf_index LIMIT ?"
_TILE = "SELECT hashes FROM tree_tiles WHERE level = ? AND tile = ? AND typeof(hashes) = 'blob'"
_ROWS = (
    "SELECT position, originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms "
    "FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"
)


def is_left(start: int) -> bool:
    """Whether a stretch is left to the scan: one in four, since with the others it has less to do than this process."""
    return start // CHUNK % LEFT == LEFT - 1


def tell(path: str, size: int, busy_timeout_ms: int) -> None:
    """Tell of the first *size* leaves on standard output; no more once much of the log is in doubt, as where states
    are archived."""
    doubts = 0
    with closing(connect(path, busy_timeout_ms=busy_timeout_ms)) as connection:
        connection.execute("PRAGMA query_only = ON")
        glance = Glance(connection)
        for start, count in stretches(size):
            if is_left(start):
                continue
            found = glance.at(start, count)
            sys.stdout.buffer.write(told(found))
            sys.stdout.buffer.flush()
            doubts += found is None
            if doubts > MOST_DOUBTFUL:
                return


class Glance:
    """One log, by a connection of its own."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def at(self, start: int, count: int) -> Sound | None:
        """The stretch of *count* leaves from *start* on, if it is sound."""
        try:
            return self._sound(start, count)
        except (sqlite3.Error, ValueError, TypeError, LookupError, out_of_range):  # a column may hold anything
            return None

    def _sound(self, start: int, count: int) -> Sound | None:
        expected = expected_of(self, start, count)
        if isinstance(expected, str):
            return None
        after = self.leaves(start - 1, 1)[0][1] if start else 0
        last = expected.positions[-1]
        rows = self._connection.execute(_ROWS, (after, last, count + 1)).fetchall()
        times = [row[7] for row in rows]
        if (
            [row[0] for row in rows] != expected.positions
            or leaves_of(rows) != expected.hashes
            or doubtful(rows)
            or {*map(type, times)} != {int}
            or times != sorted(times)
        ):
            return None
        sound = Sound(after, last, times[0], times[-1], expected.hashes)
        told(sound)  # that it can be told
        return sound

    def leaves(self, start: int, limit: int) -> Sequence[tuple[int, int]]:
        """At most *limit* pairs of leaf index and position, from index *start* on."""
        return self._connection.execute(_LEAVES, (start, limit)).fetchall()

    def tile(self, level: int, tile: int) -> bytes:
        """The hashes of a tile, none when it is not there."""
        row = self._connection.execute(_TILE, (level, tile)).fetchone()
        return row[0] if row else b""


def main() -> None:
    """What ``ahead`` has started; quietly, since what it cannot tell the scan finds by itself."""
    path, size, busy_timeout_ms = sys.argv[1:]
    try:
        tell(path, int(size), int(busy_timeout_ms))
    except (StorageError, sqlite3.Error, BrokenPipeError):
        sys.exit(1)
