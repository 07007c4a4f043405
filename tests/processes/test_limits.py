"""Limits: how many runs and attempts at a time; who waits, in which order, and what wakes them."""

from collections.abc import Callable

import pytest

from redrive import Claim, Flow, Limit, LimitReached, Node, NodeNotReady, RunId, Tenant
from redrive.domain.limits import LimitUse
from redrive.domain.run import events as e
from tests.processes.workshop import ACME, ANA, TIMEOUT, Shop, beside, chain, nothing_written, policy

BANK = beside("a", resource="bank")
OTHER = Tenant("other", "x", "y")


def limit(shop: Shop, scope: str, name: str = "", n: int | None = 1, **more: object) -> None:
    """Set a limit."""
    shop.engine.set_limit(Limit(scope, name, n, **more), **ANA)  # type: ignore[arg-type]


def claim(shop: Shop) -> Claim | None:
    """The next claim, whatever the tenant, with all of it started."""
    return next(iter(shop.engine.claim_many(1, worker="w", start=True)), None)


def finish(shop: Shop, claimed: Claim) -> None:
    """End every attempt of a claim well."""
    for attempt in claimed.attempts:
        shop.engine.for_tenant(attempt.tenant).complete_attempt(attempt)


def in_use(shop: Shop, key: str) -> int:
    """How much of a limit is in use."""
    return shop.engine.ledger.capacity().row(key).in_use


def test_a_total_of_one_lets_one_run_be_claimed(shop: Shop) -> None:
    """The claim says what it counted."""
    limit(shop, "total")
    first, second = shop.submit(), shop.submit()
    won = shop.claim()
    assert (won.run_id, claim(shop)) == (first, None)
    assert shop.facts(e.RunClaimed)[0].limits == (LimitUse("total", "concurrency", 1, 1),)
    finish(shop, won)
    assert shop.claim().run_id == second


def test_many_claims_in_one_commit_stay_within_the_total(shop: Shop) -> None:
    """What a command has claimed counts at once."""
    limit(shop, "total", n=2)
    for _ in range(5):
        shop.submit()
    assert len(shop.engine.claim_many(5, worker="w")) == 2


def test_a_tenant_at_its_limit_does_not_block_others(shop: Shop) -> None:
    """The queue goes on behind it."""
    limit(shop, "tenant", str(ACME))
    for _ in range(30):
        shop.submit()
    theirs = shop.engine.for_tenant(OTHER).submit(beside("a"), automation="x")
    assert [c.tenant for c in shop.engine.claim_many(9, worker="w")] == [ACME, OTHER]
    assert shop.engine.for_tenant(OTHER).run(theirs).status == "running"


def test_one_slot_of_a_resource_starts_one_attempt(shop: Shop) -> None:
    """Side by side in one run, the other node waits within it."""
    limit(shop, "resource", "bank")
    won = shop.begin(beside("a", "b", resource="bank"))
    assert [attempt.node for attempt in won.attempts] == ["a"]
    assert shop.facts(e.AttemptStarted)[0].limits == (LimitUse("resource:bank", "concurrency", 1, 1),)
    assert shop.acme.start_attempts(won) == []
    refused = nothing_written(shop, LimitReached, lambda: shop.acme.start_attempt(won, "b"))
    assert "resource:bank" in str(refused)
    finish(shop, won)
    assert [attempt.node for attempt in shop.acme.start_attempts(won)] == ["b"]


def test_a_start_without_room_is_refused_only_after_other_reasons(shop: Shop) -> None:
    """Allowed, refused, nothing happened; a node that is not ready is told so first."""
    limit(shop, "resource", "bank")
    won = shop.begin(chain("a", "b", resource="bank"))
    nothing_written(shop, NodeNotReady, lambda: shop.acme.start_attempt(won, "b"))
    finish(shop, won)
    assert shop.acme.start_attempt(won, "b").number == 1


