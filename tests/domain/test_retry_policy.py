"""Retry policies: which failures are tried again, how soon, and what a decision remembers."""

import math
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from redrive.domain.errors import InvalidValue
from redrive.domain.failure import MAX_DELAY_MS, Failure
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.retry_policy import (
    NEVER_BY_WILDCARD,
    Backoff,
    ManualOverride,
    RetryDecision,
    RetryPolicy,
    Strategy,
    TerminalBehavior,
    Verdict,
)
from tests.domain.facts import BROKEN, DENIED, TIMEOUT, policy

DEFAULT_CLASSES = [
    "artifact_contract_unmet",
    "contract_miss",
    "execution_error",
    "missing_config",
    "provider_terminal",
    "provider_transient",
    "tool_resolution",
    "tool_resolution_failed",
    "validation_error",
    "wait_wakeup",
    "webhook_delivery",
    "outbox_send",
]
EXPONENTIAL = Strategy.EXPONENTIAL


def decide(retry: RetryPolicy, failure: Failure = BROKEN, **more: Any) -> RetryDecision:
    """The policy's decision about a first attempt, unless said otherwise."""
    values = {"number": 1, "lifetime": 1, "started_ms": 0, "now_ms": 0, "draw": 0.0}
    return retry.decide(failure, **{**values, **more})


@pytest.mark.parametrize("document", [RetryPolicy, Backoff, RedrivePolicy, TerminalBehavior, ManualOverride])
def test_a_value_without_its_name_is_refused_by_naming_the_names(document: Any) -> None:
    """``RetryPolicy(3)``; what is accepted says how it is meant."""
    with pytest.raises(InvalidValue, match=rf"{document.__name__}: 3 .* each value with its name: \w+=…"):
        document(3)
    assert document() == document(**document().document())


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (Backoff(), [None, None]),
        (Backoff(strategy=Strategy.NONE, initial_delay_ms=5), [None]),
        (Backoff(strategy=Strategy.FIXED, initial_delay_ms=0), [None]),
        (Backoff(strategy=EXPONENTIAL, initial_delay_ms=0, multiplier=9), [None, None]),
        (Backoff(strategy=Strategy.FIXED, initial_delay_ms=7), [7, 7, 7]),
        (Backoff(strategy=Strategy.FIXED, initial_delay_ms=7, max_delay_ms=5), [5, 5]),
        (Backoff(strategy=EXPONENTIAL, initial_delay_ms=100), [100, 200, 400, 800]),
        (Backoff(strategy=EXPONENTIAL, initial_delay_ms=100, max_delay_ms=300), [100, 200, 300, 300]),
        (Backoff(strategy=EXPONENTIAL, initial_delay_ms=1, multiplier=1.5), [1, 2, 2, 3, 5]),  # 1.5, 2.25, …
        (Backoff(strategy=EXPONENTIAL, initial_delay_ms=5, multiplier=1.1), [5, 6, 6]),  # 5, 5.5, 6.05
        (Backoff(strategy=EXPONENTIAL, initial_delay_ms=3, multiplier=1), [3, 3, 3]),
        (Backoff(strategy=EXPONENTIAL, initial_delay_ms=1_000, multiplier=1_000), [1_000, 1_000_000, MAX_DELAY_MS]),
    ],
)
def test_delays(backoff: Backoff, delays: list[int | None]) -> None:
    """The table of the contract: none, fixed, exponential, capped, rounded half up."""
    assert [backoff.delay_ms(number) for number in range(1, len(delays) + 1)] == delays


def test_a_delay_never_exceeds_a_day_also_on_overflow() -> None:
    """1,000 to the power of 9,999 is no float; the promise is still a time on the calendar."""
    backoff = Backoff(strategy=EXPONENTIAL, initial_delay_ms=1, multiplier=1_000)
    assert backoff.delay_ms(10_000) == MAX_DELAY_MS == 86_400_000
    assert Backoff(strategy=Strategy.FIXED, initial_delay_ms=MAX_DELAY_MS).delay_ms(1) == MAX_DELAY_MS


