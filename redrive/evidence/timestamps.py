"""RFC 3161 timestamps: the request, and what a response says.

What is checked of a response: that it was granted, that it is of these bytes (SHA-256) and of this request (nonce),
and the time it states. The authority's signature and certificates are not checked; the response is kept whole, so that
``openssl ts -verify`` can.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from redrive.domain.errors import InvalidValue

MAX_RESPONSE_BYTES = 262_144
_INTEGER, _BOOLEAN, _OCTETS, _TIME, _SEQUENCE = 0x02, 0x01, 0x04, 0x18, 0x30
_SHA256 = bytes.fromhex("0609608648016503040201")
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_TST_INFO = bytes.fromhex("060b2a864886f70d0109100104")


@dataclass(frozen=True, slots=True)
class Timestamp:
    """What a response states: when, and which nonce it answers."""

    at_ms: int
    nonce: int | None


def timestamp_request(message: bytes, nonce: int) -> bytes:
    """A TimeStampReq for the SHA-256 of *message*, asking for the authority's certificate."""
    imprint = _der(_SEQUENCE, _der(_SEQUENCE, _SHA256 + b"\x05\x00") + _der(_OCTETS, sha256(message).digest()))
    return _der(_SEQUENCE, _integer(1) + imprint + _integer(nonce) + _der(_BOOLEAN, b"\xff"))


def timestamp_read(response: bytes, message: bytes, nonce: int | None = None) -> Timestamp:
    """What a TimeStampResp states of *message*. Raises InvalidValue for one that was not granted, is of other bytes
    or of another request, or makes no sense."""
    try:
        found = _read(response, sha256(message).digest())
    except (IndexError, ValueError, RecursionError) as error:
        raise InvalidValue("timestamp", response[:40].hex(), f"a response of RFC 3161 ({error})") from None
    if nonce is not None and found.nonce != nonce:
        raise InvalidValue("timestamp", str(found.nonce), "the nonce of the request")
    return found


def _read(response: bytes, digest: bytes) -> Timestamp:
    status, *token = _children(_only(response))
    granted = next(_elements(status[1]))
    if granted[0] != _INTEGER or int.from_bytes(granted[1], "big") not in (0, 1):
        raise ValueError("it was not granted")
    content_type, content = _children(token[0])
    if _der(*content_type) != _SIGNED_DATA:
        raise ValueError("it holds no signed data")
    signed = _children(_only(content[1]))
    kind, wrapped = _children(signed[2])
    if _der(*kind) != _TST_INFO:
        raise ValueError("it holds no timestamp")
    info = _children(_only(_only(wrapped[1])[1]))
    algorithm, imprint = _children(info[2])
    if not algorithm[1].startswith(_SHA256) or imprint[1] != digest:
        raise ValueError("it is of other bytes")
    nonce = next((int.from_bytes(value, "big") for tag, value in info[5:] if tag == _INTEGER), None)
    if info[4][0] != _TIME:
        raise ValueError("it states no time")
    return Timestamp(_time_ms(info[4][1].decode("ascii")), nonce)


def _time_ms(text: str) -> int:
    whole, _, fraction = text.removesuffix("Z").partition(".")
    at = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return int(at.timestamp()) * 1_000 + int((fraction + "000")[:3])


def _elements(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements that stand one after the other in *raw*, as tag and content. Raises ValueError."""
    at = 0
    while at < len(raw):
        tag, size = raw[at], raw[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            if not 0 < count <= 4:
                raise ValueError("a length is not in DER")
            size = int.from_bytes(raw[at : at + count], "big")
            at += count
        if at + size > len(raw):
            raise ValueError("it is cut off")
        yield tag, raw[at : at + size]
        at += size


def _children(element: tuple[int, bytes]) -> list[tuple[int, bytes]]:
    return list(_elements(element[1]))


def _only(raw: bytes) -> tuple[int, bytes]:
    (found,) = _elements(raw)
    return found


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    count = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | count]) + size.to_bytes(count, "big") + content


def _integer(number: int) -> bytes:
    return _der(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
