"""Dead letters: opening, recurring, the operator's choices, and the success that answers them."""

from collections.abc import Callable
from typing import Any

import pytest

from redrive.domain.dead_letter import events as e
from redrive.domain.dead_letter import rules
from redrive.domain.dead_letter.rules import (
    budget_of,
    grant_retries,
    open_dead_letter,
    recur,
    request_retry,
    succeed,
    why_no_retry,
)
from redrive.domain.errors import BudgetSpent, InvalidValue, NotAllowed, Refused, RetryUnavailable
from redrive.domain.event import Event
from redrive.domain.identity import NodeId
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.retry_policy import Verdict
from redrive.domain.run import events as run_events
from redrive.domain.run.state import Run
from tests.domain.facts import (
    BROKEN,
    LETTER,
    REDRIVE,
    SETTLED,
    UNSETTLED,
    abandoned,
    cancelled,
    claimed,
    decided,
    dispatched,
    failed,
    granted,
    ignored,
    letter_after,
    line,
    opened,
    requested,
    resolved,
    started,
    submitted,
    succeeded,
)
from tests.domain.given import fact, given, given_letter

ONCE = RedrivePolicy(continue_after_recurrence=False)
FAILED = run_events.RunFailed(finished_at_ms=5)


def run_after(*events: Event) -> Run:
    """A run of two nodes with this history."""
    return given(submitted(line("a", "b")), *events).state


FAILED_RUN = run_after(claimed(), started("a"), failed("a"), FAILED)
RETRIED_RUN = run_after(claimed(), started("a"), failed("a"), FAILED, claimed(2), started("a", lifetime=2, epoch=2))


def again(lifetime: int = 2, verdict: Verdict = Verdict.ATTEMPTS_EXHAUSTED) -> Any:
    """The decision of a final failure."""
    return decided(verdict, lifetime=lifetime, decided_at_ms=77)


# Opening and recurring


def test_a_dead_letter_is_opened_from_the_final_decision() -> None:
    """It knows run, node, first failure, and why automatic attempts ended."""
    event = open_dead_letter(FAILED_RUN, NodeId("a"), LETTER, again(1))
    assert event == opened(opened_at_ms=77)
    letter = given_letter(event).state
    assert (letter.status, letter.failure, letter.lifetime, letter.dispatches) == ("open", BROKEN, 1, 0)


RECURRENCES = [
    ("open", REDRIVE, Verdict.ATTEMPTS_EXHAUSTED, "open"),
    ("retry_requested", REDRIVE, Verdict.ATTEMPTS_EXHAUSTED, "retry_requested"),
    ("retry_requested", ONCE, Verdict.NOT_RETRYABLE, "retry_requested"),
    ("retrying", REDRIVE, Verdict.ATTEMPTS_EXHAUSTED, "retrying"),
    ("retrying", REDRIVE, Verdict.ELAPSED_TIME_EXHAUSTED, "retrying"),
    ("retrying", REDRIVE, Verdict.NOT_RETRYABLE, "open"),
    ("retrying", ONCE, Verdict.ATTEMPTS_EXHAUSTED, "open"),
    ("parked", REDRIVE, Verdict.ATTEMPTS_EXHAUSTED, "parked"),
    ("parked", ONCE, Verdict.NOT_RETRYABLE, "parked"),
    ("resolved", REDRIVE, Verdict.ATTEMPTS_EXHAUSTED, "open"),
    ("ignored", REDRIVE, Verdict.NOT_RETRYABLE, "open"),
    ("abandoned", ONCE, Verdict.ATTEMPTS_EXHAUSTED, "open"),
]


