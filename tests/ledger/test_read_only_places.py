"""A log on a read-only disk, in a read-only folder, or in a file that this user may not write: it can be asked."""

import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import redrive
from redrive.domain.errors import StorageError
from redrive.ledger.sqlite.recorder import SqliteRecorder
from redrive.ledger.sqlite.whole import sizes_of
from tests.ledger.child import ASKED, MOUNTING, run, run_mounting

pytestmark = pytest.mark.sqlite_only
ANSWERS = {**dict.fromkeys(ASKED, 0), "verify": 2}
"""Exit codes; 2 of `verify`: nobody outside vouches for the log, which is all that is missing."""


@pytest.fixture(name="place")
def _place() -> Iterator[Path]:
    """A log that was closed, in a folder that any user can reach."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "log.db"
        with redrive.open(f"sqlite:///{path}") as engine:
            engine.local.submit(redrive.Flow([redrive.Node("fetch")]), automation="nightly")
            engine.seal()
        Path(name).chmod(0o755)
        yield path
        Path(name).chmod(0o755)


def files(folder: Path) -> dict[str, bytes]:
    """What lies there."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_on_a_read_only_disk_everything_can_be_asked(place: Path) -> None:
    """Runs, events, the past, and whether the log is sound; nothing is written there."""
    trial = [*MOUNTING, "mount", "--bind", str(place.parent), str(place.parent)]
    if shutil.which("unshare") is None or subprocess.run(trial, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    before = files(place.parent)
    told = run_mounting("ask_a_read_only_disk", place)
    assert {command: code for command, code, _ in told} == ANSWERS, told
    assert "nightly" in told[0][2]
    assert files(place.parent) == before


@pytest.mark.parametrize(("file", "folder"), [(0o444, 0o555), (0o666, 0o555), (0o444, 0o777)])
def test_who_may_only_read_asks(place: Path, file: int, folder: int) -> None:
    """Answers for who may not write, also where the engine that wrote the log was another version; work is refused."""
    with closing(sqlite3.connect(place)) as connection:
        connection.execute("UPDATE meta SET value = '0.0.1' WHERE name = 'engine'")
        connection.commit()
    place.chmod(file)
    place.parent.chmod(folder)
    asked = ("runs", "log tail", "db status", "verify", "tick", "work --allow-commands --until-idle")
    told = {command: (code, output) for command, code, output in run("ask", place, *asked)}
    assert [code for code, _ in told.values()] == [0, 0, 0, 2, 5, 5], told
    assert all("read-only" in told[command][1] for command in asked[4:])


def test_what_is_written_ahead_cannot_be_read_there(place: Path) -> None:
    """A copy of a log in use: the sentence names the file that has the rest, and what to do."""
    copy = place.parent / "copy.db"
    with closing(sqlite3.connect(place, isolation_level=None)) as writing:
        writing.execute("UPDATE meta SET value = '0.0.1' WHERE name = 'engine'")
        shutil.copy(place, copy)
        shutil.copy(f"{place}-wal", f"{copy}-wal")
    for path in place.parent.iterdir():
        path.chmod(0o444)
    place.parent.chmod(0o555)
    [[_, code, output]] = run("ask", copy, "runs")
    assert code == 5
    assert f"{copy}-wal: a part of the log is in it" in output


def test_a_log_that_is_written_to_all_the_same_is_opened_anew(place: Path) -> None:
    """Who may write does, while somebody reads a file that was taken for one that nobody writes to."""
    recorder = SqliteRecorder()
    recorder._immutable = True
    recorder.open(str(place), busy_timeout_ms=100, durable=True)
    recorder._whole = sizes_of(str(place))
    assert recorder.max_notification_id() > 0
    with redrive.open(f"sqlite:///{place}") as engine:
        engine.local.submit(redrive.Flow([redrive.Node("fetch")]), automation="another")
    with pytest.raises(StorageError, match="somebody writes to the log, which was read-only"):
        recorder.max_notification_id()
    recorder.close()
