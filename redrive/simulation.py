"""Simulated tasks: they take a share of their recorded run time and fail by dice that fall the same way every time."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from redrive.domain.errors import InvalidValue
from redrive.domain.failure import PROVIDER_TRANSIENT, Failure, failure_class_named
from redrive.domain.retry_policy import Backoff, Mode, RetryPolicy, Strategy, TerminalBehavior
from redrive.domain.values import MAX_INTEGER, MAX_TIMEOUT_MS, canonical_json, clean_integer

SIMULATED_RETRY = RetryPolicy(
    max_attempts=3,
    backoff=Backoff(strategy=Strategy.EXPONENTIAL, initial_delay_ms=1_000, multiplier=2.0, max_delay_ms=30_000),
    terminal_behavior=TerminalBehavior(mode=Mode.DEAD_LETTER),
)
"""The policy of simulated nodes that name none: 3 attempts, 1 s and 2 s between them, then a dead letter."""

MAX_TIME_SCALE = 1_000_000.0


@dataclass(frozen=True, slots=True)
class SimulatedOutcome:
    """How long an attempt takes, in milliseconds, and how it ends: *failure* is None for a success."""

    duration_ms: int
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Simulation:
    """The rules of a simulated execution.

    An attempt takes its run time × *time_scale* (≥ 0) and fails with probability *failure_rate* (0 to 1), with one of
    *failure_classes* drawn evenly. Equal seeds give equal outcomes on every machine and after every restart, and a
    higher rate fails every attempt that a lower one fails. Raises InvalidValue.
    """

    time_scale: float = 1.0
    failure_rate: float = 0.0
    failure_classes: Sequence[str] = (PROVIDER_TRANSIENT,)
    seed: int = 0

    def __post_init__(self) -> None:
        _number(self.time_scale, "time_scale", MAX_TIME_SCALE)
        _number(self.failure_rate, "failure_rate", 1.0)
        clean_integer(self.seed, "seed", -MAX_INTEGER, MAX_INTEGER)
        names = (self.failure_classes,) if isinstance(self.failure_classes, str) else tuple(self.failure_classes)
        classes = tuple(failure_class_named(name, "failure_classes") for name in names)
        object.__setattr__(self, "failure_classes", classes or (PROVIDER_TRANSIENT,))

    def outcome(self, node_id: str, lifetime: int, runtime_ms: int) -> SimulatedOutcome:
        """How attempt *lifetime* (≥ 1) of a node that takes *runtime_ms* (≥ 0) ends."""
        duration = min(math.floor(runtime_ms * self.time_scale + 0.5), MAX_TIMEOUT_MS)
        draw, choice = self._dice(node_id, lifetime)
        if draw >= self.failure_rate:
            return SimulatedOutcome(duration, None)
        reason = f"simulated: draw {draw:.6f} < failure rate {self.failure_rate:g} (seed {self.seed}, try {lifetime})"
        failure_class = self.failure_classes[choice % len(self.failure_classes)]
        return SimulatedOutcome(duration, Failure(failure_class, reason, kind="simulated"))

    def _dice(self, node_id: str, lifetime: int) -> tuple[float, int]:
        """A number in [0, 1) of 53 random bits, and another number: a function of seed, node and lifetime alone."""
        rolled = hashlib.sha256(canonical_json(["simulation", self.seed, node_id, lifetime])).digest()
        return (int.from_bytes(rolled[:8]) >> 11) / 2**53, int.from_bytes(rolled[8:16])


def _number(value: object, field: str, most: float) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= most:  # type: ignore[operator]  # NaN compares false
        raise InvalidValue(field, value, f"a number from 0 to {most:g}")
