"""What-if of logs whose workers claim many runs at once: one decision, and each run of it counts for itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redrive import Failure
from tests.processes.workshop import Shop, chain, policy

ONCE: dict[str, Any] = {"version": 1, "default": {"retry": {"max_attempts": 1}}}
RUNS = 6


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Runs that are claimed together, twice: every other one failed meanwhile."""
    shop = Shop(tmp_path / "log.db")
    for _ in range(RUNS):
        shop.submit(chain("a", "b", retry=policy(3, delay_ms=1_000)))
    for n, claim in enumerate(shop.acme.claim_many(RUNS, worker="w", start=True)):
        if n % 2:
            shop.acme.complete_attempt(claim.attempts[0])
            shop.acme.release(claim)
        else:
            shop.acme.fail_attempt(claim.attempts[0], Failure("provider_transient", "no answer"))
    shop.now += 1_000
    for claim in shop.acme.claim_many(RUNS, worker="w", start=True):
        shop.acme.complete_attempt(claim.attempts[0])
        for attempt in shop.acme.start_attempts(claim) if claim.attempts[0].node == "a" else ():
            shop.acme.complete_attempt(attempt)
    yield shop
    shop.engine.close()


def test_the_sums_are_those_of_the_runs_and_of_the_views(shop: Shop) -> None:
    """Runs that go another way take nothing of those along that were claimed with them."""
    with shop.engine.what_if(ONCE) as answer:
        attempts = answer.report.attempts
        assert answer.report.runs_that_differ == RUNS // 2
        assert attempts.change.high == sum(run.attempts.high for run in answer.report.runs) == -RUNS
        counted = answer.lower.counts().events["run.attempt-started"]
        assert (attempts.counterfactual.low, attempts.counterfactual.high) == (counted, counted)


def test_a_claim_that_is_dropped_is_that_of_its_run(shop: Shop) -> None:
    """Not of the first that was claimed with it."""
    for claimed in [recorded for recorded in shop.log() if recorded.topic == "run.claimed"]:
        with shop.engine.what_if({"version": 1}, drop=[claimed.position]) as answer:
            assert [run.run for run in answer.report.runs] == [claimed.correlation]


def test_a_run_that_is_dropped_takes_its_own_attempts_along(shop: Shop) -> None:
    """And how it stood is told."""
    submitted = next(recorded for recorded in shop.log() if recorded.topic == "run.submitted")
    with shop.engine.what_if({"version": 1}, drop=[submitted.position]) as answer:
        assert (str(answer.report.attempts.change), str(answer.report.completed.change)) == ("-3", "-1")
        (run,) = answer.report.runs
        assert (run.status_recorded, run.status) == ("completed", ("never submitted",))
