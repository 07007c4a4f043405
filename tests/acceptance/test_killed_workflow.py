"""The issue's own words: a real workflow, killed with -9 three times, ends with one success per node."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import redrive
from redrive.domain.dead_letter import events as dl
from redrive.domain.run import events as e
from tests.engine.model import check_log, check_views

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "wfinstances"
FLOW = DATA / "cutandrun-dirt02-001.json"
TIME_SCALE = "0.02"
ARGUMENTS = ("--simulate", "--failure-rate", "0.2", "--seed", "7", "--time-scale", TIME_SCALE, "--concurrency", "6")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real inputs is not there")


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The same command, again and again."""
    command = [sys.executable, "-m", "redrive", "run", str(FLOW), *ARGUMENTS]
    environment = {**os.environ, "REDRIVE_DB": f"sqlite:///{folder / 'log.db'}"}
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=output)


def succeeded_and_running(path: Path) -> tuple[int, int]:
    """How many nodes succeeded, and how many attempts run, by the log alone."""
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5) as log:
            rows = dict(log.execute("SELECT topic, count(*) FROM events GROUP BY topic").fetchall())
    except sqlite3.OperationalError:
        return 0, 0
    count = Counter({topic.split("/")[0].removeprefix("run.attempt-"): n for topic, n in rows.items()})
    return count["succeeded"], count["started"] - count["succeeded"] - count["failed"] - count["interrupted"]


def kill_at(process: subprocess.Popen[bytes], path: Path, successes: int) -> None:
    """Kill with -9 once *successes* nodes are done and an attempt runs."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        done, running = succeeded_and_running(path)
        if done >= successes and running > 0:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return
        time.sleep(0.005)
    raise AssertionError(f"the process ended, or nothing ran: {(path.parent / 'output.txt').read_text()[-2000:]}")


def finish(folder: Path) -> int:
    """Run to the end, retrying what is dead-lettered; the last exit code."""
    for _ in range(10):
        if (code := start(folder).wait(timeout=120)) == 0:
            return code
        with redrive.open(f"sqlite:///{folder / 'log.db'}") as engine:
            for letter in engine.local.dead_letters(status="open").items:
                engine.local.request_retry(redrive.DeadLetterId(letter.id), actor="ana", reason="try again")
    return code


@pytest.mark.acceptance
def test_a_real_workflow_killed_three_times_succeeds_exactly_once_per_node(tmp_path: Path) -> None:
    """Nothing is lost, nothing runs twice to a success, every takeover and every decision is in the history."""
    dice = random.Random(7)
    for share in sorted(dice.uniform(0.1, 0.9) for _ in range(3)):
        kill_at(start(tmp_path), tmp_path / "log.db", round(120 * share))
    assert finish(tmp_path) == 0
    with redrive.open(f"sqlite:///{tmp_path / 'log.db'}") as engine:
        events = [event for batch in engine.ledger.replay() for event in batch]
        successes = Counter(ev.event.node for ev in events if isinstance(ev.event, e.AttemptSucceeded))
        assert len(successes) == 120
        assert set(successes.values()) == {1}
        assert sum(isinstance(ev.event, e.ClaimAbandoned) for ev in events) == 3
        decisions = [
            ev.event.decision for ev in events if isinstance(ev.event, (e.AttemptFailed, e.AttemptInterrupted))
        ]
        policies = {ev.event.policy for ev in events if ev.topic == "policy.registered"}  # type: ignore[union-attr]
        assert decisions
        assert all(decision.policy in policies for decision in decisions)
        assert sum(isinstance(ev.event, dl.DeadLetterOpened) for ev in events) > 0
        check_log(engine)
        check_views(engine)
