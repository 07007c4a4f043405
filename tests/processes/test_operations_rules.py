"""The finer rules of what people decide."""

from typing import Any

import pytest

from redrive import (
    BudgetSpent,
    DeadLetterId,
    InvalidValue,
    RedrivePolicy,
    RetryPolicy,
    RetryUnavailable,
    RunId,
)
from redrive.domain.run import events as e
from tests.processes.redrives import AGAIN, ONCE, two_letters
from tests.processes.workshop import ANA, FINAL, TIMEOUT, Shop, beside, chain, nothing_written, policy


def run_of(shop: Shop, letter: DeadLetterId) -> RunId:
    """Its run."""
    return RunId(shop.acme.dead_letter(letter).run_id)


def test_a_retry_of_a_cancelled_runs_dead_letter_is_unavailable(shop: Shop) -> None:
    """The options are derived from the run."""
    letter = shop.letter()
    shop.acme.cancel(run_of(shop, letter), **ANA)
    nothing_written(shop, RetryUnavailable, lambda: shop.acme.request_retry(letter, **ANA))
    nothing_written(shop, RetryUnavailable, lambda: shop.acme.grant_retries(letter, 1, **ANA))
    shop.acme.ignore(letter, **ANA)


def test_a_retry_that_the_policy_forbids_is_unavailable(shop: Shop) -> None:
    """manual_override.enabled: false."""
    strict = RetryPolicy.from_document({"max_attempts": 1, "manual_override": {"enabled": False}})
    letter = shop.letter(beside("a", retry=strict))
    nothing_written(shop, RetryUnavailable, lambda: shop.acme.request_retry(letter, **ANA))


def test_a_request_on_a_spent_budget_is_refused(shop: Shop) -> None:
    """A budget of one: the failure that ended retrying left it open, and spent."""
    shop.options["redrive_policy"] = RedrivePolicy(max_dispatches=1)
    shop.reopen()
    letter = shop.letter(ONCE)
    shop.acme.request_retry(letter, **ANA)
    shop.fail_again(FINAL)
    assert shop.status(letter) == "open"
    nothing_written(shop, BudgetSpent, lambda: shop.acme.request_retry(letter, **ANA))
    assert shop.acme.grant_retries(letter, 1, **ANA).status == "retry_requested"


def test_a_request_is_swept_at_once(shop: Shop) -> None:
    """The answer says that it is on its way; in a batch, that is left to the timer."""
    first, second = shop.letter(ONCE), shop.letter(ONCE)
    assert shop.acme.request_retry(first, **ANA).status == "retrying"
    with shop.engine.batch() as batch:
        asked = batch.add(shop.acme.request_retry, second, **ANA)
    assert asked.result().status == "retry_requested"


def test_a_pause_lets_running_attempts_finish(shop: Shop) -> None:
    """Nothing new starts; then the run is paused; a resume goes on where it stopped."""
    claim = shop.begin(chain("a", "b"))
    assert shop.acme.pause(claim.run_id, **ANA) == "running"
    assert shop.acme.complete_attempt(claim.attempts[0]).status == "paused"
    assert shop.acme.claim(worker="w") is None
    assert shop.acme.resume(claim.run_id, **ANA) == "queued"
    assert [attempt.node for attempt in shop.claim().attempts] == ["b"]


def test_a_backoff_holds_after_a_resume(shop: Shop) -> None:
    """A resume is no retry."""
    claim = shop.begin(beside("a", retry=policy(delay_ms=5_000)))
    shop.acme.fail_attempt(claim.attempts[0], TIMEOUT)
    shop.acme.pause(claim.run_id, **ANA)
    shop.now += 1_000
    shop.acme.resume(claim.run_id, **ANA)
    assert shop.acme.show(claim.run_id).due_ms == shop.now + 4_000
    assert shop.acme.claim(worker="w") is None


def test_a_recover_takes_the_failed_nodes_or_those_named(shop: Shop) -> None:
    """With all their dependants; the requeue says so."""
    run, _, _ = two_letters(shop)
    shop.acme.recover(run, nodes=["b"], **ANA)
    shop.fail_again(AGAIN)
    shop.acme.recover(run, **ANA)
    assert [event.roots for event in shop.facts(e.RunRequeued)] == [("b",), ("a", "b")]


@pytest.mark.parametrize("nodes", [["x"], ["a", "x"], "a"])
def test_a_recover_of_unknown_nodes_is_refused(shop: Shop, nodes: Any) -> None:
    """Not one of them is done."""
    run, _, _ = two_letters(shop)
    if nodes == "a":
        shop.acme.recover(run, nodes=nodes, **ANA)
        return
    nothing_written(shop, InvalidValue, lambda: shop.acme.recover(run, nodes=nodes, **ANA))


@pytest.mark.parametrize("text", [7, None, b"x", "", " ", "x" * 4_097])
def test_a_note_that_is_no_text_or_says_nothing_or_too_much_is_refused(shop: Shop, text: Any) -> None:
    """At most 4,096 bytes."""
    run = shop.submit()
    nothing_written(shop, InvalidValue, lambda: shop.acme.note(run, text, actor="ana"))


def test_reasons_and_notes_are_redacted(shop: Shop) -> None:
    """People paste what they see."""
    letter = shop.letter()
    shop.acme.ignore(letter, actor="ana", reason="was password=hunter2")
    shop.acme.note_dead_letter(letter, "Authorization: Bearer abc.def", actor="ana")
    text = repr(shop.engine.ledger.stream(letter))
    assert "hunter2" not in text
    assert "abc.def" not in text
