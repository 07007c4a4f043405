"""The leaf of an event: the bytes of its row as they are stored, never an event that was encoded anew."""

from collections.abc import Iterable
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
_TIMES = Struct(">QQ")
_LENGTH = Struct(">Q")
_TEXT_BEGIN = LEAF_MAGIC + bytes([TEXT_KIND])


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
    if len(digest) != 32 or not all(0 <= n < 1 << 64 for n in (originator_version, recorded_at_ms, size)):
        raise ValueError("a number of the row is out of range")
    if max(len(stream), len(name)) > 0xFFFF:
        raise ValueError("the stream or the topic is longer than 65,535 bytes")
    numbers = _NUMBERS.pack(originator_version, recorded_at_ms, len(name))
    return b"".join((LEAF_MAGIC, _ID_HEAD.pack(kind, len(stream)), stream, numbers, name, _LENGTH.pack(size), digest))


def leaves_of(rows: Iterable[StoredRow]) -> list[bytes]:
    """The leaf hashes of stored rows, as ``leaf_of_row`` makes them. In one loop, which encodes a stream and a topic
    once however many rows have them: most of what is left is SHA-256 itself.

    Raises ValueError or TypeError for a row that no ledger wrote.
    """
    leaves: list[bytes] = []
    streams: dict[object, bytes] = {}
    topics: dict[object, bytes] = {}
    pack, length = _TIMES.pack, _LENGTH.pack
    for row in rows:
        _, id_, version, topic, state, _, _, recorded_at_ms = row
        try:
            stream, name = streams[id_], topics[topic]
        except KeyError:
            if type(id_) is not str or type(topic) is not str:
                leaves.append(leaf_of_row(row))
                continue
            streams[id_] = stream = b"\x00" + _TEXT_BEGIN + _sized(id_)
            topics[topic] = name = _sized(topic)
        if type(state) is bytes and type(version) is int and type(recorded_at_ms) is int:
            digest = sha256(state).digest()
            try:
                data = stream + pack(version, recorded_at_ms) + name + length(len(state)) + digest
            except out_of_range:
                raise ValueError("a number of the row is out of range") from None
            leaves.append(sha256(data).digest())
        else:
            leaves.append(leaf_of_row(row))
    return leaves


def _sized(text: str) -> bytes:
    """A text with its length before it. Raises ValueError for one that is too long, or no UTF-8."""
    encoded = text.encode()
    if len(encoded) > 0xFFFF:
        raise ValueError("the stream or the topic is longer than 65,535 bytes")
    return len(encoded).to_bytes(2, "big") + encoded


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
