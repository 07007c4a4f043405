"""The worker: what it runs, how many at a time, and what it makes of how a handler ends."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from redrive import Attempt, AttemptError, Failure, Fatal, InvalidValue, Retry, Snooze, Worker
from redrive.domain.identity import NodeId
from redrive.domain.run import events as e
from redrive.domain.run.state import Run
from redrive.processes.claimant import Claimant
from redrive.processes.handlers import Handler
from tests.processes.test_ticker import a_dead_process
from tests.processes.workshop import (
    ANA,
    PATIENCE_S,
    Shop,
    beside,
    chain,
    policy,
    running,
    told_when_a_worker_waits,
    until,
    work,
    worker_of,
    working,
)


def raising(error: BaseException) -> Handler:
    """A handler that raises."""

    def handler(attempt: Attempt) -> Any:
        raise error

    return handler


def returning(result: Any) -> Handler:
    """A handler that returns."""
    return lambda attempt: result


def test_a_flow_is_executed_with_the_outputs_of_the_parents(shop: Shop) -> None:
    """Each handler sees its own input, the run's, and what its parents returned."""
    run = shop.submit(chain("a", "b", input=7), input={"x": 1})
    seen: list[Attempt] = []

    def handler(attempt: Attempt) -> Any:
        seen.append(attempt)
        return {"from": attempt.node}

    work(shop, {"a": handler, "b": handler})
    assert shop.run_status(run) == "completed"
    assert [(a.node, a.input, a.run_input, a.outputs) for a in seen] == [
        ("a", 7, {"x": 1}, {}),
        ("b", 7, {"x": 1}, {"a": {"from": "a"}}),
    ]


def test_runs_of_all_tenants_are_worked_on_or_of_one(shop: Shop) -> None:
    """As the worker was given the engine, or a tenant of it."""
    ours = shop.submit()
    theirs = shop.engine.local.submit(beside("a"), automation="x")
    Worker(shop.acme, {"a": returning(1)}).run_until_idle()
    assert (shop.run_status(ours), shop.engine.local.show(theirs).status) == ("completed", "queued")
    work(shop, {"a": returning(1)})
    assert shop.engine.local.show(theirs).status == "completed"


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_handlers_run_than_are_allowed(shop: Shop, concurrency: int) -> None:
    """Over several runs; and as many as are allowed do run."""
    for _ in range(3):
        shop.submit(beside(*"abcd"))
    lock, count, most = threading.Lock(), [0], [0]
    full = threading.Event()

    def handler(attempt: Attempt) -> None:
        with lock:
            count[0] += 1
            most[0] = max(most[0], count[0])
            if count[0] == concurrency:
                full.set()
        full.wait(PATIENCE_S)
        with lock:
            count[0] -= 1

    work(shop, dict.fromkeys("abcd", handler), concurrency=concurrency)
    assert (most[0], len(shop.facts(e.AttemptSucceeded))) == (concurrency, 12)


ENDS: dict[str, tuple[Handler, str, str | None, str | None, int | None]] = {
    "retry": (raising(Retry("busy")), "waiting", "provider_transient", "retry", 2_000),
    "retry, delay": (raising(Retry("busy", 70)), "waiting", "provider_transient", "retry", 70),
    "retry, timedelta": (raising(Retry("busy", timedelta(seconds=3))), "waiting", "provider_transient", "retry", 3_000),
    "retry, class": (raising(Retry("x", 5, failure_class="contract miss")), "waiting", "contract_miss", "retry", 5),
    "retry, past": (raising(Retry("busy", -5)), "failed", "provider_transient", "retry", None),
    "fatal": (raising(Fatal("no")), "failed", "execution_error", "fatal", None),
    "fatal, class": (raising(Fatal("no", failure_class="provider_auth")), "failed", "provider_auth", "fatal", None),
    "fatal, error": (raising(Fatal(ValueError("no"))), "failed", "execution_error", "fatal", None),  # type: ignore[arg-type]
    "snooze": (returning(Snooze(70)), "waiting", None, None, 70),
    "snooze, timedelta": (returning(Snooze(timedelta(minutes=1))), "waiting", None, None, 60_000),
    "given": (
        raising(AttemptError(Failure("contract_miss", "x", "k", final=True))),
        "failed",
        "contract_miss",
        "k",
        None,
    ),
    "timeout": (raising(TimeoutError()), "waiting", "provider_transient", "provider_connect_timeout", 2_000),
    "unknown": (raising(ValueError("x")), "failed", "execution_error", "ValueError", None),
    "exit": (raising(SystemExit(3)), "failed", "execution_error", "SystemExit", None),
}


