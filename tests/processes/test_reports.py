"""Reports: who may report, what a repetition is, and what becomes of dead letters in the same transaction."""

from collections.abc import Callable
from typing import Any

import pytest

from redrive import (
    Attempt,
    Failure,
    InvalidValue,
    NotFound,
    NotRunning,
    Refused,
    StaleAttempt,
    StaleEpoch,
)
from redrive.domain.run import events as e
from tests.processes.workshop import ANA, FINAL, TIMEOUT, Shop, beside, chain, nothing_written, policy

Report = Callable[[Attempt], object]
REPORTS = ("complete", "fail", "snooze")


def report(shop: Shop, how: str, attempt: Attempt) -> Any:
    """One of the three reports."""
    if how == "complete":
        return shop.acme.complete_attempt(attempt, {"n": 1})
    return shop.acme.fail_attempt(attempt, TIMEOUT) if how == "fail" else shop.acme.snooze_attempt(attempt, 70)


def written(shop: Shop, attempt: Attempt, how: str) -> int:
    """How many events of that outcome a run has."""
    word = {"complete": "attempt-succeeded", "fail": "attempt-failed", "snooze": "attempt-snoozed"}[how]
    return shop.topics(attempt.run_id).count(word)


@pytest.mark.parametrize("how", REPORTS)
def test_first_of_all_the_run_must_be_running(shop: Shop, how: str) -> None:
    """NotRunning comes before the epoch and the attempt are looked at."""
    attempt = shop.attempt()
    shop.acme.cancel(attempt.run_id, **ANA)
    nothing_written(shop, NotRunning, lambda: report(shop, how, attempt))


@pytest.mark.parametrize("how", REPORTS)
def test_then_the_epoch_must_be_the_claims(shop: Shop, how: str) -> None:
    """StaleEpoch comes before the attempt is looked at, which is stale, too."""
    attempt = shop.attempt()
    shop.now += 10_000_000
    shop.engine.tick()
    shop.claim()
    nothing_written(shop, StaleEpoch, lambda: report(shop, how, attempt))


@pytest.mark.parametrize("how", REPORTS)
def test_then_the_attempt_must_be_the_running_one(shop: Shop, how: str) -> None:
    """It ended in another way, while a sibling keeps the run running."""
    attempt, _ = shop.begin(beside("a", "b")).attempts
    shop.acme.complete_attempt(attempt, "another")
    nothing_written(shop, StaleAttempt, lambda: report(shop, how, attempt))


@pytest.mark.parametrize("how", REPORTS)
def test_a_report_of_an_unknown_run_or_of_another_tenant_is_not_found(shop: Shop, how: str) -> None:
    """Both look the same."""
    attempt = shop.attempt()
    stranger = shop.engine.local
    command = getattr(stranger, f"{how}_attempt")
    argument: Any = {"complete": None, "fail": TIMEOUT, "snooze": 70}[how]
    nothing_written(shop, NotFound, lambda: command(attempt, argument))


@pytest.mark.parametrize("how", REPORTS)
def test_the_same_report_again_is_one_event_and_the_same_answer(shop: Shop, how: str) -> None:
    """Three times before a restart and three times after it, whatever the time."""
    attempt, _ = shop.begin(beside("a", "b", retry=policy(delay_ms=50))).attempts
    answers = [report(shop, how, attempt) for _ in range(3)]
    shop.reopen()
    shop.now += 10_000
    answers += [report(shop, how, attempt) for _ in range(3)]
    assert all(answer == answers[0] for answer in answers)
    assert written(shop, attempt, how) == 1


@pytest.mark.parametrize("close", ["ignore", "abandon", "resolve"])
def test_the_same_failure_again_is_no_news_after_an_operator_closed_its_dead_letter(shop: Shop, close: str) -> None:
    """It neither reopens it nor counts as a recurrence."""
    attempt = shop.attempt()
    decision = shop.acme.fail_attempt(attempt, FINAL)
    letter = shop.letter_of(attempt.run_id)
    getattr(shop.acme, close)(letter, **ANA)
    shop.reopen()
    position = shop.engine.ledger.last_position()
    assert [shop.acme.fail_attempt(attempt, FINAL) for _ in range(3)] == [decision] * 3
    assert shop.engine.ledger.last_position() == position


def test_the_same_failure_again_is_no_news_after_a_redrive(shop: Shop) -> None:
    """The node was reset and runs again: the old report is still known by its lifetime."""
    attempt = shop.attempt()
    decision = shop.acme.fail_attempt(attempt, FINAL)
    shop.acme.request_retry(shop.letter_of(attempt.run_id), **ANA)
    shop.claim()
    assert shop.acme.fail_attempt(attempt, FINAL) == decision
    assert len(shop.facts(e.AttemptFailed)) == 1


@pytest.mark.parametrize("first", REPORTS)
def test_another_outcome_is_refused(shop: Shop, first: str) -> None:
    """What was reported first stands; another output or reason is another outcome."""
    attempt, _ = shop.begin(beside("a", "b")).attempts
    report(shop, first, attempt)
    others: list[Report] = [
        lambda a: shop.acme.complete_attempt(a, {"n": 2}),
        lambda a: shop.acme.fail_attempt(a, Failure("provider_transient", "another answer", kind="timeout")),
        lambda a: shop.acme.snooze_attempt(a, 71),
    ]
    for other in others:
        nothing_written(shop, StaleAttempt, lambda other=other: other(attempt))  # type: ignore[misc]


