"""The server falls, or is away for a while: what was acknowledged is there, and everything goes on by itself."""

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from redrive import StorageError
from redrive.ledger.postgres.recorder import PostgresRecorder
from tests.engine.outworld import Till
from tests.ledger.postgres.rivals import Rival, submitting_for_ever
from tests.ledger.postgres.servers import OwnServer, own_server
from tests.ledger.world import World
from tests.processes.workshop import until
from tests.stores import SERVER, STORE, STORES

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    """One for all these tests."""
    with own_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _on_each_store(server: OwnServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The logs lie there."""
    monkeypatch.setenv(STORE, STORES[1])
    monkeypatch.setenv(SERVER, server.url)


def test_a_crash_under_load_loses_nothing_that_was_acknowledged(server: OwnServer, tmp_path: Path) -> None:
    """Four processes commit, through three crashes; none is restarted, and none tells what is not so."""
    path = str(tmp_path / "log.db")
    rivals = [Rival(submitting_for_ever, path, f"w{n}") for n in range(4)]
    acknowledged = [told for rival in rivals for told in [rival.hear()] if told != "open"]
    for _ in range(3):
        for rival in rivals:
            acknowledged += [rival.hear() for _ in range(8)]
        server.stop("immediate")
        server.start()
    for rival in rivals:
        acknowledged += [rival.hear() for _ in range(8)]
        rival.process.kill()
    acknowledged += [run for rival in rivals for run in rival.rest()]
    world = World(path, busy_timeout_ms=30_000)
    begun = Counter(str(event.stream) for event in world.log() if event.topic == "run.submitted")
    assert set(begun.values()) == {1}
    assert set(acknowledged) <= set(begun)
    assert [event.position for event in world.log()] == list(range(1, len(world.log()) + 1))
    world.check()
    world.ledger.close()


def test_a_server_that_is_away_for_a_while(server: OwnServer, tmp_path: Path) -> None:
    """Commands and queries fail at once, and say why; afterwards both work again, and who listens hears."""
    till, other = Till(tmp_path / "log.db"), Till(tmp_path / "log.db")
    heard: list[str] = []
    till.engine.ledger.subscribe(lambda events: heard.extend(event.topic for event in events), others=True)
    run = till.submit()
    server.stop("fast")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        for act in (lambda: till.acme.note(run, "x", actor="ana"), till.log, till.submit):
            begun = time.monotonic()
            with pytest.raises(StorageError, match="cannot be reached"):
                act()
            assert time.monotonic() - begun < 60
    server.start()
    other.submit()
    till.acme.note(run, "y", actor="ana")
    until(lambda: heard.count("run.submitted") >= 2)
    for one in (till, other):
        one.check()
        one.engine.close()


def test_what_was_seen_and_not_durable_is_forgotten(server: OwnServer, tmp_path: Path) -> None:
    """The server falls between the commit and the flush; views, and what is in memory, follow the log."""
    server.set("autovacuum", "off")
    till, other = Till(tmp_path / "log.db"), Till(tmp_path / "log.db")
    recorder = till.engine.ledger.recorder
    assert isinstance(recorder, PostgresRecorder)
    kept = till.submit()
    server.hold_back()
    recorder._durable = False  # as if it had not come to the flush
    lost = [till.submit() for _ in range(3)]
    other.engine.views.catch_up()
    for run in lost:
        assert other.run_status(run) == "queued"
    server.stop("immediate")
    server.start()
    recorder._durable = True
    assert len([event for event in other.log() if event.topic == "run.submitted"]) == 1, "they were flushed"
    other.acme.note(kept, "afterwards", actor="ana")
    till.now += 1
    again = [till.submit() for _ in range(4)]
    assert set(again).isdisjoint(lost)
    for one in (other, till):
        with contextlib.suppress(StorageError):
            one.engine.views.catch_up()
        one.check()
        one.engine.close()
    assert os.environ[SERVER] == server.url
