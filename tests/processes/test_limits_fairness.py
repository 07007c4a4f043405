"""Fairness among workers with different handlers: an older waiter gets what is freed, if somebody looks for it."""

from pathlib import Path

import pytest

from redrive import Claim, Flow, Limit, Node, Rate
from redrive.domain.ports import Caller
from redrive.ledger.expected import EXPECTED_MS, expected_for_ms
from redrive.processes.claimant import Claimant
from redrive.processes.leases import claiming
from tests.engine.test_hard_cases_unknown import add_unknown
from tests.processes.workshop import ACME, ANA, Shop, work
from tests.stores import outside

MAIL = Limit("provider", "mail", 1)
TOTAL = Limit("total", "", 1)
SLOW = Limit("provider", "mail", None, Rate(1, 1_000))
STEP_MS = 100


def flow(handler: str) -> Flow:
    """One node that needs the mail."""
    return Flow([Node("n", handler=handler, provider="mail")])


def look(shop: Shop, *handlers: str, most: int = 1) -> Claim | None:
    """What a worker with these handlers wins and starts."""
    command = claiming(Claimant("w", handlers=set(handlers)), 1, most)
    return next(iter(shop.engine.ledger.transact(Caller(ACME), command)), None)


def end(shop: Shop, claim: Claim) -> None:
    """Report success."""
    shop.acme.complete_attempt(claim.attempts[0])


def start(shop: Shop, limit: Limit) -> tuple[Claim, str]:
    """A's run holds what there is of *limit*; B's waits, and is older than all that follows."""
    shop.engine.set_limit(limit, **ANA)
    shop.submit(flow("a"))
    claim = look(shop, "a")
    assert claim is not None
    shop.now += 1
    older = shop.submit(flow("b"))
    assert look(shop, "b") is None
    return claim, older


def passes(shop: Shop, claim: Claim | None, rounds: int, *, every: int = 1) -> tuple[int, str | None]:
    """How many younger runs of A start until B's turn comes, when B looks after each *every* of A's tries (0: never);
    and what B then gets. A ends its run and claims the next one at once."""
    done = 0
    for round_ in range(rounds):
        shop.now += STEP_MS
        shop.submit(flow("a"))
        if claim is not None:
            end(shop, claim)
        claim = look(shop, "a")
        done += claim is not None
        if every and round_ % every == 0 and (won := look(shop, "b")) is not None:
            return done, won.run_id
    return done, None


@pytest.mark.parametrize("limit", [MAIL, TOTAL, Limit("tenant", str(ACME), 1)], ids=lambda limit: limit.scope)
def test_an_older_waiter_of_another_worker_is_next(shop: Shop, limit: Limit) -> None:
    """Whatever is limited: whoever frees the slot does not take it again for a younger run."""
    claim, older = start(shop, limit)
    assert passes(shop, claim, 300) == (0, older)


def test_the_next_token_is_kept_for_the_older(shop: Shop) -> None:
    """A looks first when it comes, every time."""
    claim, older = start(shop, SLOW)
    done, won = passes(shop, claim, 300)
    assert (done, won) == (0, older)