def test_a_snooze_keeps_the_number_and_raises_the_lifetime(shop: Shop) -> None:
    """It is no attempt that failed: a node with one attempt may snooze as often as it likes."""
    attempt = shop.attempt(beside("a", retry=policy(1)))
    for lifetime in (2, 3, 4):
        shop.acme.snooze_attempt(attempt, 70)
        assert shop.acme.claim(worker="w", start=True) is None
        shop.now += 70
        attempt = shop.claim().attempts[0]
        assert (attempt.number, attempt.lifetime) == (1, lifetime)


def test_snoozing_counts_toward_the_elapsed_time(shop: Shop) -> None:
    """max_elapsed_ms begins with the first start."""
    attempt = shop.attempt(beside("a", retry=policy(5, max_elapsed_ms=100)))
    shop.acme.snooze_attempt(attempt, 100)
    shop.now += 100
    decision = shop.acme.fail_attempt(shop.claim().attempts[0], TIMEOUT)
    assert (decision.verdict, decision.elapsed_ms) == ("elapsed_time_exhausted", 100)


@pytest.mark.parametrize("delay", [-1, 86_400_001, 1.5, True, None, "70"])
def test_a_delay_that_is_none_is_refused(shop: Shop, delay: Any) -> None:
    """An integer from 0 to a day."""
    attempt = shop.attempt()
    nothing_written(shop, InvalidValue, lambda: shop.acme.snooze_attempt(attempt, delay))


@pytest.mark.parametrize("output", [float("nan"), {1, 2}, 2**53, "x" * 1_100_000, {"x": object()}])
def test_an_output_that_cannot_be_stored_is_refused(shop: Shop, output: Any) -> None:
    """The attempt still runs: its executor can report something else."""
    attempt = shop.attempt()
    nothing_written(shop, InvalidValue, lambda: shop.acme.complete_attempt(attempt, output))
    shop.acme.complete_attempt(attempt, None)


@pytest.mark.parametrize("claimed_again", [False, True])
def test_a_late_success_after_a_reclaim_is_refused(shop: Shop, *, claimed_again: bool) -> None:
    """The zombie's work is done again by whoever holds the claim now."""
    attempt = shop.attempt()
    shop.now += 10_000_000
    shop.engine.tick()
    if claimed_again:
        shop.claim()
    nothing_written(shop, StaleEpoch if claimed_again else NotRunning, lambda: report(shop, "complete", attempt))


def test_a_run_cancelled_during_backoff_never_returns(shop: Shop) -> None:
    """Neither a claim, nor a tick, nor a late report brings it back."""
    attempt = shop.attempt(beside("a", retry=policy(delay_ms=50)))
    shop.acme.fail_attempt(attempt, TIMEOUT)
    shop.acme.cancel(attempt.run_id, **ANA)
    position = shop.engine.ledger.last_position()
    shop.now += 1_000_000
    shop.engine.tick()
    assert shop.acme.claim(worker="w") is None
    with pytest.raises(NotRunning):
        report(shop, "complete", attempt)
    assert (shop.run_status(attempt.run_id), shop.engine.ledger.last_position()) == ("cancelled", position)


@pytest.mark.parametrize("retry_after", [-1, 1.5, True, "5", 86_400_001])
def test_a_failure_with_an_impossible_delay_is_refused(shop: Shop, retry_after: Any) -> None:
    """As a bad value, not as an accident deep within."""
    attempt = shop.attempt()
    nothing_written(
        shop,
        InvalidValue,
        lambda: shop.acme.fail_attempt(attempt, Failure("provider_transient", delay_ms=retry_after)),
    )


def test_reports_of_one_batch_see_each_other(shop: Shop) -> None:
    """The second report completes the run; a stale third harms nobody."""
    a, b = shop.begin(beside("a", "b")).attempts
    with shop.engine.batch() as batch:
        first = batch.add(shop.acme.complete_attempt, a)
        second = batch.add(shop.acme.complete_attempt, b)
        third = batch.add(shop.acme.fail_attempt, a, TIMEOUT)
    assert (first.result().status, second.result().status) == ("running", "completed")
    with pytest.raises(Refused):
        third.result()


def test_progress_names_what_can_start(shop: Shop) -> None:
    """And when the next waiting node is due."""
    claim = shop.begin(chain("a", "b", retry=policy(delay_ms=50)))
    assert shop.acme.complete_attempt(claim.attempts[0]).ready == ("b",)
    b = shop.acme.start_attempt(claim, "b")
    shop.acme.fail_attempt(b, TIMEOUT)
    again = shop.acme.complete_attempt(claim.attempts[0])
    assert (again.status, again.ready, again.next_due_ms) == ("queued", (), shop.now + 50)


def test_errors_are_recorded_redacted(shop: Shop) -> None:
    """Also those of exceptions, and in every event that repeats the reason."""
    attempt = shop.attempt(beside("a", retry=policy(delay_ms=50)))
    shop.acme.fail_attempt(attempt, ConnectionError("Bearer abc.def refused, password=hunter2"))
    text = "".join(event.event.model_dump_json() for event in shop.log() if not hasattr(event.event, "state"))
    assert "abc.def" not in text
    assert "hunter2" not in text
