"""Full disks, locked, read-only, damaged and foreign files, and processes that are killed."""

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from redrive.domain.errors import StorageError, StreamReadOnly
from tests.ledger.child import MOUNTING, Child, run, run_mounting
from tests.ledger.conftest import Open
from tests.ledger.world import CHAIN, World, open_files

pytestmark = pytest.mark.sqlite_only


def check_filled(told: list[Any]) -> None:
    """Errors were said, what was acknowledged is there exactly once, and the process went on."""
    filled, after = told
    assert len(filled["errors"]) > 6
    assert {error.partition(":")[0] for error in filled["errors"]} == {"StorageError"}
    assert all("log.db: " in error and "disk" in error for error in filled["errors"])
    begun = Counter(after["begun"])
    assert {begun[run] for run in [*filled["acknowledged"], *after["after"]]} == {1}
    assert set(begun) <= {*filled["acknowledged"], *after["after"]}, "what was refused is not there"
    assert after["intact"] == "ok"


LIMITS = {"commit": (30_000, 1), "append": (500_000, 900), "checkpoint": (2_000_000, 50)}


@pytest.mark.parametrize("moment", LIMITS)
def test_no_file_may_grow(tmp_path: Path, moment: str) -> None:
    """RLIMIT_FSIZE: at a small commit, while a batch spills into the log file, and when a checkpoint fails first."""
    check_filled(run("fill", tmp_path / "log.db", *LIMITS[moment]))


def test_the_disk_is_full(tmp_path: Path) -> None:
    """A disk of 3 MB, in a mount namespace of its own."""
    (tmp_path / "disk").mkdir()
    trial = [*MOUNTING, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path / "disk")]
    if shutil.which("unshare") is None or subprocess.run(trial, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    check_filled(run_mounting("fill_disk", tmp_path / "disk" / "log.db"))


@pytest.fixture(name="open_folder")
def _open_folder() -> Iterator[Path]:
    """A folder that any user can reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        world = World(folder / "log.db")
        world.submit("first")
        world.ledger.close()
        yield folder
        folder.chmod(0o777)


@pytest.mark.parametrize(("file", "folder"), [(0o444, 0o555), (0o444, 0o777), (0o666, 0o555), (0o000, 0o777)])
def test_a_file_or_folder_without_write_permission(open_folder: Path, file: int, folder: int) -> None:
    """A sentence that names the file; when permission is given, it works."""
    path = open_folder / "log.db"
    path.chmod(file)
    open_folder.chmod(folder)
    [told] = run("read_only", path)
    assert told.startswith(f"StorageError: {path}: the file")
    open_folder.chmod(0o777)
    for found in open_folder.iterdir():  # also the -wal and -shm that SQLite made like the file
        found.chmod(0o666)
    assert run("read_only", path) == [""]


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    """Nothing is created beside what was asked for."""
    with pytest.raises(StorageError, match="does its folder exist"):
        World(tmp_path / "nowhere" / "log.db")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    """It is no database."""
    with pytest.raises(StorageError, match="cannot be opened"):
        World(tmp_path)


def test_a_locked_log_is_waited_for_and_then_said(open_world: Open) -> None:
    """Reading and opening go on; a command gives up after the busy timeout, and works later."""
    world = open_world(busy_timeout_ms=150)
    run = world.submit("a")
    holder = Child("hold", world.path)
    assert holder.hear() == "locked"
    began = time.monotonic()
    with pytest.raises(StorageError, match="another process holds the write lock for too long"):
        world.note(run)
    assert 0.1 < time.monotonic() - began < 60
    assert open_world(busy_timeout_ms=150).ledger.last_position() == len(world.log())
    holder.tell()
    holder.rest()
    world.note(run)
    assert world.in_memory(run).version == 2
    world.check()


def test_waiting_for_a_lock_ends_when_it_is_released(open_world: Open) -> None:
    """Within the busy timeout nobody notices."""
    world = open_world()
    holder = Child("hold", world.path)
    holder.hear()
    threading.Timer(0.2, holder.tell).start()
    assert world.submit("a")
    holder.rest()


def log_file(folder: Path) -> Path:
    """A log with a little of everything, closed."""
    world = World(folder / "log.db")
    for n in range(15):
        run = world.submit(f"key-{n}", CHAIN)
        world.note(run, "y" * 600)
    for claim in world.claim(6):
        world.complete(claim.attempts[0], {"out": "z" * 200})
    _, letter = world.dead_letter("dead")
    world.retry(letter)
    world.ledger.close()
    return Path(world.path)


def use(path: Path) -> None:
    """Open a log, read all of it, and run a command of every kind."""
    world = World(path)
    try:
        world.log()
        world.ledger.agenda_rows()
        world.ledger.agenda_from_log()
        world.submit("key-3", CHAIN)
        world.submit("new")
        for claim in world.claim(20):
            world.complete(claim.attempts[0])
        world.sweep()
    finally:
        world.ledger.close()


def overwritten(path: Path, at: int, data: bytes) -> None:
    """Write over some bytes of a file."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def test_every_page_may_be_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever page, whatever garbage: it works, or it says StorageError; nothing else, and never a traceback."""
    dice, copy = random.Random(1), tmp_path / "copy.db"
    monkeypatch.setattr(os, "urandom", dice.randbytes)  # the same file every time
    whole = log_file(tmp_path)
    outcomes: Counter[str] = Counter()
    for page in range(whole.stat().st_size // 4096):
        for data in (b"\x00" * 4096, b"\xff" * 4096, dice.randbytes(4096), dice.randbytes(40), b"\x00" * 100):
            shutil.copy(whole, copy)
            overwritten(copy, page * 4096 + dice.randrange(0, 4097 - len(data)), data)
            try:
                use(copy)
                outcomes["fine"] += 1
            except StreamReadOnly:  # a topic was hit: it is unknown now
                outcomes["read-only"] += 1
            except StorageError as error:
                told = any(words in str(error) for words in (str(copy), "cannot be read", "begins with"))
                outcomes["told" if told else str(error)] += 1
            for leftover in tmp_path.glob("copy.db-*"):
                leftover.unlink()
    assert set(outcomes) <= {"told", "fine", "read-only"}
    assert outcomes["told"] > outcomes["fine"] / 2  # no command reads the pages of the tree


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: overwritten(path, 0, b"not an SQLite file"), "is not an SQLite database"),
        (lambda path: path.write_text("nodes:\n- id: a\n" * 100), "is not an SQLite database"),
        (lambda path: os.truncate(path, 4096 * 3), "is damaged; restore a backup"),
        (lambda path: os.truncate(path, 1_000), "is not an SQLite database|is damaged"),
        (lambda path: overwritten(path, 4096, b"\xff" * 4096), "is damaged; restore a backup"),
    ],
)
def test_damage_has_a_sentence(tmp_path: Path, spoil: Callable[[Path], object], says: str) -> None:
    """An operator knows what to do next."""
    path = log_file(tmp_path)
    spoil(path)
    with pytest.raises(StorageError, match=f"log.db: .*({says})"):
        use(path)
    assert open_files(path) == 0


