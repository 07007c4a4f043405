"""Approvals and timed waits, and the workers that come to them."""

import time
from pathlib import Path

import pytest

import redrive
from redrive import Approval, Flow, Node, Wait, Worker
from tests.processes.workshop import ANA, Shop, policy, told_when_a_worker_waits, until, work, working
from tests.stores import log_url

ASK = Node("ask", approval=Approval("publish?"), retry=policy(mode="dead_letter"))


def test_a_worker_ends_waits_and_stops_at_an_approval(shop: Shop) -> None:
    """It works up to what a person must decide, and does not wait for that person, nor for the expiry."""
    flow = Flow([Node("a"), Node("rest", after="a", wait=Wait(delay_ms=0)), Node("b", after="rest")])
    asked = shop.submit(Flow([Node("a"), Node("ask", after="a", approval=Approval("?", timeout_ms=60_000))]))
    run = shop.submit(flow)
    work(shop, {"a": lambda _: None, "b": lambda _: None})
    assert (shop.run_status(run), shop.run_status(asked)) == ("completed", "awaiting_approval")


def test_run_until_idle_waits_for_a_timed_wait(tmp_path: Path) -> None:
    """With the real clock, and long before the next tick or look would come."""
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        flow = Flow([Node("rest", wait=Wait(delay_ms=150)), Node("b", after="rest")])
        begun = time.monotonic()
        run = engine.local.submit(flow, automation="a")
        Worker(engine, {"b": lambda _: None}, tick_ms=600_000, poll_ms=600_000).run_until_idle()
        assert engine.local.run(run).status == "completed"
        assert 0.1 < time.monotonic() - begun < 200


def test_a_working_worker_hears_of_an_approval_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a run that it holds, long before it would look again by itself."""
    flow = Flow([Node("a"), ASK, Node("b", after="ask")])
    go_on, ran, waits = [False], list[str](), told_when_a_worker_waits(monkeypatch, busy=True)

    def a(_: object) -> None:
        until(lambda: go_on[0])

    with working(shop, {"a": a, "b": lambda _: ran.append("b")}, poll_ms=3_600_000, tick_ms=3_600_000):
        run = shop.submit(flow)
        until(waits.is_set)
        shop.acme.approve(run, "ask", **ANA)
        until(lambda: ran)
        go_on[0] = True
        until(lambda: shop.run_status(run) == "completed")
