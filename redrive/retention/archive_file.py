"""An archive: an append-only file of states, each with its position, length and digest.

``magic | id | id of the log | (position u64, length u64, SHA-256, state)*``. It can be read without the log; the log
knows where each of its states begins. What a crash left at the end is skipped, never cut off.
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from redrive.domain.errors import ArchiveUnreadable, StorageError
from redrive.projections.view_file import sync

MAGIC = b"redrive-archive/v1\n"
_HEAD = Struct(">QQ32s")
_ID_BYTES = 16
_LOG_BYTES = 36
_BEGIN = len(MAGIC) + _ID_BYTES + _LOG_BYTES


class Kept(NamedTuple):
    """Where a state lies in an archive."""

    position: int
    offset: int
    size: int
    digest: bytes


class ArchiveWriter:
    """Appends to an archive of one log, which it makes when it is new; one at a time. Raises StorageError."""

    def __init__(self, path: Path, log: str) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"{path}: the archive cannot be written ({error.strerror})") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self._file).st_size == 0:
                self._write(MAGIC + secrets.token_bytes(_ID_BYTES) + log.encode())
                sync(path.absolute().parent)
            self.id, of = _ids_in(self._file, path)
            _require_same(path, of, log)
        except BlockingIOError:
            os.close(self._file)
            raise StorageError(f"{path}: another process is writing to this archive; try again") from None
        except BaseException:
            os.close(self._file)
            raise

    def append(self, states: Sequence[tuple[int, bytes]]) -> list[Kept]:
        """Write states with their positions; when this returns they are durable, and were read back and compared."""
        kept, parts = [], []
        at = os.fstat(self._file).st_size
        for position, state in states:
            head = _HEAD.pack(position, len(state), hashlib.sha256(state).digest())
            kept.append(Kept(position, at + len(head), len(state), head[-32:]))
            parts += [head, state]
            at += len(head) + len(state)
        self._write(b"".join(parts))
        for one in kept:
            read_state(self._file, one, str(self.path))
        return kept

    def close(self) -> None:
        """Close the file, for the next one to write."""
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError as error:
            raise StorageError(f"{self.path}: the archive cannot be written ({error.strerror})") from error


def open_archive(path: str, id_: str) -> int:
    """A descriptor of the archive with this id. Raises ArchiveUnreadable."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ArchiveUnreadable(path, error.strerror or "it cannot be opened") from error
    try:
        found, _ = _ids_in(file, Path(path))
    except StorageError as error:
        os.close(file)
        raise ArchiveUnreadable(path, "it is no archive of redrive") from error
    if found != id_:
        os.close(file)
        raise ArchiveUnreadable(path, f"it is another archive ({found}, not {id_})")
    return file


def read_state(file: int, kept: Kept, path: str) -> bytes:
    """A state, compared with its digest. Raises ArchiveUnreadable."""
    try:
        state = os.pread(file, kept.size, kept.offset)
    except OSError as error:
        raise ArchiveUnreadable(path, error.strerror or "it cannot be read") from error
    if hashlib.sha256(state).digest() != kept.digest:
        raise ArchiveUnreadable(
            path, f"what it holds of position {kept.position} is not what was archived", changed=True
        )
    return state


def _ids_in(file: int, path: Path) -> tuple[str, str]:
    """The ids of an archive and of its log."""
    begin = os.pread(file, _BEGIN, 0)
    if len(begin) != _BEGIN or not begin.startswith(MAGIC):
        raise StorageError(f"{path}: this file is no archive of redrive")
    return begin[len(MAGIC) :][:_ID_BYTES].hex(), begin[-_LOG_BYTES:].decode("ascii", "replace")


def _require_same(path: Path, of: str, log: str) -> None:
    if of != log:
        raise StorageError(f"{path}: this is the archive of another log ({of})")
