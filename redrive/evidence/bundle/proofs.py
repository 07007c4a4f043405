"""The proofs of a bundle: one `.tlog-proof` for a single leaf, one range proof for leaves that follow one another.

A `.tlog-proof` (c2sp.org/tlog-proof) is read by other tools, and costs about a kilobyte for each entry. Of a range, the
leaves are all in the bundle: what lacks for the root are the complete subtrees to the left and to the right of it, at
most two for each level of the tree. A range proof lists these, from left to right, and shows that the range is whole.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from redrive.evidence.bundle.archive import broken
from redrive.evidence.merkle import TiledTree, node_hash

SINGLE = "c2sp.org/tlog-proof@v1"
RANGE = "redrive-range-proof/v1"
CONSISTENCY = "redrive-consistency/v1"


class Subtree(NamedTuple):
    """A complete subtree: 2^height leaves, from leaf number × 2^height on."""

    height: int
    number: int


def subtrees(begin: int, end: int) -> Iterator[Subtree]:
    """The largest complete subtrees that together are the leaves from *begin* to before *end*."""
    while begin < end:
        height = (end - begin).bit_length() - 1
        if begin:
            height = min(height, (begin & -begin).bit_length() - 1)
        yield Subtree(height, begin >> height)
        begin += 1 << height


class Span:
    """Leaves that follow one another, from leaf *first* on, as few hashes as they need: a compact range."""

    def __init__(self, first: int) -> None:
        self.first = self.end = first
        self._nodes: list[tuple[int, int, bytes]] = []

    def append(self, leaf: bytes) -> None:
        """Append the hash of leaf *end*."""
        self._push(0, self.end, leaf)
        self.end += 1

    def root(self, size: int, proof: Sequence[bytes]) -> bytes:
        """The root of the tree of *size* leaves with these in it, by a range proof. Raises InvalidValue."""
        before, after = list(subtrees(0, self.first)), list(subtrees(self.end, size))
        if len(proof) != len(before) + len(after) or not self.first < self.end <= size:
            broken(f"the range proof of leaf {self.first} has {len(proof)} hashes")
        whole = Span(0)
        for (height, index), node in zip(before, proof, strict=False):
            whole._push(height, index, node)
        for height, index, node in self._nodes:
            whole._push(height, index, node)
        for (height, index), node in zip(after, proof[len(before) :], strict=True):
            whole._push(height, index, node)
        root = whole._nodes[-1][2]
        for _, _, node in reversed(whole._nodes[:-1]):
            root = node_hash(node, root)
        return root

    def _push(self, height: int, index: int, node: bytes) -> None:
        nodes = self._nodes
        while index & 1 and nodes and nodes[-1][:2] == (height, index - 1):
            node = node_hash(nodes.pop()[2], node)
            height, index = height + 1, index >> 1
        nodes.append((height, index, node))


def range_proof(tree: TiledTree, first: int, end: int, size: int) -> list[bytes]:
    """The subtrees to the left and to the right of leaves *first* to before *end*."""
    return [tree.node(*one) for one in (*subtrees(0, first), *subtrees(end, size))]


def single_file(index: int, hashes: Sequence[bytes], checkpoint: bytes) -> bytes:
    """A `.tlog-proof`."""
    return _text([SINGLE, f"index {index}"], hashes) + b"\n" + checkpoint


def range_file(first: int, end: int, hashes: Sequence[bytes]) -> bytes:
    """A range proof."""
    return _text([RANGE, f"leaves {first} {end}"], hashes)


def consistency_file(hashes: Sequence[bytes]) -> bytes:
    """A consistency proof."""
    return _text([CONSISTENCY], hashes)


def read_single(data: bytes, checkpoint: bytes) -> tuple[int, list[bytes]]:
    """The index and hashes of a `.tlog-proof` that is about *checkpoint*. Raises InvalidValue."""
    head, _, note = data.partition(b"\n\n")
    if note != checkpoint:
        broken("a proof is about another checkpoint")
    match, hashes = _read(head + b"\n", SINGLE, r"index (0|[1-9]\d{0,18})")
    return int(match[1]), hashes


def read_range(data: bytes) -> tuple[int, int, list[bytes]]:
    """The leaves and hashes of a range proof. Raises InvalidValue."""
    match, hashes = _read(data, RANGE, r"leaves (0|[1-9]\d{0,18}) ([1-9]\d{0,18})")
    return int(match[1]), int(match[2]), hashes


def read_consistency(data: bytes) -> list[bytes]:
    """The hashes of a consistency proof. Raises InvalidValue."""
    return _read(data, CONSISTENCY)[1]


def _text(lines: list[str], hashes: Sequence[bytes]) -> bytes:
    return "".join(f"{line}\n" for line in (*lines, *(b64encode(node).decode() for node in hashes))).encode()


def _read(data: bytes, name: str, second: str = "") -> tuple[re.Match[str], list[bytes]]:
    lines = data.decode("latin-1").split("\n")
    match = re.fullmatch(second, lines[1] if second and len(lines) > 1 else "", re.ASCII)
    if lines[0] != name or lines.pop() or match is None:
        broken(f"a proof is not {name}")
    return match, [_hash(line) for line in lines[2 if second else 1 :]]


def _hash(text: str) -> bytes:
    try:
        node = b64decode(text, validate=True)
    except ValueError:
        node = b""
    if len(node) != 32 or b64encode(node).decode() != text:
        broken(f"{text[:60]!r} is no hash")
    return node