def test_nobody_gives_way_to_what_nobody_looks_for(shop: Shop) -> None:
    """The worker of the older one has gone: that costs one moment, in all."""
    claim, _ = start(shop, MAIL)
    assert passes(shop, claim, 300, every=0) == (300 - EXPECTED_MS // STEP_MS + 1, None)


def test_a_handler_that_nobody_has_costs_nothing(shop: Shop) -> None:
    """It waits in the queue; nobody asked for it."""
    shop.engine.set_limit(MAIL, **ANA)
    shop.submit(flow("nobody's"))
    shop.now += 1
    shop.submit(flow("a"))
    assert passes(shop, look(shop, "a"), 50, every=0) == (50, None)


def test_a_worker_that_has_all_handlers_gives_way_to_nobody(shop: Shop) -> None:
    """It serves who is oldest by itself, without a pause."""
    claim, older = start(shop, MAIL)
    end(shop, claim)
    won = look(shop, "a", "b")
    assert won is not None
    assert won.run_id == older


def test_a_younger_waiter_is_not_waited_for(shop: Shop) -> None:
    """A's older run takes the slot that A frees."""
    shop.engine.set_limit(MAIL, **ANA)
    shop.submit(flow("a"))
    claim = look(shop, "a")
    assert claim is not None
    older = shop.submit(flow("a"))
    shop.now += 1
    shop.submit(flow("b"))
    assert look(shop, "b") is None
    end(shop, claim)
    won = look(shop, "a")
    assert won is not None
    assert won.run_id == older


def test_as_many_are_waited_for_as_are_looked_for(shop: Shop) -> None:
    """Two slots, one older waiter: the other slot goes on."""
    shop.engine.set_limit(Limit("provider", "mail", 2), **ANA)
    shop.submit(flow("a"))
    shop.submit(flow("a"))
    claims = [look(shop, "a"), look(shop, "a")]
    shop.now += 1
    shop.submit(flow("b"))
    assert look(shop, "b") is None
    shop.now += 1
    shop.submit(flow("a"))
    shop.submit(flow("a"))
    for claim in claims:
        assert claim is not None
        end(shop, claim)
    assert look(shop, "a") is not None
    assert look(shop, "a") is None
    assert look(shop, "b") is not None


@pytest.mark.parametrize("jump", [-600_000, 600_000])
def test_a_clock_that_jumps_keeps_no_slot(shop: Shop, jump: int) -> None:
    """What is expected in the past or in the future is void; once B looked again, A gives way again."""
    claim, older = start(shop, MAIL)
    end(shop, claim)
    shop.now += jump
    shop.submit(flow("a"))
    if jump > 0:
        again = look(shop, "a")
        assert [look(shop, "b"), passes(shop, again, 9)] == [None, (0, older)]
    else:  # nothing that waits is due before its time: neither A's wait nor B's was moved
        assert look(shop, "a") is not None


def test_a_worker_that_looks_seldom_is_waited_for_longer(shop: Shop) -> None:
    """Up to a few seconds: B's is next at one of its next looks, three seconds apart."""
    claim, older = start(shop, MAIL)
    done, won = passes(shop, claim, 200, every=30)
    assert won == older
    assert done < 60


@pytest.mark.parametrize(("gap", "kept"), [(None, 2_000), (200, 2_000), (1_000, 2_000), (3_000, 6_000), (5_001, 0)])
def test_how_long_what_is_freed_is_kept(gap: int | None, kept: int) -> None:
    """Beyond the next look, but never for more than ten seconds."""
    assert expected_for_ms(gap) == kept


def test_a_run_that_nobody_can_read_is_not_waited_for(tmp_path: Path) -> None:
    """B looks at it for ever; A goes on."""
    shop = Shop(tmp_path / "log.db")
    shop.engine.set_limit(TOTAL, **ANA)
    shop.submit(flow("a"))
    claim = look(shop, "a")
    shop.now += 1
    older = shop.submit(flow("b"))
    add_unknown(shop, older)
    assert passes(shop, claim, 20) == (20, None)
    shop.engine.close()


def test_an_idle_worker_waits_while_it_gives_way(shop: Shop) -> None:
    """Work is left, and it is worth looking again soon; then it is done."""
    claim, _ = start(shop, MAIL)
    shop.now += 1
    younger = shop.submit(flow("a"))
    end(shop, claim)
    assert look(shop, "a") is None
    due = shop.engine.ledger.next_work_ms(ACME, {"a"}, None)
    assert due is not None
    assert shop.now < due <= shop.now + EXPECTED_MS
    shop.now += EXPECTED_MS
    work(shop, {"a": lambda attempt: None})
    assert shop.run_status(younger) == "completed"


def test_what_is_expected_survives_a_restart_and_a_rebuild(shop: Shop) -> None:
    """It is no part of what the log says, and lost without harm."""
    claim, older = start(shop, MAIL)
    shop.reopen()
    shop.engine.ledger.rebuild_agenda()
    shop.check()
    assert passes(shop, claim, 9) == (0, older)


def test_without_a_limit_nothing_is_noted(shop: Shop) -> None:
    """Nor when there is room: only who waits is looked for."""
    shop.submit(flow("b"))
    assert look(shop, "b") is not None
    with outside(shop.path) as connection:
        assert connection.execute("SELECT count(*) FROM expected").fetchone() == (0,)
