"""Rates, the edges of limits, and what a worker does while it waits."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import redrive
from redrive import Flow, Limit, LimitReached, Node, Rate
from redrive.domain.errors import InvalidValue, NotFound
from redrive.domain.run import events as e
from redrive.processes.handout import Claim
from tests.processes.test_limits import BANK, OTHER, claim, finish, limit
from tests.processes.workshop import ACME, ANA, Shop, beside, chain, logged, nothing_written, work
from tests.stores import log_url

STRIPE = beside("a", provider="stripe")
SLOW = Rate(1, 1_000)


def test_a_rate_spreads_starts(shop: Shop) -> None:
    """One token a second, however many wait: one start a second, and one event for each that waits."""
    limit(shop, "provider", "stripe", None, rate=SLOW)
    runs = [shop.submit(STRIPE) for _ in range(4)]
    started: list[tuple[int, str]] = []
    for _ in range(35):
        while (won := claim(shop)) is not None:
            started.append((shop.now, won.run_id))
            finish(shop, won)
        shop.now += 100
    assert started == [(1_000_000 + n * 1_000, run) for n, run in enumerate(runs)]
    assert len(shop.facts(e.RunQueued)) == 3
    assert {(queued.reason, queued.due_ms) for queued in shop.facts(e.RunQueued)} == {("rate_limit", 1_001_000)}


def test_a_start_beyond_a_rate_says_when_to_try_again(shop: Shop) -> None:
    """Allowed, refused, nothing happened."""
    limit(shop, "provider", "stripe", None, rate=SLOW)
    won = shop.begin(beside("a", "b", provider="stripe"))
    refused = nothing_written(shop, LimitReached, lambda: shop.acme.start_attempt(won, "b"))
    assert isinstance(refused, LimitReached)
    assert (refused.limit, refused.used, refused.of, refused.retry_at_ms) == ("provider:stripe", 1, 1, 1_001_000)
    shop.now = 1_001_000
    assert shop.acme.start_attempt(won, "b").node == "b"


def test_a_rate_of_claims_binds_the_whole_log(shop: Shop) -> None:
    """Nothing is written for those that are not claimed."""
    limit(shop, "total", "", None, rate=Rate(2, 1_000))
    for _ in range(5):
        shop.submit()
    assert len(shop.engine.claim_many(5, worker="w")) == 2
    assert shop.engine.ledger.next_work_ms(None, None, None) == 1_000_500
    assert claim(shop) is None
    shop.now += 500
    assert claim(shop) is not None


def test_a_worker_waits_for_tokens(shop: Shop) -> None:
    """It does not return, nor spin, while the clock brings the next."""
    shop.engine.close()
    with redrive.open(log_url(shop.path), limits=[Limit("provider", "stripe", None, Rate(1, 60))]) as engine:
        runs = [engine.local.submit(STRIPE, automation="x") for _ in range(5)]
        redrive.Worker(engine, {"a": lambda attempt: None}, poll_ms=20).run_until_idle()
        assert {engine.local.run(run).status for run in runs} == {"completed"}
    shop.engine = redrive.open(log_url(shop.path), clock=lambda: shop.now)


def test_a_worker_serves_many_under_a_limit_of_one(shop: Shop) -> None:
    """Chains and branches that all want the same slot; nobody is forgotten."""
    limit(shop, "resource", "bank")
    runs = [shop.submit(flow) for flow in (chain("a", "b", resource="bank"), beside("a", "b", resource="bank")) * 4]
    work(shop, {"a": lambda attempt: None, "b": lambda attempt: None})
    assert {shop.run_status(run) for run in runs} == {"completed"}


def test_two_starts_crosswise_do_not_both_pass(shop: Shop) -> None:
    """Each holds one of what the other wants: one of the second starts is refused on either side, none passes."""
    limit(shop, "resource", "r")
    limit(shop, "resource", "s")
    left = shop.begin(Flow([Node("a", resource="r"), Node("b", after="a", resource="s")]))
    right = shop.begin(Flow([Node("a", resource="s"), Node("b", after="a", resource="r")]))
    finish(shop, left)
    nothing_written(shop, LimitReached, lambda: shop.acme.start_attempt(left, "b"))
    finish(shop, right)
    assert shop.acme.start_attempt(left, "b").node == "b"
    assert shop.acme.start_attempt(right, "b").node == "b"


def test_starts_in_one_batch_see_each_other(shop: Shop) -> None:
    """Two commands of one commit, one slot: the second is refused."""
    claims = [shop.acme.claim(worker="w") for _ in [shop.submit(BANK), shop.submit(BANK)]]
    limit(shop, "resource", "bank")
    with shop.engine.batch() as batch:
        first, second = (batch.add(shop.acme.start_attempt, won, "a") for won in claims if won)
    assert first.result().node == "a"
    with pytest.raises(LimitReached):
        second.result()


def test_a_tenant_sees_its_own_limit_alone(shop: Shop) -> None:
    """Not the total, nor another tenant's."""
    limit(shop, "total", "", 9)
    limit(shop, "tenant", str(ACME), 2)
    assert [known.name for known in shop.acme.limits()] == [str(ACME)]
    assert shop.engine.for_tenant(OTHER).limits() == ()
    assert len(shop.engine.limits()) == 2


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (NotFound, lambda shop: shop.engine.remove_limit("resource", "bank", **ANA)),
        (InvalidValue, lambda shop: shop.engine.set_limit("total", **ANA)),
        (InvalidValue, lambda shop: shop.engine.set_limit(Limit("total", "", 1), actor="ana", reason=" ")),
    ],
)
def test_what_is_wrong_about_a_limit_is_refused(
    shop: Shop, error: type[Exception], command: Callable[[Shop], Claim]
) -> None:
    """And nothing is written."""
    nothing_written(shop, error, lambda: command(shop))


