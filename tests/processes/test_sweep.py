"""The sweep, step by step in the order of its contract, on a clock that tests move."""

from itertools import pairwise

import pytest

from redrive import Engine, RunId, SweepReport
from redrive.domain.dead_letter import events as dl
from redrive.domain.dead_letter.judge import Act
from redrive.domain.ports import START, DueKey
from redrive.processes.sweep import sweep
from tests.processes.redrives import AGAIN, ONCE, acts, exhaust, request, retrying
from tests.processes.workshop import ANA, FINAL, Shop, beside, policy

# 1 to 4: who is a candidate


@pytest.mark.parametrize("step", [None, "ignore", "abandon", "resolve"])
def test_1_what_nobody_wants_retried_is_untouched(shop: Shop, step: str | None) -> None:
    """Open and settled ones are no candidates: the sweep does not even look at them."""
    letter = shop.letter()
    if step:
        getattr(shop.acme, step)(letter, **ANA)
    assert shop.engine.sweep() == SweepReport()


def test_2_a_tenants_sweep_leaves_the_others_alone(shop: Shop) -> None:
    """Only the engine's own sweep serves all of them."""
    request(shop, shop.letter())
    assert shop.engine.local.sweep() == SweepReport()
    assert acts(shop.engine.sweep()) == [Act.DISPATCH]


