"""What reports do to dead letters, in their own transaction."""

import pytest

from redrive import (
    DeadLetterId,
    Failure,
    RunId,
)
from redrive.domain.dead_letter import events as dl
from redrive.domain.event import Cause
from redrive.domain.run import events as e
from tests.processes.workshop import ANA, FINAL, TIMEOUT, Shop, beside, policy


def run_of(shop: Shop, letter: DeadLetterId) -> RunId:
    """The run of a dead letter."""
    return RunId(shop.acme.dead_letter(letter).run_id)


def test_a_success_resolves_its_dead_letter_in_the_same_transaction(shop: Shop) -> None:
    """The resolution follows the success, which it names as its cause, within one commit."""
    letter = shop.letter()
    shop.acme.request_retry(letter, **ANA)
    claim = shop.claim()
    commits = shop.engine.ledger.committer.commits
    shop.acme.complete_attempt(claim.attempts[0])
    assert shop.engine.ledger.committer.commits == commits + 1
    success = next(event for event in shop.log() if isinstance(event.event, e.AttemptSucceeded))
    resolved = shop.engine.ledger.stream(letter)[-1]
    assert isinstance(resolved.event, dl.DeadLetterResolved)
    assert (resolved.event.disposition, resolved.causation) == ("retry_succeeded", Cause("event", success.event_id))


@pytest.mark.parametrize(("close", "stays"), [("ignore", "ignored"), ("abandon", "abandoned"), ("resolve", "resolved")])
def test_a_success_is_noted_on_a_settled_dead_letter(shop: Shop, close: str, stays: str) -> None:
    """Its status stays; and once is enough."""
    letter = shop.letter()
    getattr(shop.acme, close)(letter, **ANA)
    run = run_of(shop, letter)
    for _ in range(2):
        if shop.run_status(run) != "completed":
            shop.acme.recover(run, **ANA)
            shop.acme.complete_attempt(shop.claim().attempts[0])
    assert shop.status(letter) == stays
    assert shop.topics(letter).count("superseded") == 1


RECURS = {
    "open": ([], "open"),
    "parked": (["park"], "parked"),
    "ignored": (["ignore"], "open"),
    "abandoned": (["abandon"], "open"),
    "resolved": (["resolve"], "open"),
}


@pytest.mark.parametrize("status", RECURS)
def test_a_recurrence_after_an_operators_recover(shop: Shop, status: str) -> None:
    """Settled ones open again, for the attempt began later; a parked one stays parked; there is never a second."""
    steps, then = RECURS[status]
    letter = shop.letter()
    for step in steps:
        park(shop, letter) if step == "park" else getattr(shop.acme, step)(letter, **ANA)
    assert shop.status(letter) == status
    shop.acme.recover(run_of(shop, letter), **ANA)
    shop.fail_again()
    assert shop.status(letter) == then
    assert len(shop.facts(dl.DeadLetterOpened)) == 1


def park(shop: Shop, letter: DeadLetterId) -> None:
    """Let every dispatch fail (retryably, so that retrying goes on) until the budget is spent."""
    shop.acme.request_retry(letter, **ANA)
    for _ in range(20):
        if shop.status(letter) == "parked":
            return
        if (claim := shop.acme.claim(worker="w", start=True)) is not None:
            for _ in range(3):
                shop.acme.fail_attempt(claim.attempts[0], TIMEOUT_FOR_GOOD)
        shop.now += 20_000
        shop.engine.tick()
    raise AssertionError("it was never parked")


TIMEOUT_FOR_GOOD = Failure("provider_transient", "no answer", delay_ms=0)


@pytest.mark.parametrize("close", ["ignore", "abandon", "resolve"])
def test_an_attempt_started_before_the_disposition_does_not_open_it_again(shop: Shop, close: str) -> None:
    """The operator knew that it was running."""
    letter = shop.letter(beside("a", retry=policy(1)))
    shop.acme.request_retry(letter, **ANA)
    attempts = shop.claim().attempts
    getattr(shop.acme, close)(letter, **ANA)
    before = shop.status(letter)
    shop.fail(*attempts)
    assert shop.status(letter) == before
    assert shop.acme.dead_letter(letter).recurrences == 1


@pytest.mark.parametrize(("failure", "then"), [(TIMEOUT, "retrying"), (FINAL, "open")])
def test_a_recurrence_while_retrying(shop: Shop, failure: Failure, then: str) -> None:
    """It keeps retrying, unless the failure is not retryable."""
    letter = shop.letter(beside("a", retry=policy(1)))
    shop.acme.request_retry(letter, **ANA)
    shop.fail_again(failure)
    assert shop.status(letter) == then


@pytest.mark.parametrize("failure", [TIMEOUT, FINAL])
def test_a_retryable_failure_after_a_final_one_opens_no_dead_letter(shop: Shop, failure: Failure) -> None:
    """It keeps its due time for the next generation."""
    first, second = shop.begin(beside("a", "b", retry=policy(delay_ms=50))).attempts
    shop.fail(first)
    shop.fail(second, failure=failure)
    assert len(shop.facts(dl.DeadLetterOpened)) == (1 if failure is TIMEOUT else 2)
    assert shop.run_status(first.run_id) == "failed"
