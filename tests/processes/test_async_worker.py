"""Async handlers: one event loop for all of them, and a worker that survives whatever they do to it."""

import asyncio
import gc
import threading
import time
import warnings
from functools import partial
from typing import Any

import pytest

from redrive import Attempt, Fatal, Retry, Snooze
from redrive.domain.run import events as e
from redrive.processes.handlers import Handler
from tests.processes.workshop import (
    ANA,
    PATIENCE_S,
    Shop,
    beside,
    chain,
    policy,
    running,
    until,
    work,
    worker_of,
    working,
)


async def echo(attempt: Attempt) -> Any:
    """Return what came in."""
    await asyncio.sleep(0)
    return {"input": attempt.input, "thread": threading.current_thread().name}


class Callee:
    """A handler that is an object."""

    async def __call__(self, attempt: Attempt) -> Any:
        return await echo(attempt)

    async def method(self, attempt: Attempt) -> Any:
        """A handler that is a method."""
        return await echo(attempt)


async def with_more(more: int, attempt: Attempt) -> Any:
    """A handler that is a partial."""
    return await echo(attempt)


@pytest.mark.parametrize("handler", [echo, Callee(), Callee().method, partial(with_more, 1)])
def test_every_kind_of_async_handler_runs_on_the_loop(shop: Shop, handler: Handler) -> None:
    """Functions, objects, methods, partials; sync handlers beside them have threads."""
    run = shop.submit(chain("a", "b", "c", input=7))
    work(shop, {"a": handler, "b": lambda attempt: threading.current_thread().name, "c": handler}, name="w")
    a, b, c = (shop.node(run, name).output for name in "abc")
    assert a == c == {"input": 7, "thread": "w-loop"}
    assert b != "w-loop"


def test_many_wait_at_once(shop: Shop) -> None:
    """As many as the worker may run; they all meet."""
    everybody = asyncio.Event()
    met: list[int] = []

    async def handler(attempt: Attempt) -> None:
        met.append(1)
        if len(met) == 20:
            everybody.set()
        await everybody.wait()

    run = shop.submit(beside(*(f"n{n}" for n in range(20))))
    work(shop, {f"n{n}": handler for n in range(20)}, concurrency=20)
    assert shop.run_status(run) == "completed"


async def raise_(error: BaseException, attempt: Attempt) -> Any:
    """A handler that raises."""
    await asyncio.sleep(0)
    raise error


