"""Limits among real processes: two cannot both pass a limit of 1, and a killed one leaves nothing in use."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from redrive import Engine, Limit, Rate
from redrive.domain.run import events as runs
from tests.processes.test_worker_processes import ROOT
from tests.processes.workshop import ANA, beside, chain, policy, until
from tests.stores import log_url

LIMITS = [
    Limit("total", "", 1),
    Limit("tenant", "local/default/default", 1),
    Limit("resource", "bank", 1),
    Limit("provider", "acquirer", 1),
]
BANK = chain("a", "b", resource="bank", provider="acquirer", retry=policy(3))
PERIOD_MS = 100


@pytest.fixture(name="engine")
def _engine(engine: Engine) -> Iterator[Engine]:
    """Nothing is in use at the end."""
    yield engine
    assert all(row.in_use == 0 for row in engine.ledger.capacity().rows())


def other(folder: Path, how: str = "leave") -> subprocess.Popen[bytes]:
    """A worker in a process of its own."""
    command = [sys.executable, "-m", "tests.processes.limited_process", log_url(folder / "log.db"), str(folder)]
    return subprocess.Popen([*command, how], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def both(folder: Path) -> None:
    """Two of them, at the same time, until both have ended."""
    processes = [other(folder) for _ in range(2)]
    until(lambda: len(list(folder.glob("up.*"))) == 2)
    (folder / "go").touch()
    assert [process.wait(120) for process in processes] == [0, 0]


def seen(folder: Path) -> list[int]:
    """How many each attempt found inside, itself among them."""
    return [int(line) for line in (folder / "seen").read_text().splitlines()]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.scope)
def test_two_processes_never_pass_a_limit_of_one_together(engine: Engine, tmp_path: Path, limit: Limit) -> None:
    """Everything is executed, one at a time; neither gives up while the other holds the slot."""
    engine.set_limit(limit, **ANA)
    runs = [engine.local.submit(BANK, automation="x") for _ in range(12)]
    both(tmp_path)
    assert seen(tmp_path) == [1] * 24
    assert {engine.local.run(run).status for run in runs} == {"completed"}


@pytest.mark.long
@pytest.mark.parametrize("scope", ["total", "provider"])
def test_two_processes_never_share_a_token(engine: Engine, tmp_path: Path, scope: Any) -> None:
    """One start (of a claim, or of an attempt) a period, by the times that the log gives them."""
    limit = Limit(scope, "acquirer" if scope == "provider" else "", rate=Rate(1, PERIOD_MS))
    engine.set_limit(limit, **ANA)
    for _ in range(6):
        engine.local.submit(BANK, automation="x")
    both(tmp_path)
    kind = runs.AttemptStarted if scope == "provider" else runs.RunClaimed
    events = [recorded for batch in engine.ledger.replay() for recorded in batch if isinstance(recorded.event, kind)]
    times = [event.occurred_at_ms for event in events]
    assert len(times) >= 6
    assert all(later - earlier >= PERIOD_MS for earlier, later in pairwise(times))


def test_two_slots_are_two(engine: Engine, tmp_path: Path) -> None:
    """No more, and, with two processes, no fewer in the end."""
    engine.set_limit(Limit("provider", "p", 2), **ANA)
    for _ in range(12):
        engine.local.submit(beside("a", "b", provider="p"), automation="x")
    both(tmp_path)
    assert max(seen(tmp_path)) <= 2
    assert len(seen(tmp_path)) == 24


def test_a_process_that_is_killed_leaves_nothing_in_use(engine: Engine, tmp_path: Path) -> None:
    """Its slot is freed by whoever takes its run over, and the waiters go on."""
    engine.set_limit(Limit("resource", "bank", 1), **ANA)
    runs = [engine.local.submit(BANK, automation="x") for _ in range(3)]
    (tmp_path / "go").touch()
    process = other(tmp_path, "stay")
    until(lambda: list(tmp_path.glob("inside.*")))
    process.kill()
    process.wait()
    for left in tmp_path.glob("inside.*"):
        left.unlink()
    assert engine.limits()[0].in_use == 1
    second = other(tmp_path)
    assert second.wait(120) == 0
    assert max(seen(tmp_path)) == 1
    assert {engine.local.run(run).status for run in runs} == {"completed"}


def test_a_limit_set_here_holds_in_the_other_process(engine: Engine, tmp_path: Path) -> None:
    """From its next transaction on: stopped by a 0 while its first attempt runs, it goes on when that is lifted."""
    engine.set_limit(Limit("total", "", 1), **ANA)
    for _ in range(8):
        engine.local.submit(BANK, automation="x")
    (tmp_path / "go").touch()
    process = other(tmp_path, "wait")
    until((tmp_path / "seen").exists)
    engine.set_limit(Limit("total", "", 0), **ANA)
    (tmp_path / "leave").touch()
    assert process.wait(120) == 0
    assert engine.limits()[0].in_use == 0
    assert engine.local.counts().runs == {"completed": 1, "queued": 7}
    engine.remove_limit("total", **ANA)
    assert other(tmp_path).wait(120) == 0
    assert engine.local.counts().runs == {"completed": 8}
