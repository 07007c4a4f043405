"""How a database enters write-ahead mode while others open it, too."""

import sqlite3
import time

PAUSE_S = 0.01


def enter_wal(connection: sqlite3.Connection) -> None:
    """Have the database of *connection* write ahead. Those who open a new file at the same moment get in each other's
    way here, and SQLite does not wait: it says at once that the database is locked, whatever the busy timeout is. So
    the timeout is waited for here. Raises sqlite3.Error."""
    end: float | None = None
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if end is None:
                end = time.monotonic() + connection.execute("PRAGMA busy_timeout").fetchone()[0] / 1_000
            if time.monotonic() >= end:
                raise
            time.sleep(PAUSE_S)
        else:
            return