@pytest.mark.parametrize(("status", "policy", "verdict", "then"), RECURRENCES)
def test_a_recurrence_under_each_status(status: str, policy: RedrivePolicy, verdict: Verdict, then: str) -> None:
    """It never starts a new dead letter; retrying goes on up to the budget; parked is for an operator."""
    before = given_letter(*letter_after(status)).state
    came = given_letter(*letter_after(status)).when(recur, RETRIED_RUN, again(2, verdict), policy)
    letter = came.then(fact(e.DeadLetterRecurred, status=then, lifetime=2, recurred_at_ms=77)).state
    assert (letter.status, letter.recurrences, letter.lifetime) == (then, 1, 2)
    assert letter.dispatches == (0 if status == "resolved" else before.dispatches)


@pytest.mark.parametrize(("lifetime", "opens"), [(1, False), (3, False), (4, True), (9, True)])
@pytest.mark.parametrize("settle", [ignored, abandoned, resolved])
def test_only_an_attempt_started_after_the_disposition_opens_it_again(
    settle: Callable[[int], Event], lifetime: int, *, opens: bool
) -> None:
    """Ignoring answers the attempt that runs at this moment, too; a later one is a new fact."""
    letter = given_letter(opened(), settle(3)).when(recur, RETRIED_RUN, again(lifetime), REDRIVE)
    assert (letter.then(e.DeadLetterRecurred).state.status == "open") is opens


@pytest.mark.parametrize(("settle", "dispatches"), [(ignored(2), 5), (abandoned(2), 5), (resolved(2), 0)])
def test_only_after_resolved_a_recurrence_has_a_fresh_budget(settle: Event, dispatches: int) -> None:
    """Ignoring is no way around the budget."""
    history = (opened(), requested(), granted(2), dispatched(5), settle)
    letter = given_letter(*history).when(recur, RETRIED_RUN, again(3), REDRIVE).then(e.DeadLetterRecurred).state
    assert (letter.dispatches, letter.granted) == (dispatches, 2 if dispatches else 0)
    assert (letter.not_before_ms == 0) is (dispatches == 0)


# Success


@pytest.mark.parametrize("status", UNSETTLED)
def test_a_success_resolves_what_is_unsettled(status: str) -> None:
    """In the same transaction, whoever was working on it, parked included."""
    after_success = given_letter(*letter_after(status)).when(succeed, 4)
    letter = after_success.then(e.DeadLetterResolved(disposition="retry_succeeded", lifetime=4)).state
    assert (letter.status, letter.settled_lifetime) == ("resolved", 4)


@pytest.mark.parametrize("status", SETTLED)
def test_a_success_supersedes_what_is_settled_once(status: str) -> None:
    """The operator's decision keeps its status; the success is noted."""
    noted = given_letter(*letter_after(status)).when(succeed, 4).then(e.DeadLetterSuperseded(lifetime=4))
    assert (noted.state.status, noted.state.superseded) == (status, True)
    noted.when(succeed, 5).then()


def test_what_fails_after_a_success_is_not_superseded_any_more() -> None:
    """A view that hides superseded ones must show this one again."""
    history = (opened(), ignored(1), e.DeadLetterSuperseded(lifetime=2))
    letter = given_letter(*history).when(recur, RETRIED_RUN, again(3), REDRIVE).then(e.DeadLetterRecurred).state
    assert (letter.status, letter.superseded) == ("open", False)


# A retry


def test_a_retry_is_requested_of_an_open_dead_letter() -> None:
    """The sweep takes it from there."""
    asked = given_letter(opened()).when(request_retry, FAILED_RUN, REDRIVE, now_ms=7)
    assert asked.then(e.DeadLetterRetryRequested(requested_at_ms=7)).state.status == "retry_requested"


