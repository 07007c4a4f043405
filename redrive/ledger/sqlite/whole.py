"""Where SQLite cannot make the files that it needs beside a log: whether the log can be read all the same."""

import contextlib
import os
import sqlite3
from pathlib import Path

from redrive.domain.errors import StorageError

_NOTHING_BESIDE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


def is_whole(path: str, error: BaseException | None) -> bool:
    """Whether *error* says that the file lies on a read-only disk or in a read-only folder, and all of the log is in
    it. Raises StorageError when a part of it is elsewhere."""
    file = Path(path)
    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NOTHING_BESIDE:
        return False
    if not file.is_file() or may_write(file.parent):
        return False
    if sizes_of(path)[2]:
        raise StorageError(
            f"{path}-wal: a part of the log is in it, which cannot be read in a read-only folder: copy the log, "
            "together with this file, to where you may write"
        )
    return True


def may_write(path: str | Path) -> bool:
    """Whether this process, whoever it acts as, may write there."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def sizes_of(path: str) -> tuple[int, int, int]:
    """What changes when somebody writes: when the file was changed, its size, and how much is written ahead."""
    found, ahead = Path(path).stat(), 0
    with contextlib.suppress(FileNotFoundError):
        ahead = Path(f"{path}-wal").stat().st_size
    return found.st_mtime_ns, found.st_size, ahead