@st.composite
def backoffs(draw: st.DrawFn) -> Backoff:
    """Any backoff that passes validation."""
    return Backoff(
        strategy=draw(st.sampled_from(Strategy)),
        initial_delay_ms=draw(st.integers(0, MAX_DELAY_MS) | st.integers(0, 10)),
        max_delay_ms=draw(st.integers(0, MAX_DELAY_MS) | st.just(0)),
        multiplier=draw(st.floats(1, 1_000) | st.floats(1, 1.001)),
        jitter_ms=draw(st.integers(0, MAX_DELAY_MS)),
    )


@settings(max_examples=60, deadline=None)
@for_all(backoffs())
def test_delays_are_finite_and_never_decrease(backoff: Backoff) -> None:
    """Whatever an operator configures, waiting never gets shorter, negative or endless."""
    delays = [backoff.delay_ms(number) for number in (*range(1, 20), 1_000, 10**6)]
    numbers = [delay for delay in delays if delay is not None]
    assert len(numbers) in (0, len(delays))
    assert all(type(delay) is int and 0 <= delay <= MAX_DELAY_MS for delay in numbers)
    assert numbers == sorted(numbers)


@settings(max_examples=100, deadline=None)
@for_all(st.integers(1, 10**5), st.floats(1, 4), st.integers(1, 8))
def test_delays_are_rounded_half_up(initial: int, multiplier: float, number: int) -> None:
    """Half up, as people round; banker's rounding would differ between languages."""
    delay = Backoff(strategy=EXPONENTIAL, initial_delay_ms=initial, multiplier=multiplier).delay_ms(number)
    assert delay is not None
    exact = initial * multiplier ** (number - 1)
    assert delay == MAX_DELAY_MS or -0.5 < delay - exact <= 0.5
    assert delay == min(math.floor(exact + 0.5), MAX_DELAY_MS)


@pytest.mark.parametrize(
    ("jitter_ms", "draw", "applied"),
    [(0, 0.999, 0), (1, 0.0, 0), (1, 0.499, 0), (1, 0.5, 1), (9, 0.0, 0), (9, 0.05, 0), (9, 0.1, 1), (9, 0.999999, 9)],
)
def test_jitter_is_the_floor_of_the_draw_times_one_more(jitter_ms: int, draw: float, applied: int) -> None:
    """Every value from 0 to jitter_ms is as likely, and a replay with the recorded draw gets the same."""
    backoff = Backoff(strategy=Strategy.FIXED, initial_delay_ms=100, jitter_ms=jitter_ms)
    decision = decide(RetryPolicy(backoff=backoff), now_ms=1_000, draw=draw)
    assert (decision.draw, decision.jitter_ms, decision.delay_ms) == (draw, applied, 100)
    assert decision.next_retry_at_ms == 1_100 + applied


@pytest.mark.parametrize("number", [1, 2])
def test_a_final_decision_applies_no_jitter(number: int) -> None:
    """Nothing is promised, so nothing is due."""
    backoff = Backoff(strategy=Strategy.FIXED, initial_delay_ms=100, jitter_ms=50)
    decision = decide(RetryPolicy(backoff=backoff, max_attempts=number), number=number, draw=0.9)
    assert (decision.terminal, decision.jitter_ms, decision.next_retry_at_ms) == (True, 0, None)


@pytest.mark.parametrize(
    ("classes", "accepted", "refused"),
    [
        (None, [*DEFAULT_CLASSES, "interrupted"], ["provider_auth", "outcome_unknown", "policy_withheld", "custom"]),
        ([], ["execution_error", "custom", "provider_auth", "interrupted"], sorted(NEVER_BY_WILDCARD)),
        (["*"], ["custom", "provider_auth", "interrupted"], ["approval_denied", "outcome_unknown", "policy_withheld"]),
        (["Provider-Auth ", "x y"], ["provider_auth", "x_y", "interrupted"], ["execution_error", "custom"]),
        (["outcome_unknown"], ["outcome_unknown", "interrupted"], ["execution_error", "policy_withheld"]),
        (["*", "policy_withheld"], ["policy_withheld", "custom"], ["outcome_unknown", "approval_denied"]),
    ],
)
def test_which_classes_are_retried(classes: list[str] | None, accepted: list[str], refused: list[str]) -> None:
    """A wildcard never covers what must not be repeated blindly; an interruption is always retried."""
    retry = RetryPolicy(retryable_failure_classes=classes)
    assert [name for name in accepted if not retry.accepts(name)] == []
    assert [name for name in refused if retry.accepts(name)] == []


