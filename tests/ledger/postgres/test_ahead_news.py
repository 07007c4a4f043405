"""Decided ahead of the lock by a process that heard the log a moment ago: what it has not heard since is not lost."""

from collections.abc import Iterator

import pytest

from redrive import Limit
from redrive.ledger import committer
from tests.engine.outworld import Till
from tests.processes.workshop import ANA, beside, running


@pytest.fixture(autouse=True)
def _heard_a_moment_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "STALE_S", 3_600)


def test_a_limit_that_was_set_since_holds(till: Till, other: Till) -> None:
    """It is heard when the agenda is looked at, after the claim began without limits."""
    till.submit()
    other.engine.set_limit(Limit("total", "", 0), **ANA)
    assert till.acme.claim(worker="w", start=True) is None
    assert till.engine.ledger.capacity().rows() == till.engine.ledger.capacity_from_log().rows
    till.check()


class Rival:
    """Handlers of a claimant; while they are looked at, another process wins the run that was read before."""

    def __init__(self, other: Till) -> None:
        self.other, self.left = other, 1

    def _win(self) -> None:
        self.other.acme.claim_many(1, worker="rival", start=True)

    def __contains__(self, _name: object) -> bool:
        if self.left:
            self.left -= 1
            with running(self._win):
                pass
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())


def test_a_run_that_another_won_between_two_looks(till: Till, other: Till) -> None:
    """It is no error of storage: all is decided again."""
    for _ in range(12):
        till.submit(beside("a"))
    claims = till.acme.claim_many(4, worker="w", start=True, handlers=Rival(other))
    assert len(claims) == 4
    till.check()
