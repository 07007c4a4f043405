"""A backup that is taken while workers work, and what happens when it is all that is left."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import redrive
from redrive import Engine, RunId, SealRefused, VerifyResult
from tests.engine.model import check_log, check_views
from tests.processes.workshop import chain, until

pytestmark = pytest.mark.acceptance
ROOT = Path(__file__).parents[2]
RUNS = 60


def opened(folder: Path, **options: str) -> Engine:
    """The log under its name."""
    return redrive.open(f"sqlite:///{folder / 'log.db'}", **options)  # type: ignore[call-overload, no-any-return]


def submit_all(engine: Engine) -> list[RunId]:
    """Every run, in one batch; the same ones however often."""
    with engine.batch() as batch:
        jobs = [batch.add(engine.local.submit, chain("a", "b"), automation="n", key=str(n)) for n in range(RUNS)]
    return [job.result() for job in jobs]


def statuses(engine: Engine, runs: list[RunId]) -> set[str]:
    """Where the runs stand."""
    return {engine.local.run(run).status for run in runs}


def working(folder: Path) -> subprocess.Popen[bytes]:
    """A worker in a process of its own."""
    command = [sys.executable, "-m", "tests.processes.other_process", f"sqlite:///{folder / 'log.db'}", "quick"]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def back_up(folder: Path) -> None:
    """The recipe of the page: SQLite's online backup."""
    with closing(sqlite3.connect(folder / "log.db")) as log, closing(sqlite3.connect(folder / "backup.db")) as copy:
        log.backup(copy)


def restore(folder: Path) -> None:
    """The recipe of the page: the old files aside, the backup in their place."""
    (folder / "aside").mkdir()
    for old in folder.glob("log.db*"):
        old.rename(folder / "aside" / old.name)
    shutil.copy(folder / "backup.db", folder / "log.db")


def test_a_backup_under_load_goes_on_where_it_was_taken(tmp_path: Path) -> None:
    """Taken while a worker works, restored after that was killed: sound, verified, and everything is done once more
    or at last."""
    with opened(tmp_path) as engine:
        runs = submit_all(engine)
        begun = engine.ledger.last_position()
        process = working(tmp_path)
        try:
            until(lambda: engine.ledger.last_position() > begun + 20, 60)
            back_up(tmp_path)
            taken = engine.ledger.last_position()
            until(lambda: engine.ledger.last_position() > taken or process.poll() is not None, 60)
        finally:
            process.kill()
            process.wait()
    restore(tmp_path)
    with opened(tmp_path) as engine:
        assert begun < engine.ledger.last_position() <= taken
        assert engine.verify().result in {VerifyResult.SELF_CONSISTENT, VerifyResult.INCOMPLETE}
        engine.tick()
        assert submit_all(engine) == runs
    assert working(tmp_path).wait(120) == 0
    with opened(tmp_path) as engine:
        assert statuses(engine, runs) == {"completed"}
        check_log(engine)
        check_views(engine)
        engine.seal()
        assert engine.verify().findings == ()


def test_a_log_that_went_back_is_noticed(tmp_path: Path) -> None:
    """By its views, which are folded anew, and by the pin outside: it is not sealed, and verify says so, until
    somebody takes the pin away."""
    pin = tmp_path / "elsewhere" / "log.pin"
    with opened(tmp_path, pin_file=str(pin)) as engine:
        submit_all(engine)
        engine.seal()
        assert engine.verify().result is VerifyResult.VERIFIED
        back_up(tmp_path)
        late = engine.local.submit(chain("a"), automation="n", key="late")
        assert engine.local.run(late).status == "queued"
        engine.seal()
    for kept in tmp_path.glob("log.db.views*"):
        shutil.copy(kept, tmp_path / f"kept-{kept.name}")
    restore(tmp_path)
    for kept in tmp_path.glob("kept-*"):
        kept.rename(tmp_path / kept.name.removeprefix("kept-"))
    with opened(tmp_path, pin_file=str(pin)) as engine:
        assert engine.local.counts().runs == {"queued": RUNS}
        with pytest.raises(SealRefused):
            engine.seal()
        assert engine.verify().result is VerifyResult.TAMPERED
    pin.rename(pin.with_suffix(".before"))
    with opened(tmp_path, pin_file=str(pin)) as engine:
        assert engine.local.submit(chain("a"), automation="n", key="late") == late
        engine.seal()
        assert engine.verify().result is VerifyResult.VERIFIED