@pytest.mark.parametrize("case", ENDS)
def test_how_a_handler_ends(shop: Shop, case: str) -> None:
    """What it says is recorded as it was meant; what it does not say, the classifier tells."""
    handler, status, failure_class, kind, delay = ENDS[case]
    run = shop.submit()
    work(shop, {"a": handler})
    node = shop.node(run)
    assert (node.status, node.failure_class) == (status, failure_class)
    assert node.due_ms == (None if delay is None else shop.now + delay)
    failed = shop.facts(e.AttemptFailed)
    assert not failed or failed[-1].failure.kind == kind


def test_a_snooze_goes_on_with_the_same_number(shop: Shop) -> None:
    """As often as it likes."""
    run = shop.submit(beside("a", retry=policy(1)))
    for _ in range(3):
        work(shop, {"a": returning(Snooze(70))})
        shop.now += 70
    work(shop, {"a": lambda attempt: [attempt.number, attempt.lifetime]})
    assert shop.node(run).output == [1, 4]


def test_a_snooze_that_is_raised_says_that_it_is_returned(shop: Shop) -> None:
    """Python's own sentence names neither; the class is still the classifier's."""
    run = shop.submit()
    work(shop, {"a": raising(Snooze(70))})  # type: ignore[arg-type]
    failure = shop.facts(e.AttemptFailed)[-1].failure
    assert (failure.failure_class, failure.kind) == ("execution_error", "TypeError")
    assert "return redrive.Snooze(delay), or raise Retry" in failure.reason
    assert shop.node(run).status == "failed"


@pytest.mark.parametrize(
    "result",
    [float("nan"), {1}, 2**53, "x" * 1_100_000, object(), {1: 2}, Snooze(-1), Snooze(1.5), Snooze("x")],  # type: ignore[arg-type]
)
def test_a_result_that_cannot_be_stored_fails_for_good(shop: Shop, result: Any) -> None:
    """Another attempt would return the same."""
    run = shop.submit(beside("a", retry=policy(3)))
    work(shop, {"a": returning(result)})
    (failed,) = shop.facts(e.AttemptFailed)
    assert (failed.failure.kind, failed.decision.verdict) == ("invalid_output", "not_retryable")
    assert shop.status(shop.letter_of(run)) == "open"


