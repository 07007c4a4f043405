"""A Merkle tree written straight from the definition in RFC 9162, to compare with; and tiles in memory."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from redrive.evidence.merkle import EMPTY_ROOT, Frontier, TiledTree, leaf_hash, node_hash

RFC_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]


def hashes(count: int) -> list[bytes]:
    """Leaf hashes, all different."""
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


def split(count: int) -> int:
    """The largest power of two below *count*."""
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH(D[n])."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(old: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF(m, D[n], b)."""
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = split(len(leaves))
    if old <= k:
        return [*naive_proof(old, leaves[:k], whole=whole), naive_root(leaves[k:])]
    return [*naive_proof(old - k, leaves[k:], whole=False), naive_root(leaves[:k])]


class Tiles:
    """Tiles in memory, and how often they were read."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.stored: dict[tuple[int, int], bytearray] = defaultdict(bytearray)
        self.counts: dict[int, int] = defaultdict(int)
        self.frontier = Frontier()
        self.reads = 0
        listed = list(leaves)
        for level, node in [*((0, leaf) for leaf in listed), *self.frontier.extend(listed)]:
            self.stored[level, self.counts[level] // 256] += node
            self.counts[level] += 1

    def read(self, level: int, tile: int) -> bytes:
        """One tile."""
        self.reads += 1
        return bytes(self.stored.get((level, tile), b""))

    def tree(self) -> TiledTree:
        """The tree, with no tile read yet."""
        return TiledTree(self.read)
