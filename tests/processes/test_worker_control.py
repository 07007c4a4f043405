"""How a worker is told: timeouts, cancel, pause, leases that are lost, stop and abort."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from redrive import Attempt, Claim, RunId, Worker
from redrive.domain.ports import Caller
from redrive.domain.run import events as e
from redrive.processes.claimant import Claimant
from redrive.processes.leases import claiming, reclaiming
from tests.processes.workshop import ANA, PATIENCE_S, Shop, beside, chain, policy, running, until, worker_of, working


class Gate:
    """A handler that tells when it has begun, and ends when it is let go or told to stop."""

    def __init__(self) -> None:
        self.begun: list[Attempt] = []
        self.told: list[Attempt] = []
        self.open = threading.Event()

    def __call__(self, attempt: Attempt) -> Any:
        self.begun.append(attempt)
        end = time.monotonic() + 2 * PATIENCE_S
        while not self.open.is_set() and time.monotonic() < end:
            if attempt.cancelled:
                self.told.append(attempt)
                return "stopped"
            time.sleep(0.005)
        return attempt.lifetime


class Deaf(Gate):
    """A handler that hangs whatever it is told."""

    def __call__(self, attempt: Attempt) -> Any:
        self.begun.append(attempt)
        self.open.wait(2 * PATIENCE_S)
        return "late"


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open at the end."""
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def deaf() -> Iterator[Deaf]:
    """One that listens to nothing."""
    deaf = Deaf()
    yield deaf
    deaf.open.set()


def begun(gate: Gate, count: int = 1) -> Attempt:
    """Wait until the gate was entered this often; the last that did."""
    until(lambda: len(gate.begun) >= count)
    return gate.begun[count - 1]


# Timeouts


def test_a_handler_that_hangs_is_given_up_at_its_deadline(shop: Shop, deaf: Deaf) -> None:
    """Its slot is free again, and its late result is stale."""
    run, other = shop.submit(beside("a", timeout_ms=1_000)), shop.submit(beside("b"))
    with working(shop, {"a": deaf, "b": lambda attempt: 1}, concurrency=1):
        attempt = begun(deaf)
        shop.now += 999
        time.sleep(0.1)
        assert shop.node(run).status == "running"
        shop.now += 1
        until(lambda: shop.run_status(other) == "completed")
        assert attempt.cancelled
        position = shop.engine.ledger.last_position()
        deaf.open.set()
        time.sleep(0.1)
        assert shop.engine.ledger.last_position() == position
    (failed,) = shop.facts(e.AttemptFailed)
    assert (failed.failure.failure_class, failed.failure.kind) == ("provider_transient", "timeout")
    assert shop.node(run).due_ms == failed.decision.decided_at_ms + 2_000


def test_a_timeout_counts_as_an_attempt(shop: Shop, deaf: Deaf) -> None:
    """A node with one has none left."""
    run = shop.submit(beside("a", timeout_ms=1_000, retry=policy(1)))
    with working(shop, {"a": deaf}):
        begun(deaf)
        shop.now += 1_000
        until(lambda: shop.run_status(run) == "failed")
    assert shop.acme.dead_letter(shop.letter_of(run)).kind == "timeout"


def test_a_result_at_the_deadline_and_a_timeout_are_one_outcome(shop: Shop, gate: Gate) -> None:
    """Whichever is recorded first; the worker is not confused by the other."""
    run = shop.submit(beside("a", timeout_ms=1_000))
    with working(shop, {"a": gate}):
        begun(gate)
        gate.open.set()
        shop.now += 1_000
        until(lambda: shop.node(run).status != "running")
    assert len(shop.facts(e.AttemptSucceeded)) + len(shop.facts(e.AttemptFailed)) == 1


# Cancel and pause


@pytest.mark.parametrize("from_elsewhere", [False, True])
def test_a_cancel_reaches_a_running_handler(shop: Shop, gate: Gate, *, from_elsewhere: bool) -> None:
    """Also one from another engine on the same log; with the usual settings it looks at least twice a second."""
    other = Shop(shop.path) if from_elsewhere else shop
    other.now = shop.now
    run = shop.submit()
    with working(shop, {"a": gate}, poll_ms=500, tick_ms=1_000) as worker:
        begun(gate)
        assert worker._pause_s() <= 0.5
        other.acme.cancel(run, **ANA)
        until(lambda: gate.told)
    assert (shop.run_status(run), shop.topics(run)[-1]) == ("cancelled", "cancelled")
    if from_elsewhere:
        other.engine.close()


def test_a_pause_lets_running_handlers_finish_and_starts_nothing(shop: Shop, gate: Gate) -> None:
    """Not even what became ready; a resume goes on."""
    run = shop.submit(chain("a", "b"))
    with working(shop, {"a": gate, "b": lambda attempt: 1}):
        attempt = begun(gate)
        assert shop.acme.pause(run, **ANA) == "running"
        time.sleep(0.1)
        assert not attempt.cancelled
        gate.open.set()
        until(lambda: shop.run_status(run) == "paused")
        time.sleep(0.1)
        assert shop.node(run, "b").status == "ready"
        shop.acme.resume(run, **ANA)
        until(lambda: shop.run_status(run) == "completed")


# Leases


