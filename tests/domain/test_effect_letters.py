"""The dead letters of effects: their options, their recurrences, and how the sweep judges them."""

from typing import Any

import pytest

from redrive.domain.dead_letter import events as e
from redrive.domain.dead_letter.judge import Act, judge
from redrive.domain.dead_letter.rules import (
    Grounds,
    grant_retries,
    ignore,
    link_compensation,
    open_effect_letter,
    recur_on,
    request_retry,
    why_no_retry,
)
from redrive.domain.errors import InFlight, NotAllowed, RetryUnavailable
from redrive.domain.event import Event
from redrive.domain.identity import RunId
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.retry_policy import Verdict
from redrive.domain.run.events import RunFailed
from tests.domain.effect_facts import COMPENSATION, EFFECT, EFFECTS, intended, intended_outside, not_done
from tests.domain.facts import (
    BROKEN,
    LETTER,
    LETTERS,
    REDRIVE,
    SETTLED,
    UNSETTLED,
    claimed,
    failed,
    line,
    opened,
    started,
    submitted,
    succeeded,
)
from tests.domain.given import fact, given, given_effect, given_letter

STOPPED = RunFailed(finished_at_ms=5)
FAILED_RUN = given(submitted(line("a", "b")), claimed(), started("a"), failed("a"), STOPPED).state
DONE_NODE = given(
    submitted(line("a", "b")), claimed(), started("a"), succeeded("a"), started("b"), failed("b"), STOPPED
).state
OF_EFFECT = opened(effect=EFFECT, effect_key="k", source="tool_effect")
OUTSIDE = opened(effect=EFFECT, effect_key="k", source="tool_effect", run=RunId(""), node="")
GROUNDS: dict[str, Any] = {"number": 2, "lifetime": 2, "generation": 2, "decided_at_ms": 9}


def effect(status: str) -> Any:
    """An effect of this status."""
    return given_effect(*EFFECTS[status]).state


def grounds(verdict: Verdict = Verdict.ATTEMPTS_EXHAUSTED) -> Grounds:
    """Why the second attempt was the last."""
    return Grounds(BROKEN, verdict, **GROUNDS)


def after(status: str) -> tuple[Event, ...]:
    """The shortest history of an effect's dead letter that ends in *status*."""
    return (OF_EFFECT, *LETTERS[status])


def test_it_opens_with_what_made_the_failure_final() -> None:
    """Within a run, and outside, where it belongs to the effect alone."""
    inside = open_effect_letter(effect("failed"), LETTER, FAILED_RUN, grounds())
    assert (inside.source, inside.effect, inside.effect_key, inside.run) == ("tool_effect", EFFECT, "k", FAILED_RUN.id)
    outside = open_effect_letter(given_effect(intended_outside(), not_done()).state, LETTER, None, grounds())
    assert (outside.run, outside.node) == ("", "")


@pytest.mark.parametrize(
    ("status", "why"), [("failed", ""), ("withheld", ""), ("intended", ""), ("unknown", "reconcile it first")]
)
def test_a_retry_is_offered_unless_nobody_knows(status: str, why: str) -> None:
    """Request and grant are refused for the same reasons as the option is not shown."""
    letter = given_letter(OF_EFFECT)
    assert why in why_no_retry(letter.state, FAILED_RUN, effect(status))
    for when in (
        letter.when(request_retry, FAILED_RUN, REDRIVE, now_ms=1, effect=effect(status)),
        letter.when(grant_retries, FAILED_RUN, 1, now_ms=1, effect=effect(status)),
    ):
        if why:
            when.then_refused(RetryUnavailable, why)
        else:
            assert when.refusal is None


@pytest.mark.parametrize(("letter", "run"), [(OUTSIDE, None), (OF_EFFECT, None), (OF_EFFECT, DONE_NODE)])
def test_there_is_no_retry_without_work_to_do(letter: Event, run: Any) -> None:
    """Outside runs, of an unknown run, of a node that succeeded."""
    given_letter(letter).when(request_retry, run, REDRIVE, now_ms=1, effect=effect("failed")).then_refused(
        RetryUnavailable
    )


@pytest.mark.parametrize(
    ("verdict", "ends", "goes_on", "then"),
    [
        (Verdict.ATTEMPTS_EXHAUSTED, False, True, "retrying"),
        (Verdict.NOT_RETRYABLE, False, True, "open"),
        (Verdict.ATTEMPTS_EXHAUSTED, True, True, "open"),
        (Verdict.ATTEMPTS_EXHAUSTED, False, False, "open"),
    ],
)
def test_what_ends_retrying(verdict: Verdict, then: str, *, ends: bool, goes_on: bool) -> None:
    """Not retryable, an unknown outcome, or the policy's word."""
    policy = RedrivePolicy(continue_after_recurrence=goes_on)
    given_letter(*after("retrying")).when(recur_on, grounds(verdict), policy, ends=ends).then(
        fact(e.DeadLetterRecurred, status=then)
    )


@pytest.mark.parametrize(("status", "then"), [("open", "open"), ("parked", "parked"), ("retry_requested", "open")])
def test_an_unknown_outcome_ends_a_request_too_and_nothing_else(status: str, then: str) -> None:
    """What was asked for before cannot be done: it would be due for ever."""
    given_letter(*after(status)).when(recur_on, grounds(), REDRIVE, ends=True).then(
        fact(e.DeadLetterRecurred, status=then)
    )


@pytest.mark.parametrize("status", UNSETTLED)
def test_whatever_is_unsettled_can_be_compensated(status: str) -> None:
    """It remembers the last attempt that had started."""
    when = given_letter(*after(status)).when(link_compensation, FAILED_RUN, COMPENSATION, effect("unknown"))
    letter = when.then(fact(e.DeadLetterLinkedToCompensation, lifetime=1)).state
    assert (letter.settled, letter.compensation) == (True, COMPENSATION)


@pytest.mark.parametrize("status", SETTLED)
def test_what_is_settled_is_not_compensated(status: str) -> None:
    """Somebody decided already."""
    given_letter(*after(status)).when(link_compensation, FAILED_RUN, COMPENSATION, effect("unknown")).then_refused(
        NotAllowed
    )


def test_what_is_being_sent_is_not_compensated() -> None:
    """It may be happening."""
    given_letter(OF_EFFECT).when(link_compensation, FAILED_RUN, COMPENSATION, effect("intended")).then_refused(InFlight)


def test_outside_runs_the_last_try_counts() -> None:
    """The one that is under way had begun before the disposition."""
    twice = given_effect(intended(), not_done(), intended_outside(2)).state
    given_letter(OUTSIDE).when(ignore, None, twice).then(fact(e.DeadLetterIgnored, lifetime=2))


@pytest.mark.parametrize(
    ("run", "status", "act", "why"),
    [
        (FAILED_RUN, "failed", Act.DISPATCH, "due"),
        (FAILED_RUN, "withheld", Act.DISPATCH, "due"),
        (FAILED_RUN, "succeeded", Act.RESOLVE, "its effect succeeded"),
        (FAILED_RUN, "unknown", Act.SKIP, "reconcile it first"),
        (DONE_NODE, "failed", Act.SKIP, "its node succeeded"),
        (DONE_NODE, "succeeded", Act.RESOLVE, "its effect succeeded"),
    ],
)
def test_the_sweep_judges_by_the_effect(run: Any, status: str, act: Act, why: str) -> None:
    """A node's success says nothing about an effect that failed."""
    letter = given_letter(*after("retry_requested")).state
    found = judge(letter, run, REDRIVE, now_ms=10**9, effect=effect(status))
    assert found.act is act
    assert why in found.why
