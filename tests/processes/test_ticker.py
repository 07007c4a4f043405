"""The ticker: once, for everybody or for a tenant, and on a timer that survives bad days."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from redrive import Conflict, InvalidValue, StorageError, Tenant, Ticker
from redrive.domain.dead_letter.judge import Act
from redrive.domain.run import events as e
from redrive.domain.run.holder import Holder
from redrive.processes import services
from redrive.processes import ticker as ticker_module
from redrive.processes.host import is_gone, this_process
from tests.ledger.world import put_raw
from tests.processes.redrives import ONCE, request
from tests.processes.workshop import ACME, ONE, Shop, logged, until


def a_dead_process(shop: Shop) -> Holder:
    """From now on this engine claims as a process that is gone."""
    here = shop.engine.services.holder
    assert here is not None
    gone = replace(here, started=here.started - 1)
    shop.engine.services = replace(shop.engine.services, holder=gone)
    return gone


def test_a_claim_of_a_dead_process_is_taken_at_once(shop: Shop) -> None:
    """Its pid may have been given to another: the start time tells. The live lease does not matter."""
    gone = a_dead_process(shop)
    claim = shop.begin()
    assert is_gone(gone)
    with logged() as lines:
        assert shop.engine.tick().reclaimed == [claim.run_id]
    (abandoned,) = shop.facts(e.ClaimAbandoned)
    assert (abandoned.why, abandoned.expires_at_ms > shop.now) == ("process_gone", True)
    told = [line for line in lines if line["event"] == "run.claim_abandoned"]
    assert [(line["tenant"], line["worker"], line["why"]) for line in told] == [(str(ACME), "w", "process gone")]


def test_what_ran_before_the_last_boot_is_gone(shop: Shop) -> None:
    """Nothing of this host survived its restart: no lease has to be waited for."""
    shop.engine.services = replace(shop.engine.services, holder=replace(a_dead_process(shop), boot="before"))
    claim = shop.begin()
    assert shop.engine.tick().reclaimed == [claim.run_id]


@pytest.mark.parametrize("elsewhere", [{"host": "elsewhere"}, {"namespace": "elsewhere"}])
def test_a_process_of_another_host_is_left_to_its_lease(shop: Shop, elsewhere: dict[str, Any]) -> None:
    """Nobody here can know whether it is gone."""
    shop.engine.services = replace(shop.engine.services, holder=replace(a_dead_process(shop), **elsewhere))
    claim = shop.begin()
    assert shop.engine.tick().reclaimed == []
    shop.now = claim.expires_at_ms
    assert shop.engine.tick().reclaimed == [claim.run_id]


def test_a_claim_of_a_live_process_is_left_alone(shop: Shop) -> None:
    """This very process, for one."""
    shop.begin()
    here = this_process()
    assert here is not None
    assert not is_gone(here)
    assert shop.engine.tick().reclaimed == []


def test_a_tenants_tick_serves_that_tenant(shop: Shop) -> None:
    """The engine's own serves everybody."""
    a_dead_process(shop)
    ours = shop.begin()
    other = shop.engine.for_tenant(Tenant("other"))
    theirs = other.submit(ONE, automation="x")
    other.claim_many(1, worker="w", start=True)
    assert other.tick().reclaimed == [theirs]
    assert shop.engine.tick().reclaimed == [ours.run_id]


def test_more_than_a_page_is_reclaimed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one tick."""
    monkeypatch.setattr(services, "PAGE", 2)
    for _ in range(5):
        shop.submit()
    shop.acme.claim_many(5, worker="w", start=True)
    shop.now += 10_000_000
    assert len(shop.engine.tick().reclaimed) == 5


def teleported(shop: Shop, stream: str) -> None:
    """A newer version of redrive adds an event that this one does not know."""
    put_raw(str(shop.path), stream, "run.teleported/1", b"{}", ACME, shop.now)


def test_what_cannot_be_read_keeps_no_other_from_being_reclaimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a page of expired claims that a newer version wrote to: the tick goes on beyond them."""
    monkeypatch.setattr(services, "PAGE", 2)
    shop = Shop(tmp_path / "log.db")
    for claim in [shop.begin() for _ in range(5)]:
        teleported(shop, claim.run_id)
    readable = shop.begin().run_id
    shop.now += 10_000_000
    assert shop.engine.tick().reclaimed == [readable]
    shop.engine.close()


def test_what_cannot_be_read_keeps_no_effect_from_expiring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a page of them: the tick goes on beyond them."""
    monkeypatch.setattr(services, "PAGE", 2)
    shop = Shop(tmp_path / "log.db")
    for n in range(6):
        shop.acme.begin_effect(None, str(n), operation="pay")
    *lost, last = [row.subject for row in shop.engine.ledger.agenda_rows() if row.kind == "effect"]
    for effect in lost:
        teleported(shop, effect)
    shop.now += 10_000_000
    assert shop.engine.tick().lost_effects == [last]
    shop.engine.close()


def test_a_reclaim_is_swept_in_the_same_tick(shop: Shop) -> None:
    """What fails for good by a reclaim, while it was retrying, is dispatched again when its backoff has ended."""
    letter = shop.letter(ONCE)
    shop.acme.request_retry(letter, actor="ana", reason="x")
    claim = shop.claim()
    shop.now = claim.expires_at_ms
    report = shop.engine.tick()
    assert (report.reclaimed, [act.act for act in report.sweep.acted]) == ([claim.run_id], [Act.DISPATCH])


def test_a_ticker_ticks_until_it_is_stopped(shop: Shop) -> None:
    """And sweeps."""
    request(shop, shop.letter(ONCE))
    with Ticker(shop.engine, interval_ms=5):
        until(lambda: shop.facts(e.RunRequeued))
    shop.now += 10_000_000
    assert not [thread for thread in threading.enumerate() if thread.name == "redrive-ticker"]


@pytest.mark.parametrize("error", [StorageError("disk full"), Conflict("again and again")])
def test_a_ticker_survives_what_passes(shop: Shop, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """It is logged, and the next tick tries again."""
    request(shop, shop.letter(ONCE))
    real, calls = ticker_module.tick, []

    def tick(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) < 3:
            raise error
        return real(*arguments)

    monkeypatch.setattr(ticker_module, "tick", tick)
    with logged() as lines, Ticker(shop.engine, interval_ms=5):
        until(lambda: shop.facts(e.RunRequeued))
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["ticker.storage"] * 2


def test_a_tick_in_a_batch_is_refused(shop: Shop) -> None:
    """It is many commands, also when only one claim has expired."""
    shop.begin()
    shop.now += 10_000_000
    with shop.engine.batch() as batch, pytest.raises(InvalidValue, match="exactly one command"):
        batch.add(shop.acme.tick)
