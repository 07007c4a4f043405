"""Batches of coroutines' commands: one commit, and nothing but commands."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from redrive import AsyncEngine, InvalidValue, KeyReused
from tests.engine.loops import on, submit
from tests.processes.workshop import ONE
from tests.stores import log_url


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A log that does not exist yet."""
    return log_url(tmp_path / "log.db")


def test_a_batch_is_one_commit(url: str) -> None:
    """One refusal harms no other."""

    async def test(engine: AsyncEngine) -> None:
        await engine.local.submit(ONE, automation="nightly", key="k", input=1)
        async with engine.batch() as batch:
            good = [batch.add(engine.local.submit, ONE, automation="nightly") for _ in range(5)]
            reused = batch.add(engine.local.submit, ONE, automation="nightly", key="k", input=2)
        assert len({pending.result() for pending in good}) == 5
        with pytest.raises(KeyReused):
            reused.result()
        assert engine.sync.ledger.committer.commits == 2

    on(url, test)


async def fails_in_its_block(engine: AsyncEngine) -> None:
    """A batch that is left by an error."""
    async with engine.batch() as batch:
        batch.add(engine.local.submit, ONE, automation="nightly")
        raise KeyError


def test_a_batch_that_fails_in_its_block_commits_nothing(url: str) -> None:
    """Nor does one that was cancelled there."""

    async def test(engine: AsyncEngine) -> None:
        with pytest.raises(KeyError):
            await fails_in_its_block(engine)
        assert engine.sync.ledger.last_position() == 0

    on(url, test)


def test_a_batch_takes_commands_only(url: str) -> None:
    """A query, several commands, a method of the engine for threads, or a function is refused where it is added."""

    async def test(engine: AsyncEngine) -> None:
        run = await submit(engine)
        wrongs: list[Any] = [partial(engine.local.run, run), engine.local.counts, engine.local.whole_history]
        for wrong in [*wrongs, engine.sync.local.submit, engine.local.tick]:
            async with engine.batch() as batch:
                with pytest.raises(InvalidValue):
                    batch.add(wrong)

    on(url, test)
