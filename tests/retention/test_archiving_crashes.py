"""Archiving in processes that are killed: whatever happens, each state is in the log or in the archive."""

import subprocess
import sys
from pathlib import Path

import pytest

from redrive.domain.records import RecordsArchived
from tests.retention.attic import Attic
from tests.retention.mover import STEPS
from tests.stores import unguard


def archived_in_another(folder: Path, step: str) -> int:
    """Have another process archive; how it ended."""
    command = [sys.executable, "-m", "tests.retention.mover", str(folder), step]
    root = Path(__file__).parents[2]
    return subprocess.run(command, cwd=root, capture_output=True, timeout=240, check=False).returncode


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_lost(attic: Attic, tmp_path: Path, step: str) -> None:
    """Killed in front of each step: everything reads as before, and archiving again finishes it."""
    attic.completed("k1")
    attic.completed("k2")
    before = attic.everything()
    attic.engine.close()
    assert archived_in_another(tmp_path, step) == -9
    attic.engine = attic._open()
    attic.age()
    done = sum(isinstance(event.event, RecordsArchived) for event in attic.log())
    assert done == (step == "after the commit")
    assert attic.everything() == before
    assert attic.archive().runs == (0 if done else 2)
    attic.engine.views.rebuild()
    assert attic.everything() == before


@pytest.mark.sqlite_only
def test_another_process_archives(attic: Attic, tmp_path: Path) -> None:
    """While this one has the log open, and its states in memory."""
    run = attic.completed("k1")
    before = attic.everything()
    assert archived_in_another(tmp_path, "") == 0
    assert b"" in attic.stored(run)
    assert attic.everything() == before
    attic.acme.note(run, "hello", actor="ana")


def test_a_log_without_the_trigger_gets_none(attic: Attic) -> None:
    """What somebody took away is not what archiving gives back; it works all the same."""
    attic.completed()
    attic.age()
    writer = attic.engine.ledger.recorder.writer
    unguard(writer)
    assert attic.archive().runs == 1
    writer.execute("UPDATE events SET topic = topic")


@pytest.mark.parametrize(("bound", "most", "events"), [("RUNS", 2, 3), ("BYTES", 1, 5)])
def test_many_runs_are_moved_in_several_transactions(
    attic: Attic, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, events: int
) -> None:
    """One event for each; others write in between."""
    monkeypatch.setattr(f"redrive.retention.archiving.{bound}_PER_TRANSACTION", most)
    runs = [attic.completed(str(n)) for n in range(5)]
    before = attic.everything()
    attic.age()
    assert attic.archive().runs == 5
    assert sum(isinstance(event.event, RecordsArchived) for event in attic.log()) == events
    assert attic.everything() == before
    assert all(b"" in attic.stored(run) for run in runs)