def test_a_run_without_room_waits_without_a_due_time(shop: Shop) -> None:
    """It is met once, not by every claim."""
    limit(shop, "resource", "bank")
    shop.begin(BANK)
    waiting = shop.submit(BANK)
    before = shop.engine.ledger.last_position()
    assert [claim(shop) for _ in range(3)] == [None, None, None]
    assert shop.engine.ledger.last_position() == before + 1
    (queued,) = shop.facts(e.RunQueued)
    assert (queued.reason, queued.due_ms, queued.limits[0].limit) == ("resource_lock", None, "resource:bank")
    assert shop.run_status(waiting) == "queued"


def test_the_queue_names_the_limits_that_each_run_waits_for(shop: Shop) -> None:
    """Two of them, one, and none any more; also in views that are folded anew."""
    limit(shop, "resource", "bank")
    limit(shop, "provider", "mail")
    won = shop.begin(beside("a", resource="bank", provider="mail"))
    both = shop.submit(beside("a", resource="bank", provider="mail"))
    bank = shop.submit(BANK)
    assert claim(shop) is None
    found = {entry.run_id: sorted(entry.held_by) for entry in shop.acme.queue("limited").items}
    assert found == {both: ["provider:mail", "resource:bank"], bank: ["resource:bank"]}
    finish(shop, won)
    assert shop.claim().run_id == both
    assert [entry.held_by for entry in shop.acme.queue("running").items] == [()]
    shop.engine.views.rebuild()
    assert [entry.held_by for entry in shop.acme.queue("limited").items] == [("resource:bank",)]


def test_the_oldest_waiter_comes_first(shop: Shop) -> None:
    """One freed slot, one claim; also before a run that never waited."""
    limit(shop, "resource", "bank")
    won = shop.begin(BANK)
    runs = [shop.submit(BANK) for _ in range(3)]
    assert claim(shop) is None
    runs.append(shop.submit(BANK))
    order: list[RunId] = []
    for _ in runs:
        finish(shop, won)
        won = shop.claim()
        order.append(won.run_id)
        assert claim(shop) is None
    assert order == runs


def test_several_freed_slots_wake_several(shop: Shop) -> None:
    """As many as there are slots."""
    limit(shop, "resource", "bank", n=2)
    first, second = shop.begin(BANK), shop.begin(BANK)
    for _ in range(4):
        shop.submit(BANK)
    assert claim(shop) is None
    finish(shop, first)
    finish(shop, second)
    assert len(shop.engine.claim_many(4, worker="w", start=True)) == 2


@pytest.mark.parametrize("change", ["raised", "removed"])
def test_a_limit_that_changes_at_run_time_frees_waiters(shop: Shop, change: str) -> None:
    """By an event, in the next transaction."""
    limit(shop, "resource", "bank")
    shop.begin(BANK)
    for _ in range(2):
        shop.submit(BANK)
    assert claim(shop) is None
    if change == "raised":
        limit(shop, "resource", "bank", 3)
    else:
        shop.engine.remove_limit("resource", "bank", **ANA)
    assert len(shop.engine.claim_many(4, worker="w", start=True)) == 2


def test_a_limit_counts_what_runs_already(shop: Shop) -> None:
    """Set while two run: nothing more starts until both have ended."""
    first, second = shop.begin(BANK), shop.begin(BANK)
    limit(shop, "resource", "bank")
    assert in_use(shop, "resource:bank") == 2
    shop.submit(BANK)
    finish(shop, first)
    assert claim(shop) is None
    finish(shop, second)
    assert claim(shop) is not None


def test_a_limit_of_zero_stops(shop: Shop) -> None:
    """Nothing of it is due until an operator changes it."""
    limit(shop, "resource", "bank", 0)
    shop.submit(BANK)
    assert claim(shop) is None
    assert shop.engine.ledger.next_work_ms(None, None, None) is None
    limit(shop, "resource", "bank", 1)
    assert claim(shop) is not None


def expire(shop: Shop, _won: Claim) -> None:
    """The lease ends, and somebody notices."""
    shop.now += 6_000
    shop.engine.tick()


ENDS: dict[str, Callable[[Shop, Claim], object]] = {
    "success": finish,
    "failure": lambda shop, won: shop.fail(*won.attempts),
    "backoff": lambda shop, won: shop.fail(*won.attempts, failure=TIMEOUT),
    "snooze": lambda shop, won: [shop.acme.snooze_attempt(a, 9_000) for a in won.attempts],
    "cancel": lambda shop, won: shop.acme.cancel(won.run_id, **ANA),
    "reclaim": expire,
}