def test_limits_given_to_open_are_written_once(tmp_path: Path) -> None:
    """Again when they differ."""
    path = tmp_path / "log.db"
    for concurrency, events in ((1, 1), (1, 1), (2, 2)):
        shop = Shop(path, limits=[Limit("total", "", concurrency)])
        assert (len(shop.log()), shop.engine.limits()[0].concurrency) == (events, concurrency)
        shop.engine.close()


@pytest.mark.sqlite_only
def test_a_log_without_capacity_is_upgraded(tmp_path: Path) -> None:
    """A file of schema 1 opens, keeps what it has, and can be limited."""
    shop = Shop(tmp_path / "log.db")
    run = shop.begin(BANK).run_id
    shop.engine.close()
    with closing(sqlite3.connect(shop.path)) as connection:
        connection.executescript("DROP TABLE capacity; DROP TABLE waiters; PRAGMA user_version = 1")
    shop.reopen()
    assert shop.run_status(run) == "running"
    limit(shop, "resource", "bank")
    assert shop.engine.limits()[0].in_use == 1
    shop.check()
    shop.engine.close()


def test_a_clock_that_goes_back_stops_no_run_for_ever(shop: Shop) -> None:
    """No tokens until it is back; another rate fills the bucket."""
    limit(shop, "provider", "stripe", None, rate=SLOW)
    finish(shop, shop.begin(STRIPE))
    shop.now -= 500_000
    shop.submit(STRIPE)
    assert claim(shop) is None
    limit(shop, "provider", "stripe", None, rate=Rate(2, 1_000))
    assert claim(shop) is not None


def test_opening_keeps_what_an_operator_set(tmp_path: Path) -> None:
    """A process that starts releases no brake, and says so; it only changes what a program set."""
    url, two = log_url(tmp_path / "log.db"), Limit("provider", "bank", 2)
    redrive.open(url, limits=[Limit("provider", "bank", 1)]).close()
    with redrive.open(url, limits=[two]) as engine:
        assert engine.limits()[0].concurrency == 2
        engine.set_limit(Limit("provider", "bank", 0), **ANA)
    with logged() as lines, redrive.open(url, limits=[two]) as engine:
        assert engine.limits()[0].concurrency == 0
    (told,) = [line for line in lines if line["event"] == "limit.kept"]
    assert (told["log_level"], told["limit"]) == ("warning", "provider:bank")
    assert (told["kept"]["concurrency"], told["given"]["concurrency"]) == (0, 2)


def test_a_limit_that_was_removed_is_the_programs_again(tmp_path: Path) -> None:
    """The way back from an operator's limit."""
    url, two = log_url(tmp_path / "log.db"), Limit("provider", "bank", 2)
    with redrive.open(url) as engine:
        engine.set_limit(Limit("provider", "bank", 0), **ANA)
        engine.remove_limit("provider", "bank", **ANA)
    with redrive.open(url, limits=[two]) as engine:
        assert engine.limits()[0].concurrency == 2


def test_a_change_sees_the_limit_in_force(shop: Shop) -> None:
    """Allowed; refused for another limit, and nothing was written."""
    six, other = Limit("total", "", 6), Limit("resource", "bank", 1)
    seen: list[Limit | None] = []
    for _ in range(2):
        shop.engine.change_limit("total", "", lambda known: seen.append(known) or six, **ANA)  # type: ignore[func-returns-value]
    assert (seen[0], seen[-1]) == (None, six)  # on an empty log that others may write to, it is asked again
    nothing_written(shop, InvalidValue, lambda: shop.engine.change_limit("total", "", lambda _known: other, **ANA))
