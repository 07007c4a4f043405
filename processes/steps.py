"""Steps: what must happen one after the other, driven by a thread or by asyncio; the same steps for both."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

from redrive.domain.failure import EXECUTION_ERROR
from redrive.domain.ports import Caller, Ledger, Transaction
from redrive.processes.handlers import NotSent

Step: TypeAlias = Callable[[], Any]
"""A call of a function of the host's, sync or async."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A step that writes to the log."""

    caller: Caller
    command: Callable[[Transaction], Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """A step that waits."""

    seconds: float


InThread: TypeAlias = Callable[..., Awaitable[Any]]
Steps: TypeAlias = Generator[Commit | Pause | Step, Any, Any]


def drive(ledger: Ledger, steps: Steps) -> Any:
    """Take *steps* in this thread; what a step raises is raised in them, and they decide what it means."""
    turn: Callable[[], Any] = lambda: next(steps)  # noqa: E731
    while True:
        try:
            step = turn()
        except StopIteration as end:
            return end.value
        try:
            match step:
                case Commit():
                    answer = ledger.transact(step.caller, step.command)
                case Pause():
                    time.sleep(step.seconds)
                    answer = None
                case _:
                    answer = finished(step())
        except BaseException as error:  # noqa: BLE001
            turn = _thrower(steps, error)
        else:
            turn = _sender(steps, answer)


async def drive_async(ledger: Ledger, steps: Steps, in_thread: InThread = asyncio.to_thread) -> Any:
    """As ``drive``; commits run *in_thread*, and the host's functions may be coroutine functions."""
    turn: Callable[[], Any] = lambda: next(steps)  # noqa: E731
    while True:
        try:
            step = turn()
        except StopIteration as end:
            return end.value
        try:
            match step:
                case Commit():
                    answer = await _to_its_end(in_thread(ledger.transact, step.caller, step.command))
                case Pause():
                    answer = await asyncio.sleep(step.seconds, None)
                case _:
                    answer = step()
                    if inspect.isawaitable(answer):
                        answer = await answer
        except BaseException as error:  # noqa: BLE001
            turn = _thrower(steps, error)
        else:
            turn = _sender(steps, answer)


async def _to_its_end(commit: Awaitable[Any]) -> Any:
    """What *commit* returns. Whoever is cancelled meanwhile stays for it: what was sent must not go unrecorded."""
    task = asyncio.ensure_future(commit)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except BaseException:  # noqa: BLE001 - told below
            break
    answer = task.result()
    if cancelled is not None:
        raise cancelled
    return answer


def finished(answer: Any) -> Any:
    """What a function of the host's returned; for a coroutine function, once it has.

    Raises NotSent for a coroutine where a loop runs already: it was not even begun.
    """
    if not inspect.isawaitable(answer):
        return answer
    if inspect.iscoroutine(answer) and _in_a_loop():
        answer.close()
        raise NotSent("an async function needs effect_async in an async handler", failure_class=EXECUTION_ERROR)
    return asyncio.run(awaited(answer))


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def awaited(answer: Awaitable[Any]) -> Any:
    """What *answer* comes to: ``asyncio.run`` takes coroutines only."""
    return await answer


def _sender(steps: Steps, answer: Any) -> Callable[[], Any]:
    return lambda: steps.send(answer)


def _thrower(steps: Steps, error: BaseException) -> Callable[[], Any]:
    return lambda: steps.throw(error)
