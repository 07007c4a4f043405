"""What becomes ready in a run that waits for a limit: it does not stand in that line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from redrive import Approval, Flow, Limit, Node, RunId, Wait
from redrive.domain.run import events as e
from tests.processes.workshop import ANA, Shop, policy

BANK = Node("a", resource="bank")
ASK = Node("ask", approval=Approval("go?"), retry=policy(mode="dead_letter"))
REST = Node("ask", wait=Wait(delay_ms=500))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """An engine in which nobody may use the bank."""
    shop = Shop(tmp_path / "log.db")
    shop.engine.set_limit(Limit("resource", "bank", 0), **ANA)
    yield shop
    shop.check()
    shop.engine.close()


def held(shop: Shop, gate: Node, *more: Node) -> RunId:
    """A run of which the bank holds a back, while *gate* stands before b."""
    run = shop.submit(Flow([BANK, gate, Node("b", after=["ask"]), *more]))
    assert shop.acme.claim(worker="w", start=True) is None
    assert (shop.run_status(run), shop.facts(e.RunQueued)[-1].reason) == ("queued", "resource_lock")
    return run


def test_what_an_approval_makes_ready_starts_at_once(shop: Shop) -> None:
    """Making a node ready sets a queued run due now, also when another of its nodes waits for room."""
    run = held(shop, ASK)
    shop.acme.approve(run, "ask", **ANA)
    assert [attempt.node for attempt in shop.claim().attempts] == ["b"]


def test_what_a_timed_wait_makes_ready_starts_at_once(shop: Shop) -> None:
    """The ticker ends the wait, not whoever frees the limit."""
    held(shop, REST)
    shop.now += 500
    shop.engine.tick()
    assert [attempt.node for attempt in shop.claim().attempts] == ["b"]


def test_an_approval_that_makes_nothing_ready_keeps_the_place_in_line(shop: Shop) -> None:
    """A denial writes no RunQueued: the run waits for the bank as before."""
    run = held(shop, ASK, Node("c", after=["a"]))
    queued = len(shop.facts(e.RunQueued))
    assert shop.acme.deny(run, "ask", **ANA) == "queued"
    assert len(shop.facts(e.RunQueued)) == queued
