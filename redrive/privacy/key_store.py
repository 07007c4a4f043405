"""The key store: a SQLite file outside the log, readable by its owner only, with one data key per subject.

It does not know who its subjects are: it holds an HMAC of each name. A key that is destroyed is overwritten, then
emptied; its row stays, so that "destroyed" is told from "never seen here". The file keeps no copies: rollback journal
(deleted after each commit), secure_delete, synchronous EXTRA. What the disk, snapshots or backups keep is for the
operator: see the guide.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from redrive.domain.errors import StorageError
from redrive.domain.identity import Tenant
from redrive.domain.values import canonical_json
from redrive.privacy.cipher import KEY_BYTES, Cipher, unwrap, wrap

APPLICATION_ID = 0x7264726B  # "rdrk"
BUSY_TIMEOUT_S = 10.0

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (
    id           TEXT PRIMARY KEY,
    subject      TEXT NOT NULL,
    secret       BLOB,
    created_ms   INTEGER NOT NULL,
    destroyed_ms INTEGER
);
CREATE UNIQUE INDEX IF NOT EXISTS keys_in_use ON keys (subject) WHERE secret IS NOT NULL;
CREATE TABLE IF NOT EXISTS intents (
    key    TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    actor  TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms  INTEGER NOT NULL,
    log    TEXT NOT NULL DEFAULT ''
);
"""
_INTENT = "key, tenant, actor, reason, at_ms, log"


class SubjectKey(NamedTuple):
    """A row of the store without its secret. *subject* is the HMAC of the subject's name."""

    id: str
    subject: str
    created_ms: int
    destroyed_ms: int | None


class Intent(NamedTuple):
    """A destruction that was begun: by whom (as JSON) and why, through which of the logs that share the store (empty:
    any). It goes when everything that follows is done."""

    key: str
    tenant: str
    actor: str
    reason: str
    at_ms: int
    log: str = ""