def test_3_what_succeeded_in_an_older_log_is_resolved(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log whose successes did not resolve: the run is untouched, also when it is blocked by another node."""
    claim = shop.begin(beside("a", "b", retry=policy(1, "dead_letter")))
    shop.fail(*claim.attempts)
    a, b = (shop.letter_of(claim.run_id, node) for node in ("a", "b"))
    request(shop, a)
    shop.engine.sweep()
    monkeypatch.setattr("redrive.processes.reports.dead_letter_success", lambda *_: None)
    shop.of_other_code = True
    shop.acme.complete_attempt(shop.claim().attempts[0])
    version = shop.acme.show(claim.run_id).events
    shop.now += 300_000
    assert acts(shop.engine.sweep()) == [Act.RESOLVE]
    assert (shop.status(a), shop.status(b), shop.acme.show(claim.run_id).events) == ("resolved", "open", version)


@pytest.mark.parametrize("move", ["claimed", "paused", "cancelled"])
def test_4_a_run_that_is_not_failed_or_blocked_is_untouched(shop: Shop, move: str) -> None:
    """Running, paused or cancelled: nothing is dispatched, nothing is parked, however often the sweep looks."""
    letter = retrying(shop)
    run = RunId(shop.acme.dead_letter(letter).run_id)
    if move == "claimed":
        shop.acme.recover(run, **ANA)
        shop.claim()
    else:
        (shop.acme.pause if move == "paused" else shop.acme.cancel)(run, **ANA)
    shop.now += 300_000
    assert shop.engine.sweep() == SweepReport()
    assert shop.status(letter) == "retrying"


def test_4_comes_before_the_budget(shop: Shop) -> None:
    """The last retry in flight is not parked; when it fails, it is."""
    letter = exhaust(shop, dispatches=4)
    shop.engine.sweep()
    claim = shop.claim()
    shop.now += 300_000
    assert shop.engine.sweep() == SweepReport()
    shop.fail(*claim.attempts, failure=AGAIN)
    assert acts(shop.engine.sweep()) == [Act.PARK]
    assert shop.status(letter) == "parked"


# 5: the budget


def test_5_a_spent_budget_parks_and_leaves_the_run_alone(shop: Shop) -> None:
    """RetryExhausted, by the system, once: a parked dead letter is not looked at again."""
    letter = exhaust(shop)
    run = shop.acme.dead_letter(letter).run_id
    events = shop.acme.show(RunId(run)).events
    assert acts(shop.engine.sweep()) == [Act.PARK]
    last = shop.engine.ledger.stream(letter)[-1]
    assert isinstance(last.event, dl.RetryExhausted)
    assert (last.event.dispatches, last.event.budget, last.event.disposition) == (5, 5, "retry_exhausted")
    assert (last.actor.kind, shop.acme.show(RunId(run)).events) == ("system", events)
    assert shop.engine.sweep() == SweepReport()


def test_5_dispatches_count_across_recurrences_and_requests(shop: Shop) -> None:
    """A failure that is not retryable ends retrying; the next request goes on counting."""
    letter = shop.letter(ONCE)
    for count in range(1, 6):
        shop.acme.request_retry(letter, **ANA)
        shop.now += 300_000
        shop.engine.sweep()
        assert shop.acme.dead_letter(letter).dispatches == count
        shop.fail_again(FINAL)
    with pytest.raises(Exception, match="used 5 of 5 dispatches"):
        shop.acme.request_retry(letter, **ANA)


def test_5_a_grant_renews_it(shop: Shop) -> None:
    """A parked one is dispatched again, exactly as often as was granted."""
    letter = exhaust(shop)
    shop.engine.sweep()
    shop.acme.grant_retries(letter, 2, **ANA)
    for count in (6, 7):
        shop.engine.sweep()
        assert shop.acme.dead_letter(letter).dispatches == count
        shop.fail_again(AGAIN)
        shop.now += 300_000
    shop.engine.sweep()
    assert shop.status(letter) == "parked"


def test_5_a_success_renews_it(shop: Shop) -> None:
    """What fails again later, after a success, has its whole budget."""
    letter = exhaust(shop)
    run = RunId(shop.acme.dead_letter(letter).run_id)
    shop.acme.grant_retries(letter, 1, **ANA)
    shop.acme.complete_attempt(shop.claim().attempts[0])
    assert (shop.status(letter), shop.run_status(run)) == ("resolved", "completed")
    shop.acme.reopen(letter, **ANA)
    assert shop.acme.dead_letter(letter).dispatches == 0


# 6: the backoff


def test_6_first_at_once_then_gaps_of_2_4_8_16_seconds(shop: Shop) -> None:
    """Not a millisecond early; and the fifth was the last."""
    request(shop, shop.letter(ONCE))
    gone_at = []
    while acts(shop.engine.sweep()) == [Act.DISPATCH]:
        gone_at.append(shop.now)
        shop.fail_again(AGAIN)
        shop.now = next_due(shop.engine) - 1
        assert shop.engine.sweep() == SweepReport()
        shop.now += 1
    assert [later - earlier for earlier, later in pairwise(gone_at)] == [2000, 4000, 8000, 16000]


def next_due(engine: Engine) -> int:
    """When the agenda has something."""
    return min(row.due_ms for row in engine.ledger.agenda_rows() if row.due_ms is not None)


def test_6_the_backoff_holds_after_a_grant_too(shop: Shop) -> None:
    """It allows more, not sooner."""
    letter = retrying(shop)
    shop.acme.grant_retries(letter, 1, **ANA)
    shop.now += 1_999
    assert shop.engine.sweep() == SweepReport()
    shop.now += 1
    assert acts(shop.engine.sweep()) == [Act.DISPATCH]
    assert shop.status(letter) == "retrying"


def test_6_a_clock_that_goes_back_dispatches_nothing_early(shop: Shop) -> None:
    """Due times are compared with the clock as it is."""
    retrying(shop)
    shop.now -= 500_000
    assert shop.engine.sweep() == SweepReport()


def test_a_worker_sweeps_page_by_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker renews its leases between pages; what is skipped on one page does not hide the next."""
    for module in ("ahead", "alone"):
        monkeypatch.setattr(f"redrive.ledger.{module}.PAGE", 2)
    request(shop, *(shop.letter(ONCE) for _ in range(5)))
    services, found = shop.engine.services, list[int]()
    after: DueKey | None = START
    while after is not None:
        report = sweep(services.ledger, None, services.policy_of, "test", pages=1, after=after)
        found.append(len(report.acted))
        after = report.rest
    assert found[:3] == [2, 2, 1]
    assert sum(found) == 5
