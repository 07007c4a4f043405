"""Several processes open a new file at once: nobody is told that it is locked while there is time to wait."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from redrive.projections.wal import enter_wal


@pytest.fixture
def held(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who is at work in a file that is not in write-ahead mode yet."""
    connection = sqlite3.connect(tmp_path / "new.db", isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    yield connection
    connection.close()


class Impatient(sqlite3.Connection):
    """Gets the answer that SQLite gives when two want to change the mode: locked, without waiting."""

    tries = 0

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        """The mode cannot be changed twice."""
        self.tries += "journal_mode = WAL" in sql
        if "journal_mode = WAL" in sql and self.tries <= 2:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        return super().execute(sql)


def mode(connection: sqlite3.Connection) -> str:
    """The journal mode."""
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def test_who_is_told_at_once_tries_again(tmp_path: Path) -> None:
    """Until the busy timeout has passed."""
    connection = sqlite3.connect(tmp_path / "new.db", timeout=60, factory=Impatient)
    enter_wal(connection)
    assert (mode(connection), connection.tries) == ("wal", 3)
    connection.close()


def test_a_lock_is_waited_for(tmp_path: Path, held: sqlite3.Connection) -> None:
    """It is released a moment later."""
    connection = sqlite3.connect(tmp_path / "new.db", timeout=60)
    timer = threading.Timer(0.2, lambda: held.execute("ROLLBACK"))
    timer.start()
    enter_wal(connection)
    timer.join()
    assert mode(connection) == "wal"
    connection.close()


def test_not_for_ever(tmp_path: Path, held: sqlite3.Connection) -> None:
    """After the busy timeout it is said."""
    connection = sqlite3.connect(tmp_path / "new.db", timeout=0.05)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        enter_wal(connection)
    connection.close()


def test_what_is_no_database_is_said_at_once(tmp_path: Path) -> None:
    """Nothing is waited for."""
    (tmp_path / "new.db").write_bytes(b"not a database" * 100)
    connection = sqlite3.connect(tmp_path / "new.db", timeout=60)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        enter_wal(connection)
    connection.close()
