"""The leaves of a log in stretches: what the tree says of each, and how one process tells another that the rows of one
are just that."""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple, Protocol

from redrive.evidence.merkle import HASH_BYTES, TILE_WIDTH
from redrive.other_process import Words

CHUNK = 4 * TILE_WIDTH
_SOUND = Struct(">IQQQQ")


class Leaves(Protocol):
    """Of the tree, what a stretch needs."""

    def leaves(self, start: int, limit: int) -> Sequence[tuple[int, int]]:
        """At most *limit* pairs of leaf index and position, from index *start* on."""

    def tile(self, level: int, tile: int) -> bytes:
        """The hashes of a tile, none when it is not there."""


class Expected(NamedTuple):
    """What the tree says of a stretch of leaves."""

    start: int
    positions: list[int]
    hashes: list[bytes]


class Sound(NamedTuple):
    """A stretch of which there is nothing to tell: the rows beyond position *after*, up to *last*, are what was sealed,
    their columns what their envelopes say, their times in order."""

    after: int
    last: int
    first_ms: int
    last_ms: int
    hashes: list[bytes]


def stretches(size: int) -> Iterator[tuple[int, int]]:
    """The stretches of a tree of *size* leaves: the first leaf of each, and how many there are."""
    for start in range(0, size, CHUNK):
        yield start, min(CHUNK, size - start)


def expected_of(tree: Leaves, start: int, count: int) -> Expected | str:
    """Positions and hashes of *count* leaves, as the tree has them; or, in words, why it has none."""
    pairs = tree.leaves(start, count)
    if len(pairs) != count or (pairs[0][0], pairs[-1][0]) != (start, start + count - 1):  # they ascend
        return "leaf indexes are missing from the tree"
    positions = [position for _, position in pairs]
    if {*map(type, positions)} != {int}:
        return "the position of a leaf is no number"
    end = (start + count + TILE_WIDTH - 1) // TILE_WIDTH
    tiles = b"".join(tree.tile(0, tile) for tile in range(start // TILE_WIDTH, end))
    return Expected(start, positions, _hashes(tiles, count))


def told(sound: Sound | None) -> bytes:
    """A stretch as one process tells another; None: nothing is said of it."""
    if sound is None:
        return _SOUND.pack(0, 0, 0, 0, 0)
    after, last, first_ms, last_ms, hashes = sound
    return _SOUND.pack(len(hashes), after, last, first_ms, last_ms) + b"".join(hashes)


def heard(words: Words) -> Sound | None:
    """The next stretch that is told. Raises EOFError when there is no more."""
    count, after, last, first_ms, last_ms = _SOUND.unpack(words.exactly(_SOUND.size))
    if count > CHUNK:
        raise EOFError("somebody else is talking")
    return Sound(after, last, first_ms, last_ms, _hashes(words.exactly(count * HASH_BYTES), count)) if count else None


def _hashes(tiles: bytes, count: int) -> list[bytes]:
    return [tiles[at : at + HASH_BYTES] for at in range(0, count * HASH_BYTES, HASH_BYTES)]
