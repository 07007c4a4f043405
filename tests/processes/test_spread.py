"""Claims where the ledger asks claimants to spread: which runs they take, and where they do not."""

from itertools import count
from typing import Any

import pytest

from redrive import Limit, RunId
from redrive.domain.ports import Caller
from redrive.ledger.reading import Reading
from redrive.processes.claimant import Claimant
from redrive.processes.leases import claiming
from tests.processes.workshop import ANA, Shop, work


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> int:
    """A ledger that decides optimistically would ask for this."""
    monkeypatch.setattr(Reading, "spread", 4)
    return 4


def submit(shop: Shop, runs: int) -> list[RunId]:
    """So many runs, the oldest first."""
    return [shop.submit() for _ in range(runs)]


def places(shop: Shop, line: list[RunId], claimant: Claimant, limit: int, turns: int) -> list[list[int]]:
    """Which places of the line each turn of *claimant* claims; all that it claimed stay claimed."""
    found = []
    for _ in range(turns):
        claims = shop.engine.ledger.transact(Caller(None), claiming(claimant, limit))
        found.append([line.index(claim.run_id) for claim in claims])
    return found


def test_without_a_spread_the_oldest_come_first(shop: Shop) -> None:
    """As on SQLite, where nobody else decides meanwhile."""
    line = submit(shop, 6)
    assert places(shop, line, Claimant("w"), 1, 3) == [[0], [1], [2]]


@pytest.mark.usefixtures("spread")
def test_a_claimant_goes_through_the_first_places(shop: Shop) -> None:
    """Its turns begin at one after the other; the head is taken within four."""
    line = submit(shop, 12)
    first = [place for (place,) in places(shop, line, Claimant("w", claims=count()), 1, 4)]
    assert 0 in first
    assert max(first) <= 6


@pytest.mark.usefixtures("spread")
def test_two_claimants_take_different_runs(shop: Shop) -> None:
    """When they look at the same line, which is when one of them would decide in vain."""
    line, names = submit(shop, 8), [f"worker-{number}" for number in range(8)]
    tried = {places(Snapshot(shop), line, Claimant(name), 1, 1)[0][0] for name in names}  # type: ignore[arg-type]
    assert len(tried) > 1


class Undone(Exception):
    """What was decided is not written."""


class Snapshot:
    """A shop whose claims are undone: each looks at the same line."""

    def __init__(self, shop: Shop) -> None:
        self.engine = self
        self.ledger = self
        self.shop = shop

    def transact(self, caller: Caller, command: Any) -> Any:
        """What *command* would have returned."""
        found: list[Any] = []

        def undone(tx: Any) -> None:
            found.extend(command(tx))
            raise Undone

        with pytest.raises(Undone):
            self.shop.engine.ledger.transact(caller, undone)
        return found


@pytest.mark.usefixtures("spread")
def test_batches_spread_by_whole_blocks(shop: Shop) -> None:
    """Three at a time begin at the head, or three, six or nine places behind it."""
    line = submit(shop, 12)
    claimed = places(shop, line, Claimant("w"), 3, 4)
    assert sorted(place for batch in claimed for place in batch) == list(range(12))
    assert all(batch[0] % 3 == 0 for batch in claimed[:1])


@pytest.mark.usefixtures("spread")
@pytest.mark.parametrize("limit", [Limit("resource", "db", concurrency=9), Limit("total", "", concurrency=9)])
def test_where_there_are_limits_nobody_spreads(shop: Shop, limit: Limit) -> None:
    """Their lines are served in order."""
    shop.engine.set_limit(limit, **ANA)
    line = submit(shop, 6)
    assert places(shop, line, Claimant("w"), 1, 3) == [[0], [1], [2]]


@pytest.mark.usefixtures("spread")
def test_one_run_is_claimed_wherever_it_stands(shop: Shop) -> None:
    """Who is there for one run takes that one."""
    line = submit(shop, 6)
    assert places(shop, line, Claimant("w", run=line[2]), 1, 2) == [[2], []]


@pytest.mark.usefixtures("spread")
@pytest.mark.parametrize("batch", [1, 16])
def test_a_worker_drains_the_line(shop: Shop, batch: int) -> None:
    """Nothing is left, whatever the order."""
    runs = submit(shop, 25)
    work(shop, {"a": lambda attempt: 1}, concurrency=2, batch=batch)
    assert {shop.run_status(run) for run in runs} == {"completed"}


@pytest.mark.usefixtures("spread")
def test_engines_count_their_claims(shop: Shop) -> None:
    """One by one, or many: in four turns the head is taken."""
    line = submit(shop, 12)
    for _ in range(2):
        shop.acme.claim(worker="w")
        shop.engine.claim_many(1, worker="w")
    assert shop.run_status(line[0]) == "running"
