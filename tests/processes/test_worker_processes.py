"""Workers in several processes on one log, and processes that die; in real time."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redrive
from redrive import Engine, RunId, Worker
from redrive.domain.event import Event
from redrive.domain.run import events as e
from tests.processes.workshop import ANA, beside, chain, policy, until
from tests.stores import log_url

ROOT = Path(__file__).parents[2]


@contextmanager
def other_process(folder: Path, handler: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, which is gone when the block is left."""
    command = [sys.executable, "-m", "tests.processes.other_process"]
    arguments = [log_url(folder / "log.db"), handler, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*command, *arguments], cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def finish(engine: Engine) -> None:
    """Execute what is left, here."""
    Worker(engine, dict.fromkeys("abc", lambda attempt: "here"), tick_ms=50, poll_ms=50).run_until_idle()


def facts(engine: Engine, kind: type[Event]) -> int:
    """How many events of a kind there are."""
    return sum(isinstance(event.event, kind) for event in engine.ledger.read(0, 1_000_000))


def submit(engine: Engine, flow: redrive.Flow) -> RunId:
    """Submit a run."""
    return engine.local.submit(flow, automation="nightly")


def test_two_processes_share_fifty_runs(engine: Engine, tmp_path: Path) -> None:
    """Every node succeeds once, and both have their part."""
    runs = [submit(engine, chain("a", "b", "c")) for _ in range(50)]
    with other_process(tmp_path, "quick") as first, other_process(tmp_path, "quick") as second:
        assert (first.wait(120), second.wait(120)) == (0, 0)
    finish(engine)
    assert {engine.local.run(run).status for run in runs} == {"completed"}
    assert facts(engine, e.AttemptSucceeded) == facts(engine, e.AttemptStarted) == 150
    workers = Counter(node.output for run in runs for node in engine.local.show(run).nodes)
    assert set(workers) <= {first.pid, second.pid, "here"}


def test_what_a_killed_worker_held_is_taken_over_at_once(engine: Engine, tmp_path: Path) -> None:
    """Its lease of half an hour does not matter: on this host, anybody can see that it is gone."""
    run = submit(engine, chain("a", "b"))
    with other_process(tmp_path, "hanging") as process:
        until((tmp_path / f"begun {run}").exists)
        assert engine.tick().reclaimed == []
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert engine.tick().reclaimed == [run]
    finish(engine)
    detail = engine.local.show(run)
    assert (detail.status, detail.epoch, detail.nodes[0].number) == ("completed", 2, 2)


def test_a_handler_that_kills_its_process_ends_as_a_dead_letter(engine: Engine, tmp_path: Path) -> None:
    """Each death is an attempt; when they are used up, nobody starts it again."""
    run = submit(engine, beside("a", retry=policy(3)))
    deaths = 0
    for _ in range(4):
        with other_process(tmp_path, "exiting") as process:
            deaths += process.wait(120) == 9
    engine.tick()
    assert (deaths, engine.local.run(run).status) == (3, "failed")
    assert facts(engine, e.AttemptStarted) == facts(engine, e.AttemptInterrupted) == 3
    (letter,) = engine.local.dead_letters().items
    assert (letter.failure_class, letter.verdict, letter.number) == ("interrupted", "attempts_exhausted", 3)


def test_a_cancel_reaches_a_handler_in_another_process(engine: Engine, tmp_path: Path) -> None:
    """The file is all that they share; the other handler of that process goes on."""
    run, other = submit(engine, beside("a")), submit(engine, beside("b"))
    with other_process(tmp_path, "hanging"):
        for id_ in (run, other):
            until((tmp_path / f"begun {id_}").exists)
        engine.local.cancel(run, **ANA)
        until((tmp_path / f"told {run}").exists)
        assert not (tmp_path / f"told {other}").exists()
    assert engine.local.run(run).status == "cancelled"
