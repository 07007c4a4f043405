"""Batch workers in processes of their own that die; in real time."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from redrive import Engine, RunId, Worker
from redrive.domain.run import events as e
from tests.processes.test_worker_processes import ROOT, facts
from tests.processes.workshop import beside, policy, until
from tests.stores import log_url


@contextmanager
def batch_process(folder: Path, concurrency: int = 2) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, which is gone when the block is left."""
    command = [sys.executable, "-m", "tests.processes.batch_process"]
    arguments = [log_url(folder / "log.db"), str(concurrency), str(folder)]
    process = subprocess.Popen([*command, *arguments], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def submit(engine: Engine, node: str, count: int) -> list[RunId]:
    """So many runs of one node that may be tried three times."""
    flow = beside(node, retry=policy(3))
    return [engine.local.submit(flow, automation="nightly") for _ in range(count)]


def test_what_a_killed_batch_worker_had_in_hand_is_taken_over(engine: Engine, tmp_path: Path) -> None:
    """All of it at once, also what had not begun; it goes on with its second attempt."""
    runs = submit(engine, "h", 12)
    with batch_process(tmp_path) as process:
        until(lambda: facts(engine, e.AttemptStarted) == 12 and len(list(tmp_path.glob("begun *"))) == 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert sorted(engine.tick().reclaimed) == sorted(runs)
    Worker(engine, {"h": lambda attempt: attempt.number}, tick_ms=50, poll_ms=50, batch=16).run_until_idle()
    assert {engine.local.run(run).status for run in runs} == {"completed"}
    assert {engine.local.show(run).nodes[0].output for run in runs} == {2}


@pytest.mark.long
def test_a_handler_that_kills_its_process_takes_nobody_along(engine: Engine, tmp_path: Path) -> None:
    """Those that waited beside it are interrupted, yet nobody's last attempt is: only the one ends as a dead letter."""
    (poison,) = submit(engine, "a", 1)
    others = submit(engine, "b", 12)
    deaths, ended = 0, False
    while not ended:
        with batch_process(tmp_path, concurrency=1) as process:
            ended = process.wait(120) == 0
            deaths += not ended
    assert (deaths, engine.local.run(poison).status) == (3, "failed")
    assert {engine.local.run(run).status for run in others} == {"completed"}
    assert [letter.run_id for letter in engine.local.dead_letters().items] == [poison]


def test_two_batch_processes_share_the_runs(engine: Engine, tmp_path: Path) -> None:
    """Every node is started once and succeeds once."""
    runs = submit(engine, "b", 100)
    with batch_process(tmp_path) as first, batch_process(tmp_path) as second:
        assert (first.wait(120), second.wait(120)) == (0, 0)
    assert {engine.local.run(run).status for run in runs} == {"completed"}
    assert facts(engine, e.AttemptSucceeded) == facts(engine, e.AttemptStarted) == 100
