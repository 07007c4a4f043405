"""Tasks that async handlers begin, and the loop that they share: what one of them ends is nobody else's."""

import asyncio
from typing import Any

import pytest

from redrive import Attempt, AttemptError, EffectCall, Failure, Fatal, Handler, Rejected, Retry, Worker
from tests.processes.workshop import Shop, beside, policy, work


class Leaving:
    """Handlers of which one does *what* to the loop while the other works on."""

    def __init__(self, what: str) -> None:
        self.what, self.left = what, asyncio.Event()

    async def leave(self) -> None:
        """A task of a handler's own."""
        self.left.set()
        if self.what == "stop":
            asyncio.get_running_loop().stop()
        else:
            raise SystemExit(3) if self.what == "exit" else KeyboardInterrupt

    async def leaving(self, attempt: Attempt) -> None:
        """Wait for the task."""
        await asyncio.gather(self.leave())

    async def staying(self, attempt: Attempt) -> str:
        """Go on when the task has ended."""
        await self.left.wait()
        await asyncio.sleep(0.05)
        return "stayed"


@pytest.mark.parametrize(("what", "status"), [("exit", "failed"), ("interrupt", "failed"), ("stop", "succeeded")])
def test_a_task_of_a_handler_ends_the_loop_for_nobody(shop: Shop, what: str, status: str) -> None:
    """A loop ends for a task that exits: every async handler of the worker hung, for ever."""
    handlers = Leaving(what)
    run = shop.submit(beside("leaving", "staying"))
    work(shop, {"leaving": handlers.leaving, "staying": handlers.staying})
    assert shop.node(run, "staying").output == "stayed"
    assert shop.node(run, "leaving").status == status


async def after(said: BaseException) -> None:
    """A task that fails, once every other one has begun."""
    await asyncio.sleep(0)
    raise said


def together(*said: BaseException) -> Handler:
    """A handler whose tasks fail in one group of another."""

    async def handler(_attempt: Attempt) -> None:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(after(BaseExceptionGroup("inner", [said[0]])))
            for more in said[1:]:
                outer.create_task(after(more))

    return handler


LATER = Retry("busy", delay=7_000)
AUTH = AttemptError(Failure("provider_auth", "401", kind="expired"))
MEANT: list[tuple[tuple[BaseException, ...], tuple[str, str | None], str]] = [
    ((Fatal("no such shop", failure_class="validation_error"),), ("validation_error", "fatal"), "not_retryable"),
    ((ConnectionError("down"),), ("provider_transient", "provider_connect_timeout"), "retry_scheduled"),
    ((LATER,), ("provider_transient", "retry"), "retry_scheduled"),
    ((LATER, Fatal("declined")), ("execution_error", "fatal"), "not_retryable"),
    ((LATER, AUTH), ("provider_auth", "expired"), "not_retryable"),
    ((LATER, ValueError("a bug")), ("execution_error", "ValueError"), "retry_allowed"),
    ((ValueError("first"), KeyError("second")), ("execution_error", "ValueError"), "retry_allowed"),
]


@pytest.mark.parametrize(("said", "failure", "verdict"), MEANT, ids=range(len(MEANT)))
def test_what_a_task_group_raises_is_what_its_tasks_meant(
    shop: Shop, said: tuple[BaseException, ...], failure: tuple[str, str | None], verdict: str
) -> None:
    """Of several, what hopes least: a Fatal that came in a group was tried again."""
    run = shop.submit(beside("a", retry=policy(3)))
    Worker(shop.engine, {"a": together(*said)}).run_until_idle(wait=False)
    failed = next(entry.data for entry in shop.acme.history(run).items if entry.topic == "run.attempt-failed")
    decision: Any = failed["decision"]
    assert (decision["failure"]["failure_class"], decision["failure"]["kind"]) == failure
    assert decision["verdict"] == verdict


def test_an_effect_that_is_rejected_in_a_task_group_is_not_sent_again(shop: Shop) -> None:
    """The class that its send names holds, whoever waits for it."""
    asked: list[int] = []

    async def declined(call: EffectCall) -> None:
        asked.append(call.try_number)
        raise Rejected("declined", failure_class="provider_rejected")

    async def pay(attempt: Attempt) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(attempt.effect_async("invoice", operation="pay", send=declined))

    run = shop.submit(beside("a", retry=policy(3)))
    work(shop, {"a": pay})
    assert (shop.run_status(run), asked) == ("failed", [1])
    assert shop.node(run).failure_class == "provider_rejected"
