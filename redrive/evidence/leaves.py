"""The leaf of an event: the bytes of its row as they are stored, never an event that was encoded anew."""

from hashlib import sha256
from struct import Struct
from uuid import UUID

from redrive.evidence.merkle import leaf_hash
from redrive.evidence.store import Archived, StoredRow

LEAF_MAGIC = b"redrive-leaf/v1\n"
UUID_KIND, TEXT_KIND = 0, 1
_ID_HEAD = Struct(">BH")
_NUMBERS = Struct(">QQH")
_LENGTH = Struct(">Q")
_TEXT_BEGIN = LEAF_MAGIC + bytes([TEXT_KIND])
_U16 = [number.to_bytes(2, "big") for number in range(1024)]


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


def leaf_of(originator_id: str | UUID, originator_version: int, recorded_at_ms: int, topic: str, state: bytes) -> bytes:
    """The leaf hash of an event; written for speed where the stream is a text, and equal to that of ``leaf_data``.

    Raises ValueError or TypeError for a row that no ledger wrote.
    """
    if type(state) is not bytes:
        raise TypeError("the state is no blob")
    try:
        stream, name = originator_id.encode(), topic.encode()  # type: ignore[union-attr]  # see below
        data = b"".join(
            (
                b"\x00",
                _TEXT_BEGIN,
                _U16[len(stream)],
                stream,
                _NUMBERS.pack(originator_version, recorded_at_ms, len(name)),
                name,
                _LENGTH.pack(len(state)),
                sha256(state).digest(),
            )
        )
    except (IndexError, AttributeError, UnicodeEncodeError):
        pass
    except Exception as error:
        raise ValueError(f"a column of the row is not what a ledger writes ({error})") from error
    else:
        return sha256(data).digest()
    if not isinstance(originator_id, (str, UUID)) or not isinstance(topic, str):
        raise TypeError("the stream or the topic is no text")
    digest = sha256(state).digest()
    return leaf_hash(leaf_data(originator_id, originator_version, recorded_at_ms, topic, len(state), digest))


def leaf_of_row(row: StoredRow) -> bytes:
    """The leaf hash of a stored row. Raises ValueError or TypeError for one that no ledger wrote."""
    state = row[4]
    if type(state) is Archived:
        return leaf_hash(leaf_data(row[1], row[2], row[7], row[3], state.size, state.digest))
    return leaf_of(row[1], row[2], row[7], row[3], state)
