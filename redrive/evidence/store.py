"""What evidence needs of a database: the rows of the log as they are stored, and a place for the tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

StoredRow = tuple[Any, ...]
"""position, originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms: as stored, whatever
their types are by now. The state is ``Archived`` when it was moved elsewhere."""


class Archived(NamedTuple):
    """What remains of a state that was archived: all that its leaf needs."""

    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as it is stored. *position* is that of its last leaf, *previous_size* the checkpoint before."""

    size: int
    previous_size: int
    position: int
    root: bytes
    note: str
    sealed_at_ms: int


@dataclass(frozen=True, slots=True)
class Addition:
    """What a seal writes, all of it or nothing: *positions* of the new leaves, *tiles* by (level, tile), each in
    full, and the checkpoint."""

    checkpoint: StoredCheckpoint
    positions: Sequence[int]
    tiles: Mapping[tuple[int, int], bytes]


class Outrun(Exception):
    """Another sealer was first: its checkpoint follows the one that this addition follows."""


class StoredRows(Protocol):
    """The log, row by row."""

    def rows_after(self, position: float, limit: int) -> Sequence[StoredRow]:
        """At most *limit* rows beyond *position* (``-inf``: from the very first), in log order."""

    def archived_state(self, position: int) -> tuple[bytes, object]:
        """The state of a row that was archived, from its archive, and the id of the event that the log has kept of it.
        Raises ArchiveUnreadable."""

    def last_position(self) -> int:
        """The last position of the log, 0 when it is empty."""


class LeafRows(Protocol):
    """The log as far as its leaves need it."""

    def leaf_rows_after(self, position: float, limit: int) -> Sequence[StoredRow]:
        """At most *limit* rows beyond *position*, in log order, with nothing in place of tenant and correlation: no
        leaf holds these columns, and to make texts of them is a quarter of the work of reading a row."""


class TreeStore(Protocol):
    """The tree of the log."""

    def last(self) -> StoredCheckpoint | None:
        """The checkpoint with the greatest size."""

    def checkpoints(self, after: int, limit: int) -> Sequence[StoredCheckpoint]:
        """At most *limit* checkpoints of more than *after* leaves, by size."""

    def tile(self, level: int, tile: int) -> bytes:
        """The hashes of a tile, none when it is not there."""

    def leaves(self, start: int, limit: int) -> Sequence[tuple[int, int]]:
        """At most *limit* pairs of leaf index and position, from index *start* on."""

    def leaf_count(self) -> int:
        """One more than the greatest leaf index."""

    def make_durable(self) -> None:
        """Wait until what can be read of log and tree is durable. Raises StorageError."""

    def add(self, addition: Addition) -> None:
        """Write a seal in one transaction. Raises Outrun, StorageError."""
