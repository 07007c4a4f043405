"""A worker and a ticker over several logs: fair between them, idle together, and stopped by none that is broken."""

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive import Attempt, Engine, EngineClosed, InvalidValue, ShardedEngine, StorageError, Worker
from redrive.processes import shared_room
from redrive.processes.crew import Crew
from redrive.processes.services import Services
from redrive.processes.shared_room import Room
from redrive.processes.turns import Turns
from tests.processes.workshop import ONE, PATIENCE_S, running, until
from tests.sharding.shards import TENANTS, home, homes, submit, urls

QUICK: dict[str, Any] = {"poll_ms": 20, "tick_ms": 20}


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> float:
    """For how many seconds a slot is kept for whom it was offered to: nobody is passed because this machine is busy."""
    monkeypatch.setattr(shared_room, "PATIENCE_S", 120.0)
    return 120.0


def test_everything_is_done_by_so_many_at_a_time(engine: ShardedEngine) -> None:
    """The slots are those of the worker, not of each log."""
    live, most, lock = [0], [0], threading.Lock()

    def work(_attempt: Attempt) -> None:
        with lock:
            live[0] += 1
            most[0] = max(most[0], live[0])
        threading.Event().wait(0.01)
        with lock:
            live[0] -= 1

    for tenant in TENANTS:
        submit(engine, tenant)
    Worker(engine, {"a": work}, concurrency=4, **QUICK).run_until_idle()
    assert {engine.for_tenant(tenant).runs().items[0].status for tenant in TENANTS} == {"completed"}
    assert 1 <= most[0] <= 4


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.usefixtures("patient")
def test_a_busy_log_does_not_keep_the_others_waiting(engine: ShardedEngine, concurrency: int) -> None:
    """All of the others is done before the busy one is half way."""
    where = homes(engine)
    busy = next(tenant for tenant in TENANTS if where[tenant] == "a")
    quiet = [tenant for tenant in TENANTS if where[tenant] != "a"][:6]
    for number in range(60):
        submit(engine, busy, str(number))
    for tenant in quiet:
        submit(engine, tenant)
    order: list[str] = []
    handler = {"a": lambda attempt: order.append(where[attempt.tenant])}
    Worker(engine, handler, concurrency=concurrency, **QUICK).run_until_idle()
    assert Counter(order)["a"] == 60
    assert max(at for at, name in enumerate(order) if name != "a") < 40, "".join(order)


def test_work_that_a_handler_makes_in_another_log_is_done(engine: ShardedEngine) -> None:
    """Also when that log's worker had nothing left to do: all end together."""
    where = homes(engine)
    chain = [next(tenant for tenant in TENANTS if where[tenant] == name) for name in "abcabc"]

    def hand_on(attempt: Attempt) -> None:
        step = int(attempt.automation)
        if step + 1 < len(chain):
            engine.for_tenant(chain[step + 1]).submit(ONE, automation=str(step + 1), key="k")

    engine.for_tenant(chain[0]).submit(ONE, automation="0", key="k")
    Worker(engine, {"a": hand_on}, **QUICK).run_until_idle()
    done = [run.status for tenant in chain[:3] for run in engine.for_tenant(tenant).runs().items]
    assert done == ["completed"] * 6


def test_a_list_of_engines_is_served_too(engine: ShardedEngine) -> None:
    """Of tenants, or of logs that know nothing of each other; a list of one is one."""
    for tenant in TENANTS[:3]:
        submit(engine, tenant)
    worker = Worker([engine.for_tenant(tenant) for tenant in TENANTS[:2]], {"a": lambda _: None}, **QUICK)
    assert isinstance(worker, Crew)
    worker.run_until_idle()
    done = [engine.for_tenant(tenant).runs().items[0].status for tenant in TENANTS[:3]]
    assert done == ["completed", "completed", "queued"]
    assert type(Worker([engine.shards[0]], {})) is Worker
    for bad in ([], ["x"], 3):
        with pytest.raises(InvalidValue, match=r"^engine: "):
            Worker(bad, {})  # type: ignore[arg-type]


