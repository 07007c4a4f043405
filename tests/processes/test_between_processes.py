"""What belongs to the process that has the log open is not sent to another one, and says so."""

import pickle

import pytest

from tests.processes.workshop import Shop


def test_an_attempt_stays_where_its_log_is_open(shop: Shop) -> None:
    """A handler gave it to a pool, and was told of a lock. What it holds may go."""
    shop.submit(input={"amount": 4})
    (attempt,) = shop.claim().attempts
    with pytest.raises(TypeError, match="pass on what it holds, as its run_input"):
        pickle.dumps(attempt)
    assert pickle.loads(pickle.dumps(attempt.run_input)) == {"amount": 4}


def test_an_engine_stays_where_it_was_opened(shop: Shop) -> None:
    """As the argument of a process that is spawned; for one tenant, too."""
    for engine in (shop.engine, shop.acme):
        with pytest.raises(TypeError, match="open the log in the other one, too"):
            pickle.dumps(engine)