@pytest.mark.parametrize(
    ("history", "error", "says"),
    [
        (letter_after("retry_requested"), NotAllowed, "retry requested"),
        (letter_after("retrying"), NotAllowed, "retrying"),
        (letter_after("resolved"), NotAllowed, "resolved"),
        (letter_after("ignored"), NotAllowed, "ignored"),
        (letter_after("abandoned"), NotAllowed, "abandoned"),
        (letter_after("parked"), BudgetSpent, "used 5 of 5"),
        ((opened(), requested(), dispatched(5)), NotAllowed, "retrying"),
        ((opened(source="stateful_wait"),), RetryUnavailable, "approval"),
        ((opened(override_allowed=False),), RetryUnavailable, "manual override"),
    ],
)
def test_a_retry_is_refused(history: tuple[Event, ...], error: type[Refused], says: str) -> None:
    """Not twice, not what is settled, not beyond the budget, not what a retry cannot mend."""
    given_letter(*history).when(request_retry, FAILED_RUN, REDRIVE, now_ms=7).then_refused(error, says)


def test_a_retry_on_a_spent_budget_is_refused_until_it_is_granted() -> None:
    """Open again after the fifth dispatch: a re-request renews nothing, a grant does."""
    recurrence = recur(
        given_letter(*letter_after("retrying")).state, RETRIED_RUN, again(2, Verdict.NOT_RETRYABLE), REDRIVE
    )
    spent = given_letter(opened(), requested(), dispatched(5), recurrence)
    assert spent.state.status == "open"
    spent.when(request_retry, RETRIED_RUN, REDRIVE, now_ms=7).then_refused(BudgetSpent)
    more = spent.when(grant_retries, RETRIED_RUN, 2, now_ms=7).then(granted(2).model_copy(update={"granted_at_ms": 7}))
    assert (more.state.status, budget_of(more.state, REDRIVE), more.state.dispatches) == ("retry_requested", 7, 5)


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (None, "unknown"),
        (run_after(claimed(), cancelled()), "cancelled"),
        (run_after(claimed(), run_events.RunCompleted(finished_at_ms=5)), "completed"),
        (run_after(claimed(), started("a"), succeeded("a")), "node succeeded"),
        (FAILED_RUN, ""),
        (run_after(), ""),
        (run_after(claimed(), started("a")), ""),
        (run_after(run_events.RunPauseRequested(), run_events.RunPaused()), ""),
    ],
)
def test_the_options_are_derived_from_the_run(run: Run | None, why: str) -> None:
    """No retry when the run is completed, cancelled or unknown, or the node succeeded; a grant is no way around it."""
    letter = given_letter(opened())
    assert (why_no_retry(letter.state, run) == "") is (why == "")
    asked, more = letter.when(request_retry, run, REDRIVE, now_ms=7), letter.when(grant_retries, run, 1, now_ms=7)
    if why:
        asked.then_refused(RetryUnavailable, why)
        more.then_refused(RetryUnavailable, why)
    else:
        asked.then(e.DeadLetterRetryRequested)
        more.then(e.RetryBudgetGranted)


# A grant


@pytest.mark.parametrize(
    ("status", "then"),
    [
        ("open", "retry_requested"),
        ("parked", "retry_requested"),
        ("retry_requested", "retry_requested"),
        ("retrying", "retrying"),
    ],
)
def test_a_grant_moves_open_and_parked(status: str, then: str) -> None:
    """It adds to the budget; what the sweep is working on goes on."""
    letter = given_letter(*letter_after(status)).when(grant_retries, FAILED_RUN, 3, now_ms=0).then(granted(3)).state
    assert (letter.status, budget_of(letter, REDRIVE)) == (then, 8)


@pytest.mark.parametrize("count", [0, -1, rules.MAX_GRANT + 1, True, 1.0])
def test_a_grant_is_a_number_of_dispatches(count: Any) -> None:
    """A grant of less than one would take from the budget."""
    given_letter(opened()).when(grant_retries, FAILED_RUN, count, now_ms=0).then_refused(InvalidValue, "granted")


@pytest.mark.parametrize("status", SETTLED)
def test_a_grant_to_what_is_settled_is_refused(status: str) -> None:
    """It must be reopened first."""
    given_letter(*letter_after(status)).when(grant_retries, FAILED_RUN, 1, now_ms=0).then_refused(NotAllowed)