@pytest.mark.long
def test_a_log_that_cannot_be_read_stops_no_other(engine: ShardedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even with one slot: what was kept for it is given on."""
    for tenant in TENANTS:
        submit(engine, tenant)
    broken, turn = engine.shards[0].services, Turns.turn

    def turn_or_break(turns: Turns, *args: Any, **options: Any) -> bool:
        if turns._services is broken:
            raise StorageError("the disk is gone")
        return turn(turns, *args, **options)

    worker = Worker(engine, {"a": lambda _: None}, concurrency=1, **QUICK)
    others = [tenant for tenant in TENANTS if home(engine, tenant) != "a"]
    with monkeypatch.context() as patched, running(worker.run):
        patched.setattr(Turns, "turn", turn_or_break)
        until(lambda: _all_done(engine, others))
        patched.undo()
        until(lambda: _all_done(engine, TENANTS))
        worker.stop()


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_log_that_cannot_be_written_now_keeps_no_slot(engine: ShardedEngine, concurrency: int) -> None:
    """Its turn waits for the writer's lock without any: another process has it for long, say."""
    committer = engine.shards[0].ledger.committer
    others = [tenant for tenant in TENANTS if home(engine, tenant) != "a"][:6]
    submit(engine, next(tenant for tenant in TENANTS if home(engine, tenant) == "a"))
    worker = Worker(engine, {"a": lambda _: None}, concurrency=concurrency, poll_ms=20, tick_ms=None)
    lock = committer.under_lock()
    lock.acquire()
    with running(worker.run):
        try:
            until(lambda: len(committer._queue) == 1)
            for tenant in others:
                submit(engine, tenant)
            until(lambda: _all_done(engine, others), 60)
        finally:
            worker.stop()
            lock.release()


def test_a_turn_takes_what_is_left_when_it_comes_to_it(engine: ShardedEngine) -> None:
    """Another log's turn took it meanwhile; who got none stands in line, and loses nothing."""
    offered: list[int] = []
    room = Room(2, 2, offered.append)
    assert (room.look(0, 0), room.look(1, 0)) == (2, 2)
    assert (room.take(0, 0), room.take(1, 0)) == (2, 0)
    room.settle(1, 0)
    assert (room.look(1, 0), offered) == (0, [])
    room.settle(0, 1)
    assert (offered, room.look(0, 1), room.take(1, 0)) == ([1], 1, 1)


def _all_done(engine: ShardedEngine, tenants: list[redrive.Tenant]) -> bool:
    return {engine.for_tenant(tenant).runs().items[0].status for tenant in tenants} == {"completed"}


def test_stop_ends_all_of_it(engine: ShardedEngine) -> None:
    """Stop ends all of it, also before it began."""
    worker = Worker(engine, {"a": lambda _: None}, **QUICK)
    with running(worker.run):
        submit(engine, TENANTS[0])
        until(lambda: _all_done(engine, TENANTS[:1]))
        worker.stop()
    worker.stop()
    worker.run_until_idle()


def test_interrupted_it_gives_everything_back(engine: ShardedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ctrl-C does to a worker of one log: attempts end as interrupted, no claim stays."""
    begun, release = threading.Event(), threading.Event()

    def work(_attempt: Attempt) -> None:
        begun.set()
        release.wait(120)

    submit(engine, TENANTS[0])
    worker, join = Worker(engine, {"a": work}, **QUICK), threading.Thread.join

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if begun.wait(60) and not release.is_set():
            release.set()
            raise KeyboardInterrupt
        join(thread, timeout)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            worker.run()
    assert all(not shard.ledger.holders(None) for shard in engine.shards)


@pytest.mark.long
def test_a_ticker_ticks_every_log(engine: ShardedEngine) -> None:
    """What expired is taken back in each."""
    for tenant in TENANTS[:9]:
        submit(engine, tenant)
    held = {claim.run_id for claim in engine.claim_many(9, worker="w", lease_ms=5_000)}
    assert len(held) == 9
    with redrive.Ticker(engine, interval_ms=20):
        until(lambda: not any(shard.ledger.holders(None) for shard in engine.shards))


def test_a_ticker_goes_on_without_an_engine_that_was_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ticks the others, and ends when none is left."""
    engine, ticked = redrive.open(urls(tmp_path)), list[Engine]()
    shards = {id(shard.services): shard for shard in engine.shards}

    def ticking(services: Services, *_tenant: object) -> None:
        if (shard := shards[id(services)]).ledger.committer.closed:
            raise EngineClosed("closed")
        ticked.append(shard)
        shard.close()

    monkeypatch.setattr("redrive.processes.ticker.tick", ticking)
    engine.shards[0].close()
    with redrive.Ticker(engine, interval_ms=1) as ticker:
        ticker._thread.join(60)
        assert not ticker._thread.is_alive()
    assert sorted(map(engine.shards.index, ticked)) == [1, 2]


def test_a_slow_log_keeps_a_ticker_from_no_other(engine: ShardedEngine) -> None:
    """The first waits in its tick until another has been ticked."""
    ticked, waited = threading.Event(), list[bool]()
    engine.shards[0].services.at_tick.append(lambda: waited.append(ticked.wait(PATIENCE_S)))
    engine.shards[1].services.at_tick.append(ticked.set)
    with redrive.Ticker(engine, interval_ms=10):
        until(lambda: bool(waited))
    assert waited[0]


def test_who_stands_in_line_is_served_first(patient: float) -> None:
    """A slot that becomes free goes to the next in line, and past whoever does not come."""
    offered: list[int] = []
    room = Room(2, 3, offered.append)
    assert (room.take(0, 0), room.take(1, 0), room.take(2, 0)) == (2, 0, 0)
    room.settle(0, 2)
    assert room.take(0, 1) == 1  # the slot that it freed is the next one's
    room.settle(0, 1)
    assert offered == [1]
    assert (room.take(2, 0), room.take(1, 0)) == (0, 1)
    room.settle(1, 1)
    room.settle(0, 0)
    assert offered[-1] == 2
    room._line[2] = -patient
    assert room.take(0, 0) == 1
    room.leave(0)
    room.leave(1)
    assert room.take(2, 0) == 2
