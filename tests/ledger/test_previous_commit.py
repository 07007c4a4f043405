"""What the commit before this one writes, this one opens: also what nobody kept as a golden log yet."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest

import redrive
from redrive import UnknownEvent, Worker
from tests.ledger.test_golden_logs import HANDLERS
from tests.ledger.write_golden import TENANT

ROOT = Path(__file__).resolve().parents[2]
WRITE = "import pathlib, sys; from tests.ledger.write_golden import write; write(pathlib.Path(sys.argv[1]))"
pytestmark = [pytest.mark.long, pytest.mark.sqlite_only]


def git(*words: str) -> bytes:
    """What git says; the test is skipped where the history is not at hand."""
    try:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no commit before this one here: no repository, or a shallow one")


def written_by(commit: str, folder: Path) -> Path:
    """A log that the code of *commit* writes, in a process of its own; commits of long ago tell no story."""
    if not git("ls-tree", "--name-only", commit, "tests/ledger/golden_story.py"):
        pytest.skip(f"{commit} has nothing that writes a golden log")
    tree, log = folder / "tree", folder / "log.db"
    with tarfile.open(fileobj=BytesIO(git("archive", commit))) as archive:
        archive.extractall(tree, filter="tar")
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(log)], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return log


@contextmanager
def opened(log: Path) -> Iterator[redrive.Engine]:
    """The log, by the code of today."""
    with redrive.open(f"sqlite:///{log}") as engine:
        yield engine


@pytest.mark.parametrize("commit", ["HEAD", "HEAD~1"])
def test_what_it_wrote_is_understood_and_goes_on(commit: str, tmp_path: Path) -> None:
    """Before a commit HEAD is the previous one, after it HEAD~1: no event is unknown, what is due is what the events
    say, every decision would be made again, and the work is finished."""
    with opened(written_by(commit, tmp_path)) as engine:
        events = [recorded for batch in engine.ledger.replay() for recorded in batch]
        assert len(events) > 90
        assert not [recorded for recorded in events if isinstance(recorded.event, UnknownEvent)]
        assert engine.ledger.agenda_rows() == engine.ledger.agenda_from_log()
        assert not engine.replay_check().differences
        acme = engine.for_tenant(TENANT)
        engine.tick()
        Worker(acme, HANDLERS, name="w2", tick_ms=100).run_until_idle()
        assert not acme.runs(automation="nightly", status=["queued", "running"]).items
