"""Retry documents of other systems: normalised, never refused for what is in them."""

import math
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from redrive.domain.errors import InvalidValue
from redrive.domain.retry_policy import Backoff, RetryPolicy, Strategy

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    *("version", "max_attempts", "maxAttempts", "retryable_failure_classes", "retryableFailureClasses", "backoff"),
    *("strategy", "initial_delay_ms", "initialDelayMs", "maxDelayMs", "multiplier", "jitterMs", "max_elapsed_ms"),
    *("terminal_behavior", "terminalBehavior", "mode", "manual_override", "enabled", "requiresReason"),
]
WORDS = st.sampled_from(["none", "fixed", " Exponential", "dead-letter", "fail_run", "x" * 600, "*", ""])
DOCUMENTS = st.dictionaries(
    st.sampled_from(KEYS),
    JSON | WORDS | st.lists(WORDS) | st.dictionaries(st.sampled_from(KEYS), JSON | WORDS, max_size=6),
    max_size=10,
)


def policy_of(**document: Any) -> RetryPolicy:
    """What the document means."""
    return RetryPolicy.from_document(document)


def test_an_empty_document_is_the_default_policy() -> None:
    """Nothing said, nothing changed."""
    assert policy_of() == RetryPolicy()


def test_camel_case_and_snake_case_nested_and_flat_mean_the_same() -> None:
    """Four spellings, one policy, one id."""
    nested = {"strategy": "exponential", "initial_delay_ms": 5, "max_delay_ms": 9, "multiplier": 3, "jitter_ms": 1}
    camel = {"strategy": "exponential", "initialDelayMs": 5, "maxDelayMs": 9, "multiplier": 3, "jitterMs": 1}
    wanted = RetryPolicy(max_attempts=5, backoff=Backoff(**nested))  # type: ignore[arg-type]
    assert policy_of(max_attempts=5, backoff=nested) == wanted
    assert policy_of(maxAttempts=5, backoff=camel) == wanted
    assert policy_of(max_attempts=5, **nested) == wanted
    assert policy_of(maxAttempts=5, **camel) == wanted


@pytest.mark.parametrize(
    ("document", "attempts"),
    [
        ({"max_attempts": 0}, 1),
        ({"max_attempts": 1}, 1),
        ({"max_attempts": 10}, 10),
        ({"max_attempts": 11}, 10),
        ({"max_attempts": 2**53 - 1}, 10),
        ({"max_attempts": -1}, 3),
        ({"max_attempts": 2.5}, 3),
        ({"max_attempts": "7"}, 3),
        ({"max_attempts": None}, 3),
        ({"max_attempts": True}, 3),
        ({"maxAttempts": 7, "max_attempts": 4}, 4),
        ({"max_attempts": 4, "maxAttempts": 7}, 4),
    ],
)
def test_attempts_are_clamped_and_what_is_no_number_is_ignored(document: dict[str, Any], attempts: int) -> None:
    """From 1 to 10; the exact spelling wins."""
    assert RetryPolicy.from_document(document).max_attempts == attempts


@pytest.mark.parametrize("value", [-1, 0.5, "5", None, True, [5], {}, math.inf, math.nan, 2**60])
def test_a_delay_that_is_no_whole_number_is_ignored(value: object) -> None:
    """A wrong number never becomes an early or an endless retry."""
    for name in ("initial_delay_ms", "max_delay_ms", "jitter_ms"):
        assert getattr(policy_of(backoff={name: value}).backoff, name) == 0
    assert policy_of(max_elapsed_ms=value).max_elapsed_ms is None
    assert policy_of(max_elapsed_ms=0).max_elapsed_ms is None, "no time at all is no limit that somebody meant"


def test_delays_are_capped_at_a_day() -> None:
    """A number that is merely too large is meant, and cut."""
    assert policy_of(strategy="fixed", initial_delay_ms=10**10).backoff.initial_delay_ms == 86_400_000


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        *((3, 3.0), (1.5, 1.5), (0.5, 1.0), (0, 1.0), (-2, 1.0), (5_000, 1_000.0)),
        *((math.inf, 2.0), (-math.inf, 2.0), (math.nan, 2.0), ("3", 2.0), (None, 2.0), (True, 2.0)),
        pytest.param(10**400, 1_000.0, id="no float is that large"),
    ],
)
def test_multipliers(given: object, meant: float) -> None:
    """Non-finite ones are ignored, those below 1 become 1: delays never shrink."""
    assert policy_of(backoff={"multiplier": given}).backoff.multiplier == meant


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ([], ()),
        (["*"], ("*",)),
        ([" Provider-Auth", "x"], ("provider_auth", "x")),
        (["x", 3, None, "", " ", "y" * 600], ("x",)),
        ([3, None], None),
        (["y" * 600], None),
        ("x", None),
        (None, None),
    ],
)
def test_failure_classes(given: object, meant: tuple[str, ...] | None) -> None:
    """Junk is left out; a list of nothing but junk does not mean *everything*, as the empty list does."""
    assert policy_of(retryableFailureClasses=given).retryable_failure_classes == meant


@pytest.mark.parametrize(
    ("given", "meant"),
    [("dead_letter", "dead_letter"), (" Pause-For Review", "pause_for_review"), ("x", "fail_run"), (3, "fail_run")],
)
def test_terminal_modes(given: object, meant: str) -> None:
    """Spelling is forgiven, an unknown mode is the default."""
    assert policy_of(terminalBehavior={"mode": given}).mode == meant
    assert policy_of(terminal_behavior={"mode": given}).mode == meant


def test_strategies_and_overrides() -> None:
    """Texts are matched as words, switches only as true and false."""
    assert policy_of(backoff={"strategy": " FIXED "}).backoff.strategy is Strategy.FIXED
    assert policy_of(backoff={"strategy": "linear"}).backoff.strategy is Strategy.NONE
    assert policy_of(manualOverride={"enabled": False, "requiresReason": "no"}).manual_override.enabled is False
    assert policy_of(manual_override={"enabled": 0}).manual_override.enabled is True


@pytest.mark.parametrize("document", [None, [], "x", 3, True])
def test_only_an_object_is_a_document(document: Any) -> None:
    """Anything else is a mistake of the caller."""
    with pytest.raises(InvalidValue, match=r"retry policy: .* expected an object"):
        RetryPolicy.from_document(document)


@settings(max_examples=60, deadline=None)
@for_all(DOCUMENTS)
def test_no_object_is_ever_refused(document: dict[str, Any]) -> None:
    """Whatever another system wrote, its import ends in a valid policy that reads back equal."""
    policy = RetryPolicy.from_document(document)
    assert RetryPolicy(**policy.model_dump()) == policy
    assert RetryPolicy.from_document(policy.document()) == policy
    assert 1 <= policy.max_attempts <= 10
