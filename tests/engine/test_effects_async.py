"""Effects of coroutines, and of batches."""

import asyncio
from typing import Any

import pytest

from redrive import (
    InFlight,
    InvalidValue,
    NotSent,
)
from tests.engine.outworld import PAY, Till, refusing
from tests.processes.workshop import work


@pytest.fixture
def opened_with() -> dict[str, Any]:
    """Neither gate nor reconciler."""
    return {}


def test_an_async_handler_sends_with_effect_async(till: Till) -> None:
    """The same steps, with coroutines; the loop is not blocked by commits."""

    async def send(call: Any) -> Any:
        await asyncio.sleep(0)
        return till.world.pay(call)

    async def handler(attempt: Any) -> Any:
        return [await attempt.effect_async("k", send=send, **PAY) for _ in range(2)]

    run = till.submit()
    work(till, {"a": handler})
    assert till.node(run).status == "succeeded"
    assert list(till.world.done.values()) == [1]


def test_a_cancelled_coroutine_leaves_an_unknown_outcome(till: Till) -> None:
    """Cancelled in the middle of the call."""

    async def story() -> None:
        asked = asyncio.Event()

        async def send() -> None:
            asked.set()
            await asyncio.Event().wait()

        sending = asyncio.create_task(attempt.effect_async("k", send=send, **PAY))
        await asked.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    attempt = till.paying()
    asyncio.run(story())
    assert till.effects()[0].status == "unknown"


def test_a_coroutine_in_a_blocking_call_was_not_sent(till: Till) -> None:
    """The handler is told what to use instead; outside a loop it is simply run."""

    async def send(call: Any) -> Any:
        return till.world.pay(call)

    async def wrong(attempt: Any) -> None:
        with refusing(NotSent, "effect_async"):
            till.pay(attempt, send=send)

    attempt = till.paying()
    asyncio.run(wrong(attempt))
    assert till.effects()[0].status == "failed"
    assert till.pay(attempt, send=send) == {"charge": 1}


def test_batches_begin_and_report_but_never_send(till: Till) -> None:
    """An intent is durable before the call: within a batch it would not be."""
    attempt = till.paying()
    with till.engine.batch() as batch:
        begun = [batch.add(till.acme.begin_effect, attempt, key, **PAY) for key in "xyx"]
        with refusing(InvalidValue, "begin_effect"):
            batch.add(till.acme.effect, "k", send=till.world.pay, **PAY)
    with refusing(InFlight):
        begun[2].result()
    with till.engine.batch() as batch:
        for pending in begun[:2]:
            batch.add(till.acme.effect_succeeded, pending.result(), 1)
    assert [effect.status for effect in till.effects()] == ["succeeded", "succeeded"]
    assert not till.world.done
