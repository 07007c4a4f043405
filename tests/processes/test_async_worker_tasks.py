"""Tasks that async handlers begin, and the loop that they share: what one of them ends is nobody else's."""

import asyncio

import pytest

from redrive import Attempt
from tests.processes.workshop import Shop, beside, work


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
