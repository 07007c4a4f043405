"""Wake-ups: who waits hears what another process commits, and nothing is left behind by those who listen."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest

import redrive
from redrive import StorageError
from redrive.ledger.postgres.bell import Bell
from tests.engine.outworld import Till
from tests.ledger.child import ROOT
from tests.ledger.world import World
from tests.processes.workshop import PATIENCE_S, logged, running, until, worker_of
from tests.stores import log_url, outside

SELDOM: dict[str, Any] = {"poll_ms": 60_000, "tick_ms": 60_000}
LEAVING = """
import sys, redrive
engine = redrive.open(sys.argv[1])
heard = engine.ledger.subscribe(print, others=True)
engine.local.submit(redrive.Flow([redrive.Node("a")]), automation="a")
engine.local.submit(redrive.Flow([redrive.Node("a")]), automation="a")
if sys.argv[2]:
    engine.close()
print("left")
"""


def listeners() -> list[threading.Thread]:
    """The threads that listen."""
    return [thread for thread in threading.enumerate() if thread.name == "redrive-bell"]


def test_a_worker_that_seldom_looks_hears_another_process(till: Till, other: Till) -> None:
    """It would look again in a minute."""
    done = threading.Event()
    worker = worker_of(till, {"a": lambda _: done.set()}, **SELDOM)
    with running(worker.run):
        until(lambda: listening(till))
        time.sleep(0.3)  # it has looked, and found nothing
        other.submit()
        assert done.wait(PATIENCE_S), "it did not hear"
        worker.stop()


def listening(till: Till) -> bool:
    """Whether the engine's connection listens."""
    bell = till.engine.ledger.recorder.bell
    assert bell is not None
    with outside(till.path) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE query = ?"
        return bool(connection.execute(query, (f'LISTEN "{bell._channel}"',)).fetchone()[0])


def test_rings_that_follow_each_other_closely_are_one() -> None:
    """And the last is not lost: one more at the end of the pause."""
    rung: list[float] = []

    class Rope:
        def execute(self, *_: Any) -> None:
            rung.append(time.monotonic())

    bell = Bell("x", Rope, lambda: None)  # type: ignore[arg-type,return-value]
    begun = time.monotonic()
    for _ in range(200):
        bell.ring()
    last = time.monotonic()
    until(lambda: rung[-1] >= last or time.monotonic() > last + 10)
    assert 2 <= len(rung) <= 2 + (rung[-1] - begun) / 0.02
    bell.close()


def test_what_was_wanted_is_rung_before_it_ends() -> None:
    """Also within the pause after a ring. Then no thread is left, whether it is closed or the process ends."""
    rung: list[float] = []

    class Rope:
        def execute(self, *_: Any) -> None:
            rung.append(time.monotonic())

    bell = Bell("x", Rope, lambda: None)  # type: ignore[arg-type,return-value]
    bell.ring()
    until(lambda: bool(rung))
    bell.ring()
    bell._stop_ringing()
    assert len(rung) == 2
    assert bell._ringing is not None
    assert not bell._ringing.is_alive()
    bell.close()


def test_a_listener_that_lost_its_connection_comes_back(till: Till, other: Till) -> None:
    """And tells what was missed."""
    heard: list[str] = []
    till.engine.ledger.subscribe(lambda events: heard.extend(event.topic for event in events), others=True)
    until(lambda: listening(till))
    bell = till.engine.ledger.recorder.bell
    assert bell is not None
    with outside(till.path) as dba:
        query = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity WHERE query = ?"
        assert dba.execute(query, (f'LISTEN "{bell._channel}"',)).fetchone() == (1,)
    other.submit()
    until(lambda: "run.submitted" in heard)


def test_a_listener_survives_a_log_that_cannot_be_read(till: Till, other: Till) -> None:
    """Whoever was woken finds the server away: that is no reason to be deaf from then on."""
    heard: list[str] = []
    ledger, recorder = till.engine.ledger, till.engine.ledger.recorder
    read, failed = recorder.max_notification_id, threading.Event()

    def fail() -> int:
        recorder.max_notification_id = read  # type: ignore[method-assign]
        failed.set()
        raise StorageError("away")

    ledger.subscribe(lambda events: heard.extend(event.topic for event in events), others=True)
    until(lambda: listening(till))
    recorder.max_notification_id = fail  # type: ignore[method-assign]
    other.submit()
    assert failed.wait(PATIENCE_S)
    other.submit()
    until(lambda: "run.submitted" in heard)


