"""What is stored of a log, as far as evidence is concerned: rows, checkpoints, and what a seal adds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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