def test_an_empty_file_is_a_new_log(tmp_path: Path) -> None:
    """As mktemp leaves it."""
    (tmp_path / "log.db").touch()
    use(tmp_path / "log.db")


@pytest.mark.parametrize("application", [0, 0x0F055112])
def test_the_database_of_another_program_is_left_alone(tmp_path: Path, application: int) -> None:
    """Refused, and not one byte of it is changed."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE guests (name TEXT)")
        connection.execute(f"PRAGMA application_id = {application}")
    before = hashlib.sha256(path.read_bytes()).digest()
    with pytest.raises(StorageError, match="this SQLite database is not a redrive log"):
        World(path)
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert [p.name for p in tmp_path.iterdir()] == ["other.db"]


def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    """It says what to install."""
    path = log_file(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 4")
    with pytest.raises(StorageError, match="has schema 4, this redrive knows 3: install a newer redrive"):
        World(path)


def test_a_log_without_its_identity_is_refused(tmp_path: Path) -> None:
    """Views could not tell it from another log."""
    path = log_file(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM meta")
    with pytest.raises(StorageError, match="lost its identity"):
        World(path)


def test_what_was_acknowledged_before_kill_9_is_there_once(tmp_path: Path) -> None:
    """Eight rounds; each process goes on where the one before was killed, whatever it was doing."""
    path, dice = tmp_path / "log.db", random.Random(7)
    acknowledged: list[str] = []
    for round_ in range(8):
        child = Child("commit", path, round_)
        acknowledged += [child.hear() for _ in range(dice.randrange(1, 150))]
        time.sleep(dice.random() / 50)
        child.process.kill()
        acknowledged += child.rest()
        world = World(path)
        begun = Counter(str(e.stream) for e in world.log() if e.topic == "run.submitted")
        assert {begun[run] for run in acknowledged} == {1}
        assert len(begun) <= len(acknowledged) + round_ + 1, "at most one per round was durable and not yet printed"
        world.check()
        world.ledger.close()


def test_a_log_that_was_not_closed_is_recovered_from_its_wal(tmp_path: Path) -> None:
    """The files of a machine that lost power, as a backup of all three copies them."""
    world = World(tmp_path / "log.db")
    runs = [world.submit(str(n)) for n in range(20)]
    (tmp_path / "copy").mkdir()
    for name in ("log.db", "log.db-wal"):
        shutil.copy(tmp_path / name, tmp_path / "copy" / name)
    copy = World(tmp_path / "copy" / "log.db")
    assert [copy.in_memory(run).key for run in runs] == [str(n) for n in range(20)]
    copy.check()
    copy.ledger.close()
    world.ledger.close()
