"""A database's errors, said so that an operator knows what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from redrive.domain.errors import StorageError

_SENTENCES = {
    sqlite3.SQLITE_FULL: "the disk is full: nothing was written; free space and try again",
    sqlite3.SQLITE_READONLY: "the file, its -wal or -shm, or its folder is read-only",
    sqlite3.SQLITE_BUSY: "another process holds the write lock for too long; try again",
    sqlite3.SQLITE_LOCKED: "another connection holds the write lock for too long; try again",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore a backup (its events may be readable with sqlite3 .recover)",
    sqlite3.SQLITE_NOTADB: "the file is not an SQLite database",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened: does its folder exist, and may this user write there?",
    sqlite3.SQLITE_IOERR: "reading or writing the file failed (disk full, or a failing disk)",
    sqlite3.SQLITE_PERM: "permission was denied",
}


class DatabaseFault(Exception):
    """What another database than SQLite refused, with a sentence for an operator."""


class LogMoved(DatabaseFault):
    """Nothing was written: others wrote to what it rests on."""


class ServerAway(DatabaseFault):
    """The server is not there, or lets nobody in yet: it may be starting."""


STORAGE = (sqlite3.Error, UnicodeDecodeError, DatabaseFault)
"""What connections raise. Python's sqlite3 also fails to decode a message that quotes a damaged schema."""


def storage_error(error: sqlite3.Error | UnicodeDecodeError | DatabaseFault, path: str) -> StorageError:
    """*error* as a StorageError with a sentence about *path*."""
    if isinstance(error, DatabaseFault):
        return StorageError(f"{path}: {error}")
    code = sqlite3.SQLITE_CORRUPT if isinstance(error, UnicodeDecodeError) else getattr(error, "sqlite_errorcode", None)
    sentence = _SENTENCES.get((code or 0) & 0xFF, "the database refused")
    return StorageError(f"{path}: {sentence} ({error})")


@contextmanager
def storage_errors(path: str) -> Iterator[None]:
    """Raise a database's errors as StorageError."""
    try:
        yield
    except STORAGE as error:
        raise storage_error(error, path) from error