@pytest.mark.parametrize("end", sorted(ENDS))
def test_whatever_ends_an_attempt_frees_its_slot(shop: Shop, end: str) -> None:
    """In the same transaction; nothing leaks."""
    limit(shop, "resource", "bank")
    limit(shop, "total")
    flow = beside("a", resource="bank", retry=policy(3, delay_ms=50_000))
    shop.submit(flow)
    won = shop.claim(lease_ms=5_000)
    assert (in_use(shop, "resource:bank"), in_use(shop, "total")) == (1, 1)
    ENDS[end](shop, won)
    assert (in_use(shop, "resource:bank"), in_use(shop, "total")) == (0, 0)
    shop.check()


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_a_waiter_that_leaves_is_passed(shop: Shop, verb: str) -> None:
    """The next in the line gets the slot; who comes back is served again."""
    limit(shop, "resource", "bank")
    won = shop.begin(BANK)
    leaving, staying = shop.submit(BANK), shop.submit(BANK)
    assert claim(shop) is None
    getattr(shop.acme, verb)(leaving, **ANA)
    finish(shop, won)
    won = shop.claim()
    assert won.run_id == staying
    if verb == "pause":
        shop.acme.resume(leaving, **ANA)
        assert claim(shop) is None
        finish(shop, won)
        assert shop.claim().run_id == leaving


def test_a_waiter_wakes_for_another_node_whose_backoff_ends(shop: Shop) -> None:
    """It does not sleep until the slot is freed."""
    limit(shop, "resource", "bank")
    flow = Flow([Node("a", resource="bank"), Node("c", retry=policy(3, delay_ms=50))])
    holder = shop.begin(BANK)
    won = shop.begin(flow)
    assert [attempt.node for attempt in won.attempts] == ["c"]
    shop.fail(*won.attempts, failure=TIMEOUT)
    assert shop.acme.start_attempts(won) == []
    assert shop.run_status(won.run_id) == "queued"
    shop.now += 50
    again = shop.claim()
    assert [attempt.node for attempt in again.attempts] == ["c"]
    finish(shop, holder)


def test_a_run_with_two_resources_is_not_starved(shop: Shop) -> None:
    """Passed over once, it is given what is freed next."""
    limit(shop, "resource", "r")
    limit(shop, "provider", "p")
    r, p = beside("a", resource="r"), beside("a", provider="p")
    r1, p1 = shop.begin(r), shop.begin(p)
    both = shop.submit(beside("a", resource="r", provider="p"))
    r2, p2, _r3, p3 = shop.submit(r), shop.submit(p), shop.submit(r), shop.submit(p)
    assert claim(shop) is None
    finish(shop, r1)
    won_r = shop.claim()
    assert won_r.run_id == r2
    finish(shop, p1)
    won_p = claim(shop)
    assert won_p is None or won_p.run_id in (p2, p3)
    finish(shop, won_r)
    if won_p is not None:
        finish(shop, won_p)
    assert shop.claim().run_id == both


def test_a_run_gives_way_between_its_nodes(shop: Shop) -> None:
    """A long chain does not keep a slot for itself: the waiter goes in between."""
    limit(shop, "resource", "bank")
    won = shop.begin(chain("a", "b", resource="bank"))
    waiter = shop.submit(BANK)
    assert claim(shop) is None
    shop.now += 1
    finish(shop, won)
    assert shop.acme.start_attempts(won) == []
    assert shop.run_status(won.run_id) == "queued"
    between = shop.claim()
    assert between.run_id == waiter
    finish(shop, between)
    assert shop.claim().run_id == won.run_id


def test_a_restart_knows_who_runs_and_who_waits(shop: Shop) -> None:
    """Rows are in the file; a rebuild gives the same."""
    limit(shop, "resource", "bank")
    won = shop.begin(BANK)
    waiter = shop.submit(BANK)
    assert claim(shop) is None
    shop.reopen()
    shop.engine.ledger.rebuild_agenda()
    assert claim(shop) is None
    finish(shop, won)
    assert shop.claim().run_id == waiter
