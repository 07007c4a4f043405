"""What strikes at the statements of one simulated process: armed before a command, it waits for its statement."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redrive.faults.connection import FaultyConnection, KilledError
from redrive.faults.kinds import Kind

if TYPE_CHECKING:
    from redrive.faults.process import Process

_WRITES = ("INSERT", "UPDATE", "DELETE", "COMMIT")
_COMMITS = (
    Kind.KILL_BEFORE_COMMIT, Kind.KILL_AFTER_COMMIT, Kind.COMMIT_ERROR, Kind.FSYNC_ERROR, Kind.LOST_ACKNOWLEDGEMENT,
    Kind.TORN_COMMIT,
)  # fmt: skip
_BEGINS = (Kind.LOCKED, Kind.READ_ONLY, Kind.OVERTAKEN, Kind.TWO_SWEEPS)
_AFTERWARDS = (Kind.KILL_AFTER_STATEMENT, Kind.KILL_AFTER_COMMIT, Kind.LOST_ACKNOWLEDGEMENT, Kind.TORN_COMMIT)
_ERRORS = {
    Kind.COMMIT_ERROR: (sqlite3.SQLITE_IOERR, "disk I/O error"),
    Kind.FSYNC_ERROR: (sqlite3.SQLITE_IOERR_FSYNC, "disk I/O error"),
    Kind.LOST_ACKNOWLEDGEMENT: (sqlite3.SQLITE_IOERR, "disk I/O error"),
    Kind.DISK_FULL: (sqlite3.SQLITE_FULL, "database or disk is full"),
    Kind.READ_ERROR: (sqlite3.SQLITE_IOERR_READ, "disk I/O error"),
    Kind.LOCKED: (sqlite3.SQLITE_BUSY, "database is locked"),
    Kind.READ_ONLY: (sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
}


@dataclass(slots=True)
class Armed:
    """A fault that waits for the *countdown*-th statement that it fits, and then strikes *times* in a row."""

    kind: Kind
    countdown: int
    times: int = 1
    rolls_back: bool = False


class Injector:
    """The seam of one process."""

    def __init__(self, process: "Process", strike: Callable[["Process", Kind], None]) -> None:
        self._process, self._strike = process, strike
        self.armed: Armed | None = None
        self._due = False
        self._before: tuple[bytes, bytes] | None = None

    def require_alive(self) -> None:
        """Nothing gets through from a process that is dead."""
        if self._process.dead:
            raise KilledError

    def before(self, connection: FaultyConnection, statement: str) -> None:
        """An armed fault may strike."""
        self.require_alive()
        armed = self.armed
        if armed is None or not _fits(armed.kind, connection, statement):
            return
        if armed.countdown > 0:
            armed.countdown -= 1
            return
        if armed.kind in _AFTERWARDS:
            self._due = True
            if armed.kind is Kind.TORN_COMMIT:
                self._before = self._process.world.disk.snapshot()
            return
        armed.times -= 1
        if armed.times <= 0:
            self.armed = None
        self._strike(self._process, armed.kind)
        self._fail(armed, connection)

    def after(self, connection: FaultyConnection, _statement: str) -> None:
        """What strikes once the statement has been executed."""
        if not self._due:
            return
        armed, self.armed, self._due = self.armed, None, False
        assert armed is not None
        self._strike(self._process, armed.kind)
        self._fail(armed, connection)

    def disarm(self) -> None:
        """The command is over; what has not struck does not."""
        self.armed, self._due = None, False

    def _fail(self, armed: Armed, connection: FaultyConnection) -> None:
        process, kind = self._process, armed.kind
        match kind:
            case Kind.POWER_CUT:
                process.world.cut_power(process.world.disk.after_power_cut())
            case Kind.TORN_COMMIT:
                disk = process.world.disk
                assert self._before is not None
                process.world.cut_power(disk.torn_between(self._before, disk.snapshot()))
            case Kind.OVERTAKEN | Kind.SLOW_TRANSACTION | Kind.TWO_SWEEPS:
                process.world.let_others_act("sweep" if kind is Kind.TWO_SWEEPS else None)
                if not process.dead:
                    return
            case _ if kind in _ERRORS:
                if connection.in_transaction and (kind is Kind.FSYNC_ERROR or armed.rolls_back):
                    connection.rollback()
                raise _error(kind)
            case _:
                process.dead = True
        raise KilledError


def _fits(kind: Kind, connection: FaultyConnection, statement: str) -> bool:
    if kind in _COMMITS:
        return statement == "COMMIT"
    if kind in _BEGINS:
        return statement == "BEGIN IMMEDIATE"
    if kind is Kind.DISK_FULL:
        return statement.startswith(_WRITES)
    if kind is Kind.READ_ERROR:
        return statement.startswith(("SELECT", "PRAGMA data_version"))
    if kind is Kind.SLOW_TRANSACTION:
        return connection.in_transaction and not statement.startswith("ROLLBACK")
    return True


def _error(kind: Kind) -> sqlite3.OperationalError:
    code, message = _ERRORS[kind]
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error
