"""The RFC 6962 / RFC 9162 Merkle tree: its root event by event, its proofs from tiles, and who checks them.

A tile holds up to 256 hashes of one level: level 0 the leaves, level 1 the roots of 256 leaves, and so on. Only
complete subtrees are stored; what lies at the right edge is computed. A proof reads O(log n) tiles.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_BYTES = 32
TILE_BITS = 8
TILE_WIDTH = 1 << TILE_BITS
EMPTY_ROOT = sha256(b"").digest()

TileReader = Callable[[int, int], bytes]
"""``(level, tile)`` to the hashes of that tile, one after the other; fewer than 256 at the right edge."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf with this *data*."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: all that is needed to append to it, and its root (a compact range from 0).

    *nodes* are the roots of the complete subtrees, the largest first: one for each bit of *size*.
    """

    __slots__ = ("nodes", "size")

    def __init__(self, size: int = 0, nodes: Sequence[bytes] = ()) -> None:
        self.size, self.nodes = size, list(nodes)

    def extend(self, leaves: Sequence[bytes]) -> list[tuple[int, bytes]]:
        """Append leaf hashes. Returns the roots of the subtrees of 256, 65,536, … leaves that they complete, each with
        its level: what belongs into the tiles above the leaves."""
        upper: list[tuple[int, bytes]] = []
        at, count = 0, len(leaves)
        while at < count:
            if self.size % TILE_WIDTH == 0 and count - at >= TILE_WIDTH:
                self._add(_complete(leaves[at : at + TILE_WIDTH]), TILE_BITS, upper)
                at += TILE_WIDTH
            else:
                self._add(leaves[at], 0, upper)
                at += 1
        return upper

    def _add(self, node: bytes, height: int, upper: list[tuple[int, bytes]]) -> None:
        """Add the root of a complete subtree of 2^height leaves."""
        nodes, rest = self.nodes, self.size >> height
        self.size += 1 << height
        if height:
            upper.append((1, node))
        while rest & 1:
            node = sha256(b"\x01" + nodes.pop() + node).digest()
            rest >>= 1
            height += 1
            if not height & 7:
                upper.append((height >> 3, node))
        nodes.append(node)

    def root(self) -> bytes:
        """The root of the tree."""
        return _folded(self.nodes) if self.nodes else EMPTY_ROOT

    def copy(self) -> "Frontier":
        """A frontier that goes on by itself."""
        return Frontier(self.size, self.nodes)


class TiledTree:
    """Roots and proofs of a stored tree. Each tile is read once; raises TreeDamaged for one that lacks a hash."""

    def __init__(self, read: TileReader) -> None:
        self._read = read
        self._tiles: dict[tuple[int, int], bytes] = {}

    def frontier(self, size: int) -> Frontier:
        """The right edge at *size*."""
        nodes, start = [], 0
        for height in reversed(range(size.bit_length())):
            if size >> height & 1:
                nodes.append(self.node(height, start >> height))
                start += 1 << height
        return Frontier(size, nodes)

    def root(self, size: int) -> bytes:
        """The root of the first *size* leaves."""
        return self.frontier(size).root()

    def node(self, height: int, index: int) -> bytes:
        """The root of the complete subtree number *index* of 2^height leaves."""
        level, rest = divmod(height, TILE_BITS)
        first = index << rest
        tile, offset = divmod(first, TILE_WIDTH)
        hashes = self._tile(level, tile)[offset * HASH_BYTES : (offset + (1 << rest)) * HASH_BYTES]
        if len(hashes) != HASH_BYTES << rest:
            raise TreeDamaged(level, tile)
        return _complete([hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)])

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that leaf *index* is in the tree of *size* leaves (RFC 9162, 2.1.3.1)."""
        assert 0 <= index < size, f"leaf {index} of a tree of {size}"
        path, start, end = [], 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of *old* leaves is a prefix of that of *new* ones (RFC 9162, 2.1.4.1)."""
        assert 0 <= old <= new, f"a tree of {old} within one of {new}"
        if old in (0, new):
            return []
        path, start, end, whole = [], 0, new, True
        while old != end:
            middle = start + _split(end - start)
            if old <= middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start, whole = middle, False
        return path[::-1] if whole else [self._subtree(start, end), *path[::-1]]

    def _subtree(self, start: int, end: int) -> bytes:
        """The hash of the subtree of leaves *start* to *end*, which begins where a complete one may begin."""
        nodes = []
        while start < end:
            height = (end - start).bit_length() - 1
            nodes.append(self.node(height, start >> height))
            start += 1 << height
        return _folded(nodes)

    def _tile(self, level: int, tile: int) -> bytes:
        key = (level, tile)
        if key not in self._tiles:
            self._tiles[key] = self._read(level, tile)
        return self._tiles[key]


class TreeDamaged(Exception):
    """A stored tile lacks a hash that the tree needs."""

    def __init__(self, level: int, tile: int) -> None:
        self.level, self.tile = level, tile
        super().__init__(f"tile {tile} of level {level} of the stored tree lacks hashes")


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether *proof* shows leaf hash *leaf* at *index* of the tree with *root* (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or any(len(node) != HASH_BYTES for node in proof):
        return False
    position, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and node == root


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether *proof* shows that the tree of *new* leaves begins with that of *old* ones (RFC 9162, 2.1.4.2).

    The empty tree is a prefix of every tree, and each tree of itself, by an empty proof.
    """
    if not 0 <= old <= new or any(len(node) != HASH_BYTES for node in proof):
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    return _leads_to(path, position, last, old_root, new_root)


def _leads_to(path: Sequence[bytes], position: int, last: int, old_root: bytes, new_root: bytes) -> bool:
    """The steps 5 and 6 of RFC 9162, 2.1.4.2."""
    before = after = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            before, after = node_hash(node, before), node_hash(node, after)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            after = node_hash(after, node)
        position, last = position >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _complete(nodes: Sequence[bytes]) -> bytes:
    """The root of a complete subtree, from all hashes of one level."""
    while len(nodes) > 1:
        nodes = [sha256(b"\x01" + left + right).digest() for left, right in zip(nodes[::2], nodes[1::2], strict=True)]
    return nodes[0]


def _split(count: int) -> int:
    """The largest power of two that is smaller than *count*."""
    return 1 << (count - 1).bit_length() - 1


def _folded(nodes: Sequence[bytes]) -> bytes:
    node = nodes[-1]
    for left in reversed(nodes[:-1]):
        node = node_hash(left, node)
    return node