class KeyStore:
    """The keys of one log. Any number of threads and processes may use the file."""

    def __init__(self, path: str, master_key: str | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._master = None if master_key is None else _master_key(master_key)
        _create_private(path)
        with self._errors():
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        self._seen = -1

    @classmethod
    def require_usable(cls, path: str, master_key: str | None) -> None:
        """Raises StorageError for what cannot be used, as the constructor does; nothing is made where nothing is."""
        if Path(path).exists():
            cls(path, master_key).close()
            return
        if master_key is not None:
            _master_key(master_key)
        if not os.access(Path(os.path.realpath(path)).parent, os.W_OK):
            raise StorageError(f"{path}: the key store cannot be made: may this user write to its folder?")

    @property
    def wrapped(self) -> bool:
        """Whether the keys in the file are under a master key."""
        return self._master is not None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def moved(self) -> bool:
        """Whether another process changed the file since this was last asked."""
        with self._errors(), self._lock:
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            moved, self._seen = version != self._seen, version
        return bool(moved)

    def subject_of(self, tenant: Tenant, name: str) -> str:
        """What a subject is called here and in the log: an HMAC of its name, which cannot be guessed from outside."""
        return hmac.new(self._salt, canonical_json([str(tenant), name]), hashlib.sha256).hexdigest()[:32]

    def in_use(self, subject: str) -> str | None:
        """The id of the subject's key, None when it has none."""
        row = self._one("SELECT id FROM keys WHERE subject = ? AND secret IS NOT NULL", subject)
        return None if row is None else str(row[0])

    def key_for(self, subject: str, now_ms: int) -> str:
        """The id of the subject's key; a new one, durable when this returns, where it has none."""
        while (known := self.in_use(subject)) is None:
            key_id, data_key = secrets.token_hex(16), secrets.token_bytes(KEY_BYTES)
            secret = data_key if self._master is None else wrap(data_key, self._master, key_id)
            query = "INSERT OR IGNORE INTO keys (id, subject, secret, created_ms) VALUES (?, ?, ?, ?)"
            self._write(query, (key_id, subject, secret, now_ms))
        return known

    def cipher(self, key_id: str) -> Cipher | Literal["destroyed"] | None:
        """The key; "destroyed"; None when this store never had it. Raises StorageError for another master key."""
        row = self._one("SELECT secret FROM keys WHERE id = ?", key_id)
        if row is None:
            return None
        if row[0] is None:
            return "destroyed"
        try:
            return Cipher(row[0] if self._master is None else unwrap(row[0], self._master, key_id))
        except ValueError as error:
            raise StorageError(f"{self.path}: key {key_id} cannot be used: {error}") from None

    def keys(self) -> list[SubjectKey]:
        """Every key that there is or was, the oldest first."""
        query = "SELECT id, subject, created_ms, destroyed_ms FROM keys ORDER BY created_ms, id"
        with self._errors(), self._lock:
            return [SubjectKey(*row) for row in self._connection.execute(query).fetchall()]

    def key(self, key_id: str) -> SubjectKey | None:
        """One key, without its secret."""
        row = self._one("SELECT id, subject, created_ms, destroyed_ms FROM keys WHERE id = ?", key_id)
        return None if row is None else SubjectKey(*row)

    def intend(self, intent: Intent) -> None:
        """Note that a key is to be destroyed; an intent that is there already stays."""
        self._write(f"INSERT OR IGNORE INTO intents ({_INTENT}) VALUES (?, ?, ?, ?, ?, ?)", intent)

    def intents(self) -> list[Intent]:
        """The destructions that are not finished."""
        with self._errors(), self._lock:
            return [Intent(*row) for row in self._connection.execute(f"SELECT {_INTENT} FROM intents").fetchall()]

    def destroy(self, key_id: str, now_ms: int) -> None:
        """Overwrite a key where it lies, then empty its row. What is destroyed stays so."""
        noise = secrets.token_bytes(KEY_BYTES if self._master is None else KEY_BYTES + 28)
        self._write("UPDATE keys SET secret = ? WHERE id = ? AND secret IS NOT NULL", (noise, key_id))
        query = "UPDATE keys SET secret = NULL, destroyed_ms = COALESCE(destroyed_ms, ?) WHERE id = ?"
        self._write(query, (now_ms, key_id))
        self._seen = -1  # what this process knows is old now

    def erasures(self) -> int | None:
        """How many keys are destroyed for good; None while what follows from it is still being done."""
        query = "SELECT EXISTS (SELECT 1 FROM intents), (SELECT count(*) FROM keys WHERE destroyed_ms IS NOT NULL)"
        with self._errors(), self._lock:
            begun, done = self._connection.execute(query).fetchone()
        return None if begun else int(done)

    def finish(self, key_id: str) -> None:
        """Everything that a destruction leads to is done."""
        self._write("DELETE FROM intents WHERE key = ?", (key_id,))

    def _prepare(self) -> None:
        connection = self._connection
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application not in (0, APPLICATION_ID) or (tables and application == 0):
            raise StorageError(f"{self.path}: this SQLite database is not a redrive key store")
        for pragma in ("journal_mode = DELETE", "secure_delete = ON", "synchronous = EXTRA"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";\n"):
            if statement.strip():
                connection.execute(statement)
        if "log" not in [column[1] for column in connection.execute("PRAGMA table_info(intents)")]:
            connection.execute("ALTER TABLE intents ADD COLUMN log TEXT NOT NULL DEFAULT ''")
        wrapped = str(int(self.wrapped))
        found = {"id": secrets.token_hex(16), "salt": secrets.token_hex(32), "wrapped": wrapped}
        connection.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", found.items())
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        if meta["wrapped"] != wrapped:
            need = "needs its master key file" if meta["wrapped"] == "1" else "has keys that no master key wraps"
            raise StorageError(f"{self.path}: the key store {need}")
        self.id, self._salt = str(meta["id"]), bytes.fromhex(meta["salt"])

    def _one(self, query: str, value: str) -> tuple[Any, ...] | None:
        with self._errors(), self._lock:
            row: tuple[Any, ...] | None = self._connection.execute(query, (value,)).fetchone()
            return row

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        """Durably, when this returns: a statement is a transaction of its own."""
        with self._errors(), self._lock:
            self._connection.execute(statement, values)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: the key store cannot be used ({error})") from error


def _create_private(path: str) -> None:
    """Make the file, for its owner only, where there is none. Raises StorageError when others can read it. One that is
    there is not opened: closing it would take this process's locks on it away."""
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise StorageError(f"{path}: the key store cannot be opened ({error.strerror})") from error
    if mode & 0o077:
        raise StorageError(f"{path}: others may read the key store (mode {mode & 0o777:o}): set it to 600")


def _master_key(path: str) -> bytes:
    """The master key in a file: 32 bytes, or 64 hexadecimal digits."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise StorageError(f"{path}: the master key cannot be read ({error.strerror})") from error
    with contextlib.suppress(ValueError, UnicodeDecodeError):
        if len(raw.strip()) == 2 * KEY_BYTES:
            return bytes.fromhex(raw.strip().decode("ascii"))
    if len(raw) != KEY_BYTES:
        raise StorageError(
            f"{path}: a master key is 32 bytes, or 64 hexadecimal digits; this file has {len(raw)} bytes"
        )
    return raw