@pytest.mark.parametrize(
    ("error", "failure_class", "kind"),
    [
        (Retry("busy", 5), "provider_transient", "retry"),
        (Fatal("no"), "execution_error", "fatal"),
        (ConnectionError("x"), "provider_transient", "provider_connect_timeout"),
        (SystemExit(3), "execution_error", "SystemExit"),
        (KeyboardInterrupt(), "execution_error", "KeyboardInterrupt"),
        (asyncio.CancelledError(), "interrupted", "cancelled"),
        (GeneratorExit(), "execution_error", "GeneratorExit"),
        (StopAsyncIteration(), "execution_error", "StopAsyncIteration"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_an_async_handler_raises(shop: Shop, error: BaseException, failure_class: str, kind: str) -> None:
    """As in a thread; and the loop still serves the next."""
    shop.submit()
    other = shop.submit(beside("b"))
    work(shop, {"a": partial(raise_, error), "b": echo}, concurrency=1)
    failed = shop.facts(e.AttemptFailed)[0]
    assert (failed.failure.failure_class, failed.failure.kind) == (failure_class, kind)
    assert shop.run_status(other) == "completed"


async def snooze_once(attempt: Attempt) -> Any:
    """A handler that asks to be called again."""
    return Snooze(70) if attempt.lifetime == 1 else attempt.number


def test_an_async_handler_may_snooze(shop: Shop) -> None:
    """By the same value."""
    run = shop.submit()
    work(shop, {"a": snooze_once})
    shop.now += 70
    work(shop, {"a": snooze_once})
    assert shop.node(run).output == 1


class Sleeper:
    """An async handler that sleeps until it is cancelled, and then cleans up."""

    def __init__(self) -> None:
        self.begun, self.cleaned = threading.Event(), threading.Event()

    async def __call__(self, attempt: Attempt) -> Any:
        self.begun.set()
        try:
            await asyncio.sleep(2 * PATIENCE_S)
        finally:
            await asyncio.sleep(0)
            self.cleaned.set()


def end(shop: Shop, how: str, run: Any, sleeper: Sleeper) -> bool:
    """Time out, cancel, or lose the lease; again, for a renewal may come between the jump and the tick."""
    if how != "cancel":
        shop.now += 1_000 if how == "timeout" else 10_000_000
    elif shop.run_status(run) == "running":
        shop.acme.cancel(run, **ANA)
    return sleeper.cleaned.wait(0.5)


@pytest.mark.parametrize("how", ["timeout", "cancel", "lease"])
def test_an_async_handler_is_cancelled(shop: Shop, how: str) -> None:
    """It gets the chance to clean up; its slot is free."""
    sleeper = Sleeper()
    timeout = 1_000 if how == "timeout" else None
    run = shop.submit(beside("a", timeout_ms=timeout, retry=policy(1)))
    other = shop.submit(beside("b"))
    with working(shop, {"a": sleeper, "b": echo}, concurrency=1):
        until(sleeper.begun.is_set)
        until(lambda: end(shop, how, run, sleeper))
        until(lambda: shop.run_status(other) == "completed")
    assert shop.run_status(run) == ("cancelled" if how == "cancel" else "failed")


def test_abort_cancels_async_handlers(shop: Shop) -> None:
    """They count as interrupted, and the worker returns at once, perhaps before they have cleaned up."""
    sleeper = Sleeper()
    run = shop.submit()
    worker = worker_of(shop, {"a": sleeper})
    with running(worker.run):
        until(sleeper.begun.is_set)
        worker.abort()
    until(sleeper.cleaned.is_set)
    assert (shop.node(run).failure_class, shop.run_status(run)) == ("interrupted", "queued")


def test_a_handler_that_blocks_the_loop_hangs_alone(shop: Shop) -> None:
    """It is timed out all the same, and sync handlers go on."""
    release = threading.Event()

    async def blocking(attempt: Attempt) -> None:
        release.wait(2 * PATIENCE_S)

    run = shop.submit(beside("a", timeout_ms=1_000, retry=policy(1)))
    other = shop.submit(beside("b"))
    with working(shop, {"a": blocking, "b": lambda attempt: 1}, concurrency=1):
        until(lambda: shop.node(run).status == "running")
        shop.now += 1_000
        until(lambda: shop.run_status(other) == "completed")
        release.set()
    assert shop.run_status(run) == "failed"


def test_the_loop_is_closed_with_the_worker(shop: Shop) -> None:
    """No thread, no descriptor and no warning is left."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            shop.submit()
            work(shop, {"a": echo}, name="closing")
        until(lambda: "closing-loop" not in {thread.name for thread in threading.enumerate()})
        gc.collect()
    assert not [str(warning.message) for warning in caught if warning.category is ResourceWarning]


def test_an_async_handler_sees_that_it_is_to_stop(shop: Shop) -> None:
    """One that shields itself from cancellation can still look."""
    seen = threading.Event()

    async def stubborn(attempt: Attempt) -> None:
        while not attempt.cancelled:
            try:
                await asyncio.sleep(0.005)
            except asyncio.CancelledError:
                time.sleep(0)  # noqa: ASYNC251
        seen.set()

    run = shop.submit()
    with working(shop, {"a": stubborn}):
        until(lambda: shop.node(run).status == "running")
        shop.acme.cancel(run, **ANA)
        until(seen.is_set)
