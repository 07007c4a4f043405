"""What was sent is recorded, whoever is cancelled and whatever is closed meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive import EffectCall, EngineClosed
from tests.stores import log_url


class Service:
    """It answers when it is told to."""

    def __init__(self) -> None:
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def send(self, _call: EffectCall) -> dict[str, Any]:
        """Do it, and answer late."""
        self.asked.set()
        await self.answer.wait()
        return {"id": 1}


def statuses(path: Path) -> list[str]:
    """Where the effects of a log stand."""
    with redrive.open(log_url(path)) as engine:
        return [effect.status for effect in engine.local.effects().items]


def test_closing_waits_for_what_is_being_sent(tmp_path: Path) -> None:
    """Its outcome is recorded; nothing new begins."""

    async def story() -> Any:
        service = Service()
        engine = await redrive.open_async(log_url(tmp_path / "log.db"))
        sending = asyncio.create_task(engine.local.effect("k", operation="pay", send=service.send))
        await service.asked.wait()
        closing = asyncio.create_task(engine.close())
        await asyncio.sleep(0.05)
        with pytest.raises(EngineClosed):
            await engine.local.effect("other", operation="pay", send=service.send)
        service.answer.set()
        await closing
        return await sending

    assert asyncio.run(story()) == {"id": 1}
    assert statuses(tmp_path / "log.db") == ["succeeded"]


def test_a_commit_that_was_begun_outlives_its_cancellation(tmp_path: Path) -> None:
    """Cancelled while it sends: unknown; that is recorded before the cancellation is told."""

    async def story() -> None:
        service = Service()
        async with redrive.open_async(log_url(tmp_path / "log.db")) as engine:
            sending = asyncio.create_task(engine.local.effect("k", operation="pay", send=service.send))
            await service.asked.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending

    asyncio.run(story())
    assert statuses(tmp_path / "log.db") == ["unknown"]
