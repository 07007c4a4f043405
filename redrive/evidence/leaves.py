"""The leaf of an event: the bytes of its row as they are stored, never an event that was encoded anew."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import sha256
from struct import Struct
from struct import error as out_of_range
from uuid import UUID

from redrive.evidence.merkle import leaf_hash
from redrive.evidence.store import Archived, StoredRow

LEAF_MAGIC = b"redrive-leaf/v1\n"
UUID_KIND, TEXT_KIND = 0, 1
_ID_HEAD = Struct(">BH")
_NUMBERS = Struct(">QQH")
_LENGTH = Struct(">Q")


def leaf_data(
    originator_id: str | UUID, originator_version: int, recorded_at_ms: int, topic: str, size: int, digest: bytes
) -> bytes:
    """What is hashed of an event: *size* and SHA-256 *digest* are those of its state as stored.

    Raises ValueError or TypeError for a row that no ledger wrote.
    """
    if isinstance(originator_id, UUID):
        kind, stream = UUID_KIND, originator_id.bytes
    else:
        kind, stream = TEXT_KIND, originator_id.encode()
    name = topic.encode()
    numbers_of_row = (originator_version, recorded_at_ms, size)
    if not all(isinstance(number, int) for number in numbers_of_row):  # a column may hold any type by now
        raise TypeError("a number of the row is no whole number")
    if len(digest) != 32 or not all(0 <= number < 1 << 64 for number in numbers_of_row):
        raise ValueError("a number of the row is out of range")
    if max(len(stream), len(name)) > 0xFFFF:
        raise ValueError("the stream or the topic is longer than 65,535 bytes")
    numbers = _NUMBERS.pack(originator_version, recorded_at_ms, len(name))
    return b"".join((LEAF_MAGIC, _ID_HEAD.pack(kind, len(stream)), stream, numbers, name, _LENGTH.pack(size), digest))


def leaves_of(rows: Iterable[StoredRow]) -> list[bytes]:
    """The leaf hashes of stored rows, as ``leaf_of_row`` makes them. In one loop, which packs a leaf's bytes in one
    call whose format depends only on the topic and on how long the stream's id is: most of what is left is SHA-256.

    Raises ValueError or TypeError for a row that no ledger wrote.
    """
    leaves: list[bytes] = []
    add, shapes = leaves.append, dict[str, _Shape]()
    for row in rows:
        _, id_, version, topic, state, _, _, recorded_at_ms = row
        try:
            stream = id_.encode()
            length, pack, head, name = shapes.get(topic, _NO_SHAPE)
            if length != len(stream):
                _, pack, head, name = shapes[topic] = _shape(len(stream), topic.encode())
            digest = sha256(state).digest()
            leaf = sha256(pack(head, stream, version, recorded_at_ms, name, len(state), digest)).digest()
        except (AttributeError, TypeError, ValueError, out_of_range):
            leaf = leaf_of_row(row)  # which says what is wrong with it
        add(leaf)
    return leaves


_Shape = tuple[int, Callable[..., bytes], bytes, bytes]
"""How long the stream's id is; what packs the bytes that are hashed; those before the id; the topic with its length."""
_NO_SHAPE: _Shape = (-1, bytes, b"", b"")


@lru_cache(maxsize=1_024)
def _shape(length: int, topic: bytes) -> _Shape:
    """The leaves of a *topic* in streams whose ids have this *length*. Raises ValueError when one is too long."""
    if max(length, len(topic)) > 0xFFFF:
        raise ValueError("the stream or the topic is longer than 65,535 bytes")
    head = b"\x00" + LEAF_MAGIC + _ID_HEAD.pack(TEXT_KIND, length)
    name = len(topic).to_bytes(2, "big") + topic
    return length, Struct(f">{len(head)}s{length}sQQ{len(name)}sQ32s").pack, head, name


def leaf_of_row(row: StoredRow) -> bytes:
    """The leaf hash of a stored row. Raises ValueError or TypeError for one that no ledger wrote."""
    _, id_, version, topic, state, _, _, recorded_at_ms = row
    if type(state) is Archived:
        return leaf_hash(leaf_data(id_, version, recorded_at_ms, topic, state.size, state.digest))
    if type(state) is not bytes:
        raise TypeError("the state is no blob")
    if not isinstance(id_, (str, UUID)) or not isinstance(topic, str):
        raise TypeError("the stream or the topic is no text")
    return leaf_hash(leaf_data(id_, version, recorded_at_ms, topic, len(state), sha256(state).digest()))
