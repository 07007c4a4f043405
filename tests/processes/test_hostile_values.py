"""Handlers whose values do something when they are read: their attempts fail, and their worker goes on."""

import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from redrive import Attempt, Fatal, Retry, Snooze
from redrive.domain.run import events as e
from tests.processes.workshop import Shop, beside, policy, work, worker_of

KINDS = ("invalid_output", "invalid_failure", "Unsayable")
ENDS: list[type[BaseException]] = [SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError]


class Trap(dict[str, Any]):
    """An object that raises when it is read."""

    def __init__(self, raises: type[BaseException]) -> None:
        super().__init__(a=1)
        self.raises = raises

    def items(self) -> Any:
        raise self.raises


class LateTrap(timedelta):
    """A delay that raises when it is asked for milliseconds."""

    def __truediv__(self, other: Any) -> Any:
        raise KeyboardInterrupt


class Unsayable(Exception):
    """An error that raises when it is shown."""

    def __init__(self, raises: type[BaseException]) -> None:
        self.raises = raises

    def __str__(self) -> str:
        raise self.raises

    __repr__ = __str__


def raised(error: BaseException) -> Any:
    """Raise it, where only an expression may stand."""
    raise error


SAID: dict[str, Callable[[type[BaseException]], Any]] = {
    "output": Trap,
    "inner": lambda raises: {"deep": [Trap(raises)]},
    "snooze": lambda raises: Snooze(LateTrap(1)),
    "error": lambda raises: raised(Unsayable(raises)),
    "fatal": lambda raises: raised(Fatal(Unsayable(raises))),  # type: ignore[arg-type]
    "retry": lambda raises: raised(Retry("x", LateTrap(1))),
}


def check_it_failed(shop: Shop, handler: Callable[[Attempt], Any]) -> None:
    """The attempt failed with a class, and the next run is worked on."""
    run, other = shop.submit(beside("a", retry=policy(1))), shop.submit(beside("b"))
    work(shop, {"a": handler, "b": lambda _: 1}, concurrency=1)
    (failed,) = shop.facts(e.AttemptFailed)
    assert (failed.failure.failure_class, failed.failure.kind in KINDS) == ("execution_error", True)
    assert (shop.run_status(run), shop.run_status(other)) == ("failed", "completed")


@pytest.mark.parametrize("raises", ENDS)
@pytest.mark.parametrize("said", SAID)
def test_whatever_is_raised_by_reading_it_the_worker_goes_on(
    shop: Shop, said: str, raises: type[BaseException]
) -> None:
    """Also where it would end a program."""
    check_it_failed(shop, lambda _: SAID[said](raises))


@pytest.mark.parametrize("said", SAID)
def test_it_goes_on_where_the_handler_is_async(shop: Shop, said: str) -> None:
    """The loop that all async handlers share is not ended."""

    async def handler(_: Attempt) -> Any:
        return SAID[said](KeyboardInterrupt)

    check_it_failed(shop, handler)


class Endless(list[int]):
    """A list that never ends."""

    def __iter__(self) -> Iterator[int]:
        while True:
            yield 0


@pytest.mark.parametrize("made", [lambda: Endless([1]), lambda: ["x"] * 10_000_000, lambda: "x" * 50_000_000])
def test_what_is_far_too_large_is_refused_early(shop: Shop, made: Callable[[], Any]) -> None:
    """It is not walked to its end, which may never come."""
    run = shop.submit(beside("a", retry=policy(1)))
    work(shop, {"a": lambda _: made()})
    (failed,) = shop.facts(e.AttemptFailed)
    assert (failed.failure.kind, "more than 1048576 bytes" in failed.failure.reason) == ("invalid_output", True)
    assert shop.run_status(run) == "failed"


class Interrupting(dict[str, Any]):
    """A value during whose reading an operator presses Ctrl-C."""

    def items(self) -> Any:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return super().items()


def test_a_real_interrupt_still_stops_the_worker(shop: Shop) -> None:
    """It strikes in the worker's thread, and the run is given back."""
    run = shop.submit()
    with pytest.raises(KeyboardInterrupt):
        worker_of(shop, {"a": lambda _: Interrupting(a=1)}).run()
    assert shop.run_status(run) in ("queued", "completed")