def test_heartbeats_keep_a_run_for_as_long_as_its_handler_takes(shop: Shop, gate: Gate) -> None:
    """Twenty seconds on a lease of five: it is renewed at a third, and never taken."""
    run = shop.submit()
    with working(shop, {"a": gate}, lease_ms=5_000):
        begun(gate)
        for count in range(1, 11):
            shop.now += 2_000
            until(lambda count=count: len(shop.facts(e.LeaseRenewed)) >= count)  # type: ignore[misc]
        gate.open.set()
        until(lambda: shop.run_status(run) == "completed")
    assert not shop.facts(e.ClaimAbandoned)


def test_a_lease_that_this_worker_lost_itself(shop: Shop, gate: Gate) -> None:
    """A host that slept: the old handler is told, its result goes nowhere, the new attempt counts."""
    run = shop.submit()
    with working(shop, {"a": gate}, lease_ms=5_000):
        old = begun(gate)
        until(lambda: sleep_through(shop, 60_000, gate))
        until(lambda: old in gate.told)
        gate.open.set()
        until(lambda: shop.run_status(run) == "completed")
    assert shop.facts(e.ClaimAbandoned)
    assert shop.node(run).output > 1  # type: ignore[operator]


def sleep_through(shop: Shop, milliseconds: int, gate: Gate) -> bool:
    """Let the clock jump, unless the handler was called again; a renewal may come between jump and tick."""
    if len(gate.begun) == 1:
        shop.now += milliseconds
        time.sleep(0.1)
    return len(gate.begun) > 1


def test_a_lease_that_was_taken_over(shop: Shop, gate: Gate) -> None:
    """Somebody else has the run: the handler is told, and what it returns is not reported."""
    run = shop.submit()
    with working(shop, {"a": gate}, lease_ms=5_000, tick_ms=None):
        begun(gate)
        taken = until(lambda: take_over(shop, run))
        assert taken is not None
        until(lambda: gate.told)
        shop.acme.complete_attempt(taken, "theirs")
    assert (shop.run_status(run), shop.node(run).output) == ("completed", "theirs")


def take_over(shop: Shop, run: RunId) -> Attempt | None:
    """Let the lease run out; reclaim and claim in one commit, unless the worker renewed it between."""
    shop.now += 5_000
    policy_of = shop.engine.services.policy_of
    jobs: list[tuple[Caller, Any]] = [
        (Caller(None), reclaiming(run, policy_of)),
        (Caller(None), claiming(Claimant("thief"), 1, None)),
    ]
    _, claimed = shop.engine.ledger.transact_together(jobs)
    claims: list[Claim] = claimed.result()
    return claims[0].attempts[0] if claims else None


def test_a_lease_that_was_taken_and_came_back_within_one_look(shop: Shop, gate: Gate) -> None:
    """Somebody else's tick took the run, and this worker claims it again before it has noticed."""
    shop.submit()
    other = Shop(shop.path)
    with working(shop, {"a": gate}, lease_ms=5_000, tick_ms=None, poll_ms=3_600_000) as worker:
        old = begun(gate)
        until(lambda: expired_for(other, shop))
        worker._ended.put(None)
        begun(gate, 2)
        until(lambda: gate.told == [old])
        gate.open.set()
    other.engine.close()


def expired_for(other: Shop, shop: Shop) -> bool:
    """Let the lease run out, and somebody else notice, unless the worker renewed it between."""
    shop.now = other.now = shop.now + 5_000
    return bool(other.engine.tick().reclaimed)


# Stop and abort


def test_stop_finishes_what_runs_and_gives_the_rest_back(shop: Shop, gate: Gate) -> None:
    """Nothing new is claimed or started; the run is queued, and nobody waits for a lease."""
    run, other = shop.submit(chain("a", "b")), shop.submit(beside("c"))
    worker = worker_of(shop, {"a": gate, "b": gate, "c": gate}, concurrency=1)
    with running(worker.run) as thread:
        attempt = begun(gate)
        worker.stop()
        time.sleep(0.1)
        assert (thread.is_alive(), attempt.cancelled) == (True, False)
        gate.open.set()
    assert [node.status for node in shop.acme.show(run).nodes] == ["succeeded", "ready"]
    assert (shop.run_status(run), shop.run_status(other), len(gate.begun)) == ("queued", "queued", 1)


def test_abort_tells_the_handlers(shop: Shop, gate: Gate) -> None:
    """What they return is reported."""
    run = shop.submit()
    worker = worker_of(shop, {"a": gate})
    with running(worker.run):
        begun(gate)
        worker.abort()
    assert (shop.run_status(run), shop.node(run).output) == ("completed", "stopped")


def test_stop_from_within_a_handler(shop: Shop) -> None:
    """It is recorded first."""
    run = shop.submit(chain("a", "b"))
    workers: list[Worker] = []
    handlers = {"a": lambda attempt: workers[0].stop(), "b": lambda attempt: 1}
    workers.append(worker_of(shop, handlers))
    workers[0].run()
    assert [node.status for node in shop.acme.show(run).nodes] == ["succeeded", "ready"]


def test_a_handler_may_use_the_engine(shop: Shop) -> None:
    """Also to cancel its own run: then its result goes nowhere."""
    run = shop.submit()

    def handler(attempt: Attempt) -> int:
        shop.acme.note(attempt.run_id, "half way", actor="a")
        shop.acme.cancel(attempt.run_id, **ANA)
        return 1

    worker_of(shop, {"a": handler}).run_until_idle()
    assert shop.topics(run)[-2:] == ["note-added", "cancelled"]
