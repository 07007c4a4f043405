"""A worker of a process that inherited its engine: it says so and ends, instead of waiting for storage for ever."""

import os

import pytest

from redrive import EngineClosed, Worker
from tests.processes.workshop import Shop


@pytest.mark.sqlite_only
def test_a_worker_with_the_engine_of_its_parent_ends(shop: Shop) -> None:
    """Web servers fork after they have imported an application; its parent's log is as sound as before."""
    run = shop.submit()
    child = os.fork()
    if child == 0:
        ended = 1
        try:
            Worker(shop.engine, {"a": lambda attempt: None}).run_until_idle(wait=False)
        except EngineClosed as error:
            ended = 0 if "opened before a fork" in str(error) else 2
        finally:
            os._exit(ended)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    Worker(shop.engine, {"a": lambda attempt: None}).run_until_idle()
    assert shop.acme.run(run).status == "completed"
