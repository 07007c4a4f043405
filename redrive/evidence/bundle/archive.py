"""The file of a bundle: a tar in exactly one form, so that the same content is the same bytes everywhere.

Each member is a plain file, mode 0644, of nobody, at time 0; they come sorted by name, the manifest last. `tarfile`
is not used: its headers differ between versions of Python, and it reads forms that nothing here ever writes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, BinaryIO, NoReturn, Protocol

from redrive.domain.errors import InvalidValue
from redrive.domain.values import JsonValue, canonical_json

FORMAT = "redrive-bundle/v1"
MANIFEST = "manifest.json"
BLOCK = 512
MOST_SIZE = 8**11 - 1
_FIELDS = (b"0000644\0", b"0000000\0", b"0000000\0", b"%011o\0", b"00000000000\0")
_TAIL = b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(155 + 12)
_SIZE = re.compile(rb"[0-7]{11}\Z")


def broken(why: str) -> NoReturn:
    """Raise InvalidValue: the bundle is not what an export wrote."""
    raise InvalidValue("bundle", why, "an evidence bundle as `redrive export` wrote it")


def header(name: str, size: int) -> bytes:
    """The header of a member (POSIX 1003.1-1988, ustar)."""
    assert len(name) <= 100, name
    assert 0 <= size <= MOST_SIZE, f"{name} of {size} bytes"
    front = name.encode("ascii").ljust(100, b"\0") + b"".join(_FIELDS) % size
    back = b"0" + bytes(100) + _TAIL
    checksum = sum(front) + sum(back) + 8 * ord(" ")
    return front + b"%06o\0 " % checksum + back


class Writable(Protocol):
    """Where a bundle is written to."""

    def write(self, data: bytes, /) -> object:
        """Write *data*."""


class Archive:
    """Writes the members of a bundle, in their order, and the manifest of them."""

    def __init__(self, file: Writable) -> None:
        self._file = file
        self._last = ""
        self.files: dict[str, JsonValue] = {}
        self.size = 0

    def add(self, name: str, data: bytes) -> None:
        """Write one file; names ascend."""
        assert self._last < name, f"{name} after {self._last}"
        self._last = name
        self.files[name] = {"sha256": sha256(data).hexdigest(), "size": len(data)}
        self._write(name, data)

    def finish(self) -> None:
        """Write the manifest and the end."""
        self._write(MANIFEST, canonical_line({"files": self.files, "format": FORMAT}))
        self._put(bytes(2 * BLOCK))

    def _write(self, name: str, data: bytes) -> None:
        self._put(header(name, len(data)))
        self._put(data)
        self._put(bytes(-len(data) % BLOCK))

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self.size += len(data)


@dataclass
class Member:
    """One file of a bundle that is read, from its beginning to its ``end``, after which its digest is known."""

    name: str
    size: int
    file: BinaryIO
    left: int
    digest: str = ""
    _sum: Any = field(default_factory=sha256)

    def read(self, most: int) -> bytes:
        """All of it, refused beyond *most* bytes."""
        if self.size > most:
            broken(f"{self.name} has {self.size} bytes")
        return self._taken(self.file.read(self.left))

    def lines(self, most: int) -> Iterator[bytes]:
        """Its lines, each of at most *most* bytes, without their ends."""
        while self.left:
            line = self._taken(self.file.readline(min(self.left, most)))
            if not line.endswith(b"\n"):
                broken(f"{self.name} holds a line that does not end")
            yield line[:-1]

    def end(self) -> None:
        """Read the rest; the digest is known from now on."""
        while self.left:
            if not self._taken(self.file.read(min(self.left, 1 << 20))):
                broken(f"{self.name} is cut off")
        if self.file.read(-self.size % BLOCK) != bytes(-self.size % BLOCK):
            broken(f"something lies behind {self.name}")
        self.digest = self._sum.hexdigest()

    def _taken(self, data: bytes) -> bytes:
        self.left -= len(data)
        self._sum.update(data)
        return data


def members(file: BinaryIO) -> Iterator[Member]:
    """The members of a bundle in their order; whoever reads one calls its ``end`` before the next. Raises InvalidValue
    for any form but the one that is written."""
    last = ""
    while last != MANIFEST:
        block = file.read(BLOCK)
        name = block[:100].rstrip(b"\0").decode("latin-1")
        if not name.isascii() or not name.isprintable() or not _SIZE.match(block[124:135]):
            broken("it is not a tar, or it is cut off")
        size = int(block[124:135], 8)
        if block != header(name, size):
            broken(f"the header of {name} is not as it is written")
        if name != MANIFEST and name <= last:
            broken(f"{name} comes twice, or after {last}")
        member = Member(name, size, file, size)
        yield member
        last = name
    if file.read(2 * BLOCK + 1) != bytes(2 * BLOCK):
        broken("it does not end after its manifest")


def checked_manifest(data: bytes, found: Mapping[str, JsonValue]) -> None:
    """Compare the manifest with the files that were *found*. Raises InvalidValue."""
    if data != canonical_line({"files": dict(found), "format": FORMAT}):
        broken("its files are not those of its manifest")


def canonical_line(document: JsonValue) -> bytes:
    """A JSON document as it stands in a bundle: sorted keys, no blanks, UTF-8, one line."""
    return canonical_json(document) + b"\n"
