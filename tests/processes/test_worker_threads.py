"""A system that has no thread left: the worker goes on with those that it has."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from redrive import Attempt
from tests.processes.workshop import Shop, beside, chain, work


async def later(attempt: Attempt) -> str:
    """Needs the loop's thread."""
    return "done"


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the worker w start so many threads and no more."""
    start = threading.Thread.start

    def limit(count: int) -> None:
        left = iter(range(count))

        def starting(thread: threading.Thread) -> None:
            if thread.name.startswith("w-") and next(left, None) is None:
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", starting)

    return limit


@pytest.mark.parametrize("count", [1, 3])
def test_a_worker_goes_on_with_the_threads_that_there_are(shop: Shop, most: Callable[[int], None], count: int) -> None:
    """It stopped, and what it had just claimed stayed claimed."""
    most(count)
    names = [f"n{n}" for n in range(12)]
    run = shop.submit(beside(*names))
    work(shop, dict.fromkeys(names, lambda attempt: attempt.node), name="w", concurrency=8)
    assert [shop.node(run, name).output for name in names] == names


@pytest.mark.parametrize("handler", [later, lambda attempt: "done"])
def test_without_any_thread_the_attempt_fails_and_the_worker_stays(
    shop: Shop, most: Callable[[int], None], handler: Any
) -> None:
    """Somebody sees a dead letter that says why."""
    most(0)
    run = shop.submit(chain("a"))
    work(shop, {"a": handler}, name="w")
    assert shop.run_status(run) == "failed"
    assert "can't start new thread" in shop.acme.dead_letters().items[0].reason
