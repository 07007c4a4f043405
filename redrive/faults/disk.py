"""The disk of a simulation: one log file in a folder, and what is left of it when power is cut."""

import os
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from redrive.faults.connection import through, untouched
from redrive.faults.kinds import IN_FILES
from redrive.ledger.ledger import LogLedger
from redrive.projections.view import View

SECTOR = 512
LEDGER_ID = "00000000-0000-4000-8000-000000000000"
VIEWS_EVERY = 4
"""The views, which cost as much as all else, are there for every fourth seed."""
LOG, VIEW, REBUILT = "log.db", "live-view.db", "rebuilt-view.db"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for the files of simulations, in memory where the system has such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="redrive-faults-", dir=place) as name:
        yield Path(name)


@lru_cache(maxsize=1)
def blank() -> tuple[bytes, bytes]:
    """An empty log and an empty view of it, byte for byte: every simulation begins with copies."""
    with scratch() as folder:
        log, view = folder / LOG, folder / VIEW
        ledger = LogLedger(str(log), clock=lambda: 0, dice=lambda: 0.0, engine="1")
        ledger.recorder.writer.execute("UPDATE meta SET value = ? WHERE name = 'ledger_id'", (LEDGER_ID,))
        ledger.id = LEDGER_ID
        View(ledger, str(view)).close()
        ledger.close()
        return log.read_bytes(), view.read_bytes()


class Disk:
    """The log file, with a connection that is always open: a process that dies must not be the last to close the
    database, which SQLite would take as the occasion to tidy up."""

    kinds, writers, busy_timeout_ms = IN_FILES, 64, 0
    through, untouched = staticmethod(through), staticmethod(untouched)

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.log, self.view, self.rebuilt = folder / LOG, folder / VIEW, folder / REBUILT
        self._wal, self._shm = folder / f"{LOG}-wal", folder / f"{LOG}-shm"
        self._dice = dice
        self.wipe()
        log, view = blank()
        self.log.write_bytes(log)
        self.view.write_bytes(view)
        self.rebuilt.write_bytes(view)
        self._keeper = self._keep()

    @property
    def location(self) -> str:
        """The path of the log."""
        return str(self.log)

    def snapshot(self) -> tuple[bytes, bytes]:
        """The bytes of the log file and of its write-ahead log."""
        return self.log.read_bytes(), self._wal.read_bytes() if self._wal.exists() else b""

    def restore(self, files: tuple[bytes, bytes]) -> None:
        """Put *files* in place, as a machine that starts again finds them. No connection may be open any more."""
        self._keeper.close()
        for path in (self.log, self._wal, self._shm):
            path.unlink(missing_ok=True)
        self.log.write_bytes(files[0])
        self._wal.write_bytes(files[1])
        self._keeper = self._keep()

    def after_power_cut(self) -> tuple[bytes, bytes]:
        """Everything that was synced, and the torn beginning of what was being written."""
        log, wal = self.snapshot()
        torn = self._dice.randbytes(self._dice.choice((0, 1, 24, SECTOR, 4_000, 4_120)))
        return log, wal + torn

    def torn_between(self, before: tuple[bytes, bytes], after: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        """What power leaves of a COMMIT that was under way: each sector old or new. A checkpoint writes to the log file
        only when the write-ahead log is synced."""
        if before[0] != after[0]:
            return self._mixed(before[0], after[0]), after[1]
        return after[0], self._mixed(before[1], after[1])

    def _mixed(self, old: bytes, new: bytes) -> bytes:
        dice, mixed = self._dice, bytearray()
        kept = dice.choice((0.0, 0.5, 0.9, 1.0))
        length = len(new) if kept else len(old)
        for at in range(0, max(len(new), len(old)), SECTOR):
            source = new if dice.random() < kept else old
            mixed += source[at : at + SECTOR].ljust(min(SECTOR, max(0, length - at)), b"\0")
        return bytes(mixed[:length])

    def connect(self) -> sqlite3.Connection:
        """A connection without faults, for what another program does to the log."""
        return sqlite3.connect(self.log, isolation_level=None, timeout=0)

    def close(self) -> None:
        """Close the file; nothing stays."""
        self._keeper.close()
        self.wipe()

    def wipe(self) -> None:
        """Remove every file of a simulation."""
        for path in (self.log, self.view, self.rebuilt):
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}.lock"):
                path.with_name(name).unlink(missing_ok=True)

    def _keep(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.log, isolation_level=None)
        connection.execute("SELECT count(*) FROM meta").fetchone()
        return connection
