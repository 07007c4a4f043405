"""Fairness among real processes: two workers, each with a handler of its own, share a limit of one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from redrive import Engine, Flow, Limit, Node
from tests.processes.test_worker_processes import ROOT
from tests.processes.workshop import ANA, until
from tests.stores import log_url

YOUNGER = 400


def serving(folder: Path, handler: str) -> subprocess.Popen[bytes]:
    """A worker with this handler, in a process of its own."""
    command = [sys.executable, "-m", "tests.processes.serving_process", log_url(folder / "log.db"), str(folder)]
    return subprocess.Popen([*command, handler], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def submit(engine: Engine, handler: str, number: int) -> list[str]:
    """So many runs of one node that needs the mail."""
    flow = Flow([Node("n", handler=handler, provider="mail")])
    return [engine.local.submit(flow, automation=handler) for _ in range(number)]


def started(engine: Engine) -> list[str]:
    """The runs in the order of their starts."""
    log = engine.ledger.read(0, 1_000_000)
    return [event.stream for event in log if event.topic == "run.attempt-started"]


@pytest.mark.long
@pytest.mark.parametrize("limit", [Limit("provider", "mail", 1), Limit("total", "", 1)], ids=lambda limit: limit.scope)
def test_the_older_line_of_another_process_is_served(engine: Engine, tmp_path: Path, limit: Limit) -> None:
    """Long before the other has done all its younger work; both had looked when the only place became free."""
    engine.set_limit(limit, **ANA)
    submit(engine, "a", 1)
    claim = engine.local.claim(worker="here", start=True)
    assert claim is not None
    older = submit(engine, "b", 3)
    submit(engine, "a", YOUNGER)
    processes = [serving(tmp_path, handler) for handler in ("a", "b")]
    until(lambda: len(list(tmp_path.glob("looked.*"))) == 2)
    engine.local.complete_attempt(claim.attempts[0])
    assert [process.wait(240) for process in processes] == [0, 0]
    order = started(engine)
    assert len(order) == YOUNGER + 4
    assert max(map(order.index, older)) < YOUNGER // 2