class Unsayable(Exception):
    """An error that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


BROKEN_ERRORS: list[BaseException] = [
    Retry("x", "5"),  # type: ignore[arg-type]
    Retry("x", 1.5),  # type: ignore[arg-type]
    Retry("x", float("nan")),  # type: ignore[arg-type]
    Retry("x", timedelta.max),
    Retry("x" * 300_000, 0),
    Retry("\ud800\0", 0, failure_class="\ud800"),
    Retry("x", failure_class=" "),
    Fatal(Unsayable()),  # type: ignore[arg-type]
    Unsayable(),
    AttemptError(Failure("provider_transient")),
    KeyboardInterrupt(),
    BaseExceptionGroup("x", [ValueError("\ud800")]),
]


@pytest.mark.parametrize("error", BROKEN_ERRORS, ids=range(len(BROKEN_ERRORS)))
def test_whatever_a_handler_raises_the_worker_goes_on(shop: Shop, error: BaseException) -> None:
    """The attempt failed, and says so; the next run is worked on."""
    run, other = shop.submit(), shop.submit(beside("b"))
    work(shop, {"a": raising(error), "b": returning(1)})
    assert shop.node(run).failure_class is not None
    assert (shop.node(run).status in ("failed", "waiting"), shop.run_status(other)) == (True, "completed")


@pytest.mark.parametrize("bad", [{"concurrency": 0}, {"concurrency": 1_025}, {"lease_ms": 1}, {"concurrency": True}])
def test_a_bad_setting_is_refused(shop: Shop, bad: dict[str, Any]) -> None:
    """When the worker is made, not when it works."""
    with pytest.raises(InvalidValue):
        Worker(shop.engine, {}, **bad)


# Idle, or not


def busy_once(attempt: Attempt) -> int:
    """A handler that asks for a second attempt five seconds later."""
    if attempt.number == 1:
        raise Retry("busy", 5_000)
    return 1


def test_until_idle_without_waiting(shop: Shop) -> None:
    """What lies in the future is left."""
    run = shop.submit()
    worker_of(shop, {"a": busy_once}).run_until_idle(wait=False)
    assert (shop.run_status(run), shop.node(run).status) == ("queued", "waiting")


def test_until_idle_with_waiting(shop: Shop) -> None:
    """A backoff is waited for, and what it leads to is done."""
    run = shop.submit()
    with running(worker_of(shop, {"a": busy_once}).run_until_idle) as thread:
        until(lambda: shop.node(run).status == "waiting")
        thread.join(0.2)
        assert thread.is_alive()
        shop.now += 5_000
    assert shop.run_status(run) == "completed"


def test_until_idle_waits_for_redrives(shop: Shop) -> None:
    """A dead letter that is due is swept by the worker itself, and its run completes."""
    letter = shop.letter(beside("a", retry=policy(1)))
    with shop.engine.batch() as batch:
        batch.add(shop.acme.request_retry, letter, **ANA)
    work(shop, {"a": returning(1)})
    assert shop.status(letter) == "resolved"


def test_a_worker_can_be_used_again(shop: Shop) -> None:
    """Also one that was stopped before it began."""
    worker = worker_of(shop, {"a": returning(1)})
    for _ in range(2):
        run = shop.submit()
        worker.run_until_idle()
        assert shop.run_status(run) == "completed"
    run = shop.submit()
    worker.stop()
    worker.run()
    assert shop.run_status(run) == "queued"
    worker.run_until_idle()
    assert shop.run_status(run) == "completed"


def test_only_one_run(shop: Shop) -> None:
    """The others stay queued."""
    first, second = shop.submit(), shop.submit()
    work(shop, {"a": returning(1)}, only=second)
    assert (shop.run_status(first), shop.run_status(second)) == ("queued", "completed")


# Handlers that are missing


def test_without_its_handler_a_run_is_never_claimed(shop: Shop) -> None:
    """The worker ends idle, and says once what nobody serves."""
    run = shop.submit(beside("x"))
    work(shop, {"a": returning(1)})
    assert shop.topics(run) == ["submitted"]


def test_a_run_is_released_when_no_ready_node_has_a_handler_here(shop: Shop) -> None:
    """Another worker goes on with it."""
    run = shop.submit(chain("a", "b", "c"))
    work(shop, {"a": returning(1), "c": returning(3)})
    (released,) = shop.facts(e.ClaimReleased)
    assert (released.why, shop.acme.show(run).queue_reason) == ("no_handler", "no_handler")
    work(shop, {"b": returning(2)})
    work(shop, {"a": returning(1), "c": returning(3)})
    assert shop.run_status(run) == "completed"


def test_two_workers_share_a_run_whose_handlers_they_share_out(shop: Shop) -> None:
    """Nobody holds on to what he cannot execute."""
    run = shop.submit(chain("a1", "b1", "a2", "b2"))
    with (
        working(shop, {"a1": returning(1), "a2": returning(1)}),
        working(shop, {"b1": returning(1), "b2": returning(1)}),
    ):
        until(lambda: shop.run_status(run) == "completed")


def test_start_up_recovery(shop: Shop) -> None:
    """What a dead process held is taken over before anything else, without waiting for its lease."""
    holder = shop.engine.services.holder
    a_dead_process(shop)
    claim = shop.begin(beside("a"))
    shop.engine.services = replace(shop.engine.services, holder=holder)
    work(shop, {"a": lambda attempt: attempt.number})
    assert (shop.run_status(claim.run_id), shop.node(claim.run_id).output) == ("completed", 2)


def test_what_an_operator_wants_is_noticed_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a process a submission wakes the worker, long before it would look again."""
    waits = told_when_a_worker_waits(monkeypatch)
    with working(shop, {"a": returning(1)}, poll_ms=3_600_000, tick_ms=None):
        until(waits.is_set)
        run = shop.submit()
        until(lambda: shop.run_status(run) == "completed")


@pytest.mark.parametrize("batch", [1, 20])
def test_of_many_nodes_only_those_are_asked_about_that_there_is_room_for(
    shop: Shop, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run of so many nodes that are ready at once would take as long as their square."""
    nodes, asked = 200, list[str]()
    can_execute = Claimant.can_execute

    def noting(claimant: Claimant, run: Run, node: NodeId) -> bool:
        asked.append(node)
        return can_execute(claimant, run, node)

    monkeypatch.setattr(Claimant, "can_execute", noting)
    run = shop.submit(beside(*(f"n{number}" for number in range(nodes))))
    work(shop, {f"n{number}": lambda _attempt: None for number in range(nodes)}, concurrency=2, batch=batch)
    assert shop.run_status(run) == "completed"
    assert len(asked) < 4 * nodes