@pytest.mark.parametrize(
    ("retry", "failure", "number", "elapsed", "verdict"),
    [
        (policy(1, max_elapsed_ms=5), DENIED, 1, 9, "not_retryable"),
        (policy(1, max_elapsed_ms=5), BROKEN, 1, 9, "attempts_exhausted"),
        (policy(2, max_elapsed_ms=5), BROKEN, 3, 9, "attempts_exhausted"),
        (policy(2, max_elapsed_ms=5), BROKEN, 1, 5, "elapsed_time_exhausted"),
        (policy(2, delay_ms=7, max_elapsed_ms=5), BROKEN, 1, 4, "retry_scheduled"),
        (policy(2, max_elapsed_ms=5), BROKEN, 1, 4, "retry_allowed"),
        (policy(2), BROKEN, 1, 10**12, "retry_allowed"),
        (policy(2), TIMEOUT, 1, 0, "retry_scheduled"),
        (policy(1), Failure("interrupted"), 1, 0, "attempts_exhausted"),
        (policy(2, retryable_failure_classes=["x"]), Failure("interrupted"), 1, 0, "retry_allowed"),
    ],
)
def test_the_first_matching_verdict_wins(
    retry: RetryPolicy, failure: Failure, number: int, elapsed: int, verdict: str
) -> None:
    """The order is part of the contract: reports count verdicts."""
    decision = decide(retry, failure, number=number, started_ms=100, now_ms=100 + elapsed)
    assert decision.verdict == verdict
    assert decision.terminal is (verdict not in ("retry_scheduled", "retry_allowed"))
    assert (decision.next_retry_at_ms is not None) is (verdict == "retry_scheduled")


def test_a_clock_that_went_backwards_makes_no_negative_time() -> None:
    """Elapsed time never exhausts, and never becomes negative, because a clock was set."""
    decision = decide(policy(3, delay_ms=7, max_elapsed_ms=5), started_ms=1_000, now_ms=10)
    assert (decision.elapsed_ms, decision.verdict, decision.next_retry_at_ms) == (0, Verdict.RETRY_SCHEDULED, 17)


def test_transient_failures_back_off_also_without_a_backoff() -> None:
    """A provider in trouble is not hammered: 2, 5, 8, 8 seconds."""
    delays = [decide(policy(10), TIMEOUT, number=number).delay_ms for number in (1, 2, 3, 4, 9)]
    assert delays == [2_000, 5_000, 8_000, 8_000, 8_000]
    assert decide(policy(10, delay_ms=30), TIMEOUT).delay_ms == 30
    assert decide(policy(10), BROKEN).delay_ms is None


def test_a_decision_carries_every_input() -> None:
    """What-if replays decide again from the event alone."""
    retry = policy(4, "dead_letter", 50, max_elapsed_ms=99, manual_override=ManualOverride(enabled=False))
    decision = decide(retry, TIMEOUT, number=2, lifetime=5, started_ms=100, now_ms=130, draw=0.25)
    wanted = f"{retry.id} retry_scheduled dead_letter 2 5 4 30 99 130 0.25 50 0 180 False"
    names = "policy verdict mode number lifetime max_attempts elapsed_ms max_elapsed_ms decided_at_ms draw delay_ms"
    names += " jitter_ms next_retry_at_ms override_allowed"
    assert " ".join(str(getattr(decision, name)) for name in names.split()) == wanted
    assert set(type(decision).model_fields) == {*names.split(), "failure", "terminal"}
    assert decision.failure == TIMEOUT
    assert RetryDecision.model_validate_json(decision.model_dump_json()) == decision