def test_what_is_committed_here_and_elsewhere_is_told_once(till: Till, other: Till) -> None:
    """Also what both commit while the listener reads; each event, in the order of the log within a call."""
    heard: list[int] = []
    ledger = till.engine.ledger
    ledger.subscribe(lambda events: heard.extend(event.position for event in events), others=True)
    until(lambda: listening(till))
    before = ledger.last_position()

    def others() -> None:
        for _ in range(40):
            other.submit()

    with running(others):
        for _ in range(40):
            till.submit()
    last = other.submit()
    ends = ledger.stream(last)[-1].position
    until(lambda: ends in heard)
    assert sorted(heard) == [event.position for event in ledger.read(before)]


def test_closing_ends_the_thread_that_listens(tmp_path: Path) -> None:
    """Also while a listener is being called."""
    before = set(listeners())
    world = World(tmp_path / "log.db")
    world.ledger.subscribe(print, others=True)
    assert set(listeners()) - before
    world.ledger.close()
    until(lambda: not set(listeners()) - before)


def test_a_listener_that_fails_harms_nobody(till: Till, other: Till) -> None:
    """The others hear it all the same."""
    heard: list[str] = []

    def fail(_: Any) -> None:
        raise ValueError("no")

    till.engine.ledger.subscribe(fail, others=True)
    till.engine.ledger.subscribe(lambda events: heard.extend(event.topic for event in events), others=True)
    until(lambda: listening(till))
    other.submit()
    until(lambda: "run.submitted" in heard)


@pytest.mark.parametrize("close", ["", pytest.param("close", marks=pytest.mark.long)])
def test_a_process_ends_with_its_engine_open_or_closed(tmp_path: Path, close: str) -> None:
    """Nothing that runs in the background keeps it."""
    argv = [sys.executable, "-c", LEAVING, log_url(tmp_path / "log.db"), close]
    done = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True, timeout=240)
    assert "left\n" in done.stdout  # what was heard may be told after it
    assert "Traceback" not in done.stderr


def test_a_ring_that_fails_does_not_fail_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is durable."""

    def fail(*_: Any) -> None:
        raise psycopg.OperationalError("gone")

    engine = redrive.open(log_url(tmp_path / "log.db"))
    bell = engine.ledger.recorder.bell
    assert bell is not None
    monkeypatch.setattr(bell, "_ring_on", fail)
    engine.local.submit(redrive.Flow([redrive.Node("a")]), automation="a")
    assert engine.ledger.last_position() == 3
    engine.close()


class Line:
    """A connection to listen with: it hears nothing, and says when it was asked."""

    def __init__(self, asked: threading.Event) -> None:
        self._asked = asked

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Left."""

    def execute(self, _: bytes) -> None:
        """LISTEN."""

    def notifies(self, **_: Any) -> list[Any]:
        """Nobody rang."""
        self._asked.set()
        time.sleep(0.05)
        return []


def test_an_outage_is_told_once_and_so_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may be away for hours; the next outage is told again."""
    monkeypatch.setattr("redrive.ledger.postgres.bell.LISTEN_S", 0.01)
    tried, asked, away = [0], threading.Event(), threading.Event()
    away.set()

    def connected() -> Line:
        tried[0] += 1
        if away.is_set():
            raise psycopg.OperationalError("away")
        return Line(asked)

    with logged() as logs:
        bell = Bell("x", lambda: None, connected)  # type: ignore[arg-type,return-value]
        bell.listen(lambda: None)
        until(lambda: tried[0] > 5)
        away.clear()
        until(lambda: any(line["event"] == "bell.hears" for line in logs))
        bell.close()
    assert [line["event"] for line in logs] == ["bell.deaf", "bell.hears"]


def test_rings_that_fail_are_told_once() -> None:
    """As long as they do."""
    fails = [True, True, True, False, False, True]

    class Rope:
        def execute(self, *_: Any) -> None:
            if fails.pop(0):
                raise psycopg.OperationalError("full")

    bell = Bell("x", Rope, lambda: None)  # type: ignore[arg-type,return-value]
    with logged() as logs:
        while fails:
            bell._ring()
    assert [line["event"] for line in logs] == ["bell.silent", "bell.rings", "bell.silent"]
