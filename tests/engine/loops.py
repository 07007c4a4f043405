"""Short words for tests that have an event loop of their own."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redrive
from redrive import AsyncEngine, RunId
from tests.processes.workshop import ONE

Test = Callable[[AsyncEngine], Awaitable[Any]]


def on(url: str, test: Test, **options: Any) -> Any:
    """Run *test* with an engine, in an event loop of its own."""

    async def run() -> Any:
        async with redrive.open_async(url, **options) as engine:
            return await test(engine)

    return asyncio.run(run())


def submit(engine: AsyncEngine, n: int = 0) -> "asyncio.Task[RunId]":
    """Ask for a run, and do not wait."""
    return asyncio.create_task(engine.local.submit(ONE, automation="nightly", key=str(n)))


@contextmanager
def held(engine: AsyncEngine) -> Iterator[None]:
    """Nobody can commit meanwhile."""
    with engine.sync.ledger.committer.under_lock():
        yield


async def true(fact: Callable[[], object]) -> None:
    """Wait until *fact* holds; the event loop is free meanwhile."""
    async with asyncio.timeout(60):
        while not fact():  # noqa: ASYNC110 - threads set no events of a loop
            await asyncio.sleep(0.001)


async def begun(engine: AsyncEngine, commands: int) -> None:
    """Wait until so many commands wait for the log."""
    await true(lambda: len(engine.sync.ledger.committer._queue) == commands)


async def live(engine: AsyncEngine, n: int) -> None:
    """One run from its submission to its end."""
    await submit(engine, n)
    claim = await engine.local.claim(worker=f"w{n}", start=True)
    assert claim is not None
    await engine.local.complete_attempt(claim.attempts[0])
