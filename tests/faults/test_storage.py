"""The seam and the disk: what strikes before a statement, after it, and when power is cut."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from redrive.faults.connection import FaultyConnection, connect_with
from redrive.faults.disk import Disk
from redrive.faults.seam import Faulty


class Tripwire:
    """A seam that breaks at one statement, before it or after it."""

    def __init__(self) -> None:
        self.before_it = self.after_it = ""

    def require_alive(self) -> None:
        """Always."""

    def before(self, connection: Faulty, statement: str) -> None:
        """Break before the statement."""
        if statement == self.before_it:
            raise sqlite3.OperationalError("before")

    def after(self, connection: Faulty, statement: str) -> None:
        """Break after the statement."""
        if statement == self.after_it:
            raise sqlite3.OperationalError("after")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A log without an event."""
    found = Disk(tmp_path, random.Random(1))
    yield found
    found.close()


def begun(disk: Disk, seam: Tripwire) -> sqlite3.Connection:
    """A connection through the seam, with an open transaction that has written."""
    connection = connect_with(seam, [])(str(disk.log), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO meta VALUES ('a', 'b')")
    return connection


def found(disk: Disk) -> list[str]:
    """What somebody else reads."""
    connection = disk.connect()
    names = [name for (name,) in connection.execute("SELECT name FROM meta WHERE name LIKE '_' ORDER BY 1")]
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    return names


@pytest.mark.parametrize(("side", "left"), [("before_it", []), ("after_it", ["a"])])
def test_a_fault_strikes_before_a_commit_or_after_it(disk: Disk, side: str, left: list[str]) -> None:
    """Not done, or done without an acknowledgement."""
    seam = Tripwire()
    setattr(seam, side, "COMMIT")
    connection = begun(disk, seam)
    with pytest.raises(sqlite3.OperationalError, match=side.partition("_")[0]):
        connection.execute("COMMIT")
    assert isinstance(connection, FaultyConnection)
    connection.die()
    assert found(disk) == left


def test_cursors_pass_the_seam_as_well(disk: Disk) -> None:
    """The recorder inserts through one."""
    seam = Tripwire()
    seam.before_it = "SELECT 1"
    connection = begun(disk, seam)
    with pytest.raises(sqlite3.OperationalError):
        connection.cursor().execute("SELECT 1")
    with pytest.raises(sqlite3.OperationalError):
        connection.executemany("SELECT 1", [()])
    connection.close()


def test_a_killed_process_leaves_nothing_uncommitted(disk: Disk) -> None:
    """And its lock is gone."""
    connection = begun(disk, Tripwire())
    assert isinstance(connection, FaultyConnection)
    connection.die()
    connection.die()
    assert found(disk) == []
    begun(disk, Tripwire()).close()


@pytest.mark.parametrize("seed", range(12))
def test_a_torn_commit_is_all_or_nothing(tmp_path: Path, seed: int) -> None:
    """Whatever sectors of it were written; and what was committed before stays."""
    disk = Disk(tmp_path, random.Random(seed))
    first = begun(disk, Tripwire())
    first.execute("COMMIT")
    before = disk.snapshot()
    first.execute("BEGIN IMMEDIATE")
    first.execute("INSERT INTO meta VALUES ('b', ?)", ("x" * 20_000,))
    first.execute("COMMIT")
    after = disk.snapshot()
    first.close()
    disk.restore(disk.torn_between(before, after))
    assert found(disk) in (["a"], ["a", "b"])
    disk.close()


@pytest.mark.parametrize("seed", range(6))
def test_a_torn_tail_hides_nothing(tmp_path: Path, seed: int) -> None:
    """What was synced is there after a power cut, whatever stands behind it."""
    disk = Disk(tmp_path, random.Random(seed))
    first = begun(disk, Tripwire())
    first.execute("COMMIT")
    files = disk.after_power_cut()
    first.close()
    disk.restore(files)
    assert found(disk) == ["a"]
    disk.close()