def test_a_policy_is_named_by_its_content() -> None:
    """The id in a decision finds the body in the log, whatever the spelling."""
    assert policy(3).id == RetryPolicy().id == "retry-policy-v1-" + RetryPolicy().id[-64:]
    assert RetryPolicy(retryable_failure_classes=("b", "a")).id == RetryPolicy(retryable_failure_classes=("A ", "b")).id
    many = [f"class_{n}" for n in range(9, 0, -1)]  # in their order, and not in that of this process's hashes
    assert RetryPolicy(retryable_failure_classes=many).retryable_failure_classes == tuple(reversed(many))
    assert len({policy(n).id for n in range(1, 11)}) == 10
    assert RetryPolicy(**policy(7, "dead_letter", 5).document()) == policy(7, "dead_letter", 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "values", "says"),
    [
        (RetryPolicy, {"max_attempts": 0}, "^max_attempts: 0 is not accepted; expected an integer from 1 to 10$"),
        (RetryPolicy, {"max_attempts": 11}, "^max_attempts: 11 .* an integer from 1 to 10"),
        (RetryPolicy, {"max_attempts": True}, "^max_attempts: True"),
        (RetryPolicy, {"max_attempts": 3.0}, "^max_attempts: 3.0"),
        (RetryPolicy, {"max_elapsed_ms": 0}, "^max_elapsed_ms: 0 .* from 1 to"),
        (RetryPolicy, {"version": 2}, "^version: 2"),
        (RetryPolicy, {"version": True}, "^version: True"),
        (RetryPolicy, {"retryable_failure_classes": "x"}, "^retryable_failure_classes: 'x' .* a list"),
        (RetryPolicy, {"retryable_failure_classes": [" "]}, "^retryable_failure_classes: ' '"),
        (RetryPolicy, {"attempts": 3}, "^attempts: 3"),
        (RetryPolicy, {"backoff": {"jitter_ms": -1}}, "^backoff.jitter_ms: -1 .* from 0 to 86400000$"),
        (Backoff, {"initial_delay_ms": MAX_DELAY_MS + 1}, "^initial_delay_ms: .* from 0 to 86400000$"),
        (Backoff, {"max_delay_ms": "5"}, "^max_delay_ms: '5'"),
        (Backoff, {"multiplier": 0.9}, "^multiplier: 0.9 .* from 1 to 1000$"),
        (Backoff, {"multiplier": math.nan}, "^multiplier: nan"),
        (Backoff, {"multiplier": math.inf}, "^multiplier: inf"),
        (Backoff, {"multiplier": True}, "^multiplier: True"),
        (Backoff, {"multiplier": "2"}, "^multiplier: '2'"),
        (Backoff, {"strategy": "linear"}, "^strategy: 'linear' .*'none', 'fixed' or 'exponential'"),
        (TerminalBehavior, {"mode": "give_up"}, "^mode: 'give_up'"),
        (ManualOverride, {"enabled": 1}, "^enabled: 1"),
        (ManualOverride, {"requires_reason": "no"}, "^requires_reason: 'no'"),
    ],
)
def test_the_constructors_validate(make: type[RetryPolicy], values: dict[str, Any], says: str) -> None:
    """A typing error in a policy is found when it is written, by field and accepted range."""
    with pytest.raises(InvalidValue, match=says):
        make(**values)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"max_dispatches": 0}, "^max_dispatches: 0 .* from 1 to 1000$"),
        ({"max_dispatches": True}, "^max_dispatches: True"),
        ({"max_dispatches": "5"}, "^max_dispatches: '5'"),
        ({"base_delay_ms": -1}, "^base_delay_ms: -1 .* from 0 to 86400000$"),
        ({"max_delay_ms": 1.5}, "^max_delay_ms: 1.5"),
        ({"continue_after_recurrence": "no"}, "^continue_after_recurrence: 'no'"),
        ({"budget": 5}, "^budget: 5 .* one of the known names$"),
        ({"max_dispatch": 5}, r"^max_dispatch: 5 .* \(did you mean 'max_dispatches'\?\)$"),
    ],
)
def test_redrive_policies_validate_in_the_same_way(values: dict[str, Any], says: str) -> None:
    """One boundary, one kind of refusal."""
    with pytest.raises(InvalidValue, match=says):
        RedrivePolicy(**values)
