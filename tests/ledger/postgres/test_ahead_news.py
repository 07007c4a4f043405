"""Decided ahead of the lock by a process that heard the log a moment ago: what it has not heard since is not lost."""

import pytest

from redrive import Limit
from redrive.ledger import ahead
from tests.engine.outworld import Till
from tests.processes.workshop import ANA


@pytest.fixture(autouse=True)
def _heard_a_moment_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "STALE_S", 3_600)


def test_a_limit_that_was_set_since_holds(till: Till, other: Till) -> None:
    """It is heard when the agenda is looked at, after the claim began without limits."""
    till.submit()
    other.engine.set_limit(Limit("total", "", 0), **ANA)
    assert till.acme.claim(worker="w", start=True) is None
    assert till.engine.ledger.capacity().rows() == till.engine.ledger.capacity_from_log().rows
    till.check()
