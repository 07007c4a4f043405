"""Simulated tasks: the same dice on every machine, after every restart."""

from typing import Any

import pytest

from redrive.domain.errors import InvalidValue
from redrive.domain.failure import Failure
from redrive.simulation import SIMULATED_RETRY, SimulatedOutcome, Simulation


def failing(simulation: Simulation, tries: int = 2_000) -> set[int]:
    """The attempts of a node that fail."""
    return {n for n in range(1, tries) if simulation.outcome("fetch", n, 100).failure}


def test_dice_fall_as_they_always_fell() -> None:
    """Frozen: a release that rolls otherwise would end interrupted simulations otherwise."""
    fallen = [Simulation(failure_rate=0.5, seed=7).outcome("fetch", n, 100).failure is None for n in range(1, 9)]
    assert fallen == [False, False, True, False, False, False, True, False]


def test_seed_node_and_attempt_each_change_the_dice() -> None:
    """A retry gets a new chance, and so does another node."""
    outcomes = {
        (seed, node, lifetime): Simulation(failure_rate=0.999999, seed=seed).outcome(node, lifetime, 1).failure
        for seed in (1, 2)
        for node in ("a", "b")
        for lifetime in (1, 2)
    }
    assert len({failure.reason for failure in outcomes.values() if failure}) == 8


def test_a_failure_says_that_it_is_simulated_and_why() -> None:
    """Nobody shall look for its cause elsewhere."""
    failure = Simulation(failure_rate=1.0, seed=3).outcome("fetch", 2, 0).failure
    assert failure is not None
    assert (failure.failure_class, failure.kind) == ("provider_transient", "simulated")
    assert failure.reason.startswith("simulated: draw 0.")
    assert "< failure rate 1 (seed 3, try 2)" in failure.reason


def test_the_rate_is_kept_and_a_higher_one_fails_more_of_the_same() -> None:
    """One draw per attempt is compared with the rate."""
    rare, frequent = failing(Simulation(failure_rate=0.2)), failing(Simulation(failure_rate=0.4))
    assert rare < frequent
    assert 0.17 < len(rare) / 2_000 < 0.23
    assert failing(Simulation(failure_rate=0.0)) == set()
    assert len(failing(Simulation(failure_rate=1.0))) == 1_999


def test_classes_are_drawn_evenly() -> None:
    """Spelt as failure classes are."""
    simulation = Simulation(failure_rate=1.0, failure_classes=["Provider-Auth", "execution_error"])
    failures = [simulation.outcome("a", n, 1).failure or Failure("none") for n in range(1_000)]
    share = sum(failure.failure_class == "provider_auth" for failure in failures) / 1_000
    assert 0.4 < share < 0.6
    assert {failure.failure_class for failure in failures} == {"provider_auth", "execution_error"}


@pytest.mark.parametrize(("scale", "duration"), [(0, 0), (0.001, 1), (0.0004, 0), (2.0, 2_000), (1e6, 1_000_000_000)])
def test_time_is_scaled(scale: float, duration: int) -> None:
    """Rounded half up to milliseconds."""
    assert Simulation(time_scale=scale).outcome("a", 1, 1_000) == SimulatedOutcome(duration, None)


def test_a_duration_is_bounded() -> None:
    """By the longest timeout there is: 30 days."""
    assert Simulation(time_scale=1e6).outcome("a", 1, 10**12).duration_ms == 30 * 86_400_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("time_scale", value) for value in (-0.1, float("nan"), float("inf"), True, "1")],
        *[("failure_rate", value) for value in (-0.1, 1.1, float("nan"), True, None)],
        *[("seed", value) for value in (2**53, 1.5, True, "7")],
        *[("failure_classes", value) for value in ([""], [1], ["x" * 600])],
    ],
)
def test_parameters_out_of_range_are_refused(field: str, value: Any) -> None:
    """Named, before anything runs."""
    with pytest.raises(InvalidValue, match=field):
        Simulation(**{field: value})


def test_the_policy_of_simulated_nodes() -> None:
    """Three attempts, 1 s and 2 s apart, then a dead letter."""
    policy = SIMULATED_RETRY
    assert (policy.max_attempts, policy.mode) == (3, "dead_letter")
    assert [policy.backoff.delay_ms(n) for n in (1, 2, 6)] == [1_000, 2_000, 30_000]
