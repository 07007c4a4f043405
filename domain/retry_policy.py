"""Retry policies: how often, how soon, and what a final failure does to its run.

Two ways in: the constructors validate (they raise, naming field and accepted range);
``RetryPolicy.from_document`` normalises documents of other systems.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, StrictBool, field_validator

from redrive.domain.document import Document, within
from redrive.domain.errors import InvalidValue
from redrive.domain.failure import (
    APPROVAL_DENIED,
    INTERRUPTED,
    MAX_DELAY_MS,
    OUTCOME_UNKNOWN,
    POLICY_WITHHELD,
    PROVIDER_TRANSIENT,
    Failure,
    failure_class_named,
)
from redrive.domain.identity import PolicyId
from redrive.domain.retry_documents import MAX_ATTEMPTS, normalised_policy
from redrive.domain.values import MAX_INTEGER, JsonValue, clean_integer, digest

RETRYABLE_BY_DEFAULT = frozenset(
    {
        "artifact_contract_unmet",
        "contract_miss",
        "execution_error",
        "missing_config",
        "outbox_send",
        "provider_terminal",
        "provider_transient",
        "tool_resolution",
        "tool_resolution_failed",
        "validation_error",
        "wait_wakeup",
        "webhook_delivery",
    }
)
NEVER_BY_WILDCARD = frozenset({OUTCOME_UNKNOWN, APPROVAL_DENIED, POLICY_WITHHELD})


class Strategy(StrEnum):
    """How the delay grows."""

    NONE = "none"
    FIXED = "fixed"
    EXPONENTIAL = "exponential"


class Mode(StrEnum):
    """What a final failure does: fail the run, block it for review, or let other branches go on."""

    FAIL_RUN = "fail_run"
    PAUSE_FOR_REVIEW = "pause_for_review"
    DEAD_LETTER = "dead_letter"


def stopping(mode: Mode, before: Mode | None) -> Mode | None:
    """What keeps anything new from starting once a node failed for good in this *mode*; *before*: what did so far."""
    stops = mode is Mode.FAIL_RUN or (mode is Mode.PAUSE_FOR_REVIEW and before is None)
    return mode if stops else before


class Verdict(StrEnum):
    """What a policy decided about a failed attempt."""

    NOT_RETRYABLE = "not_retryable"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    ELAPSED_TIME_EXHAUSTED = "elapsed_time_exhausted"
    RETRY_SCHEDULED = "retry_scheduled"
    RETRY_ALLOWED = "retry_allowed"

    @property
    def terminal(self) -> bool:
        """Whether no automatic attempt follows."""
        return self not in (Verdict.RETRY_SCHEDULED, Verdict.RETRY_ALLOWED)


class Backoff(Document):
    """Delays between attempts, in milliseconds: initial × multiplier^(n−1), capped by *max_delay_ms* when > 0."""

    strategy: Strategy | Literal["none", "fixed", "exponential"] = Strategy.NONE
    initial_delay_ms: int = 0
    max_delay_ms: int = 0
    multiplier: float = 2.0
    jitter_ms: int = 0

    _range = field_validator("initial_delay_ms", "max_delay_ms", "jitter_ms", mode="before")(within(0, MAX_DELAY_MS))

    @field_validator("strategy")
    @classmethod
    def _strategy(cls, value: str) -> Strategy:
        return Strategy(value)

    @field_validator("multiplier", mode="before")
    @classmethod
    def _multiplier(cls, value: object) -> float:
        if type(value) not in (int, float) or not 1.0 <= value <= 1_000.0:  # type: ignore[operator]
            raise InvalidValue("multiplier", value, "a number from 1 to 1000")
        return float(value)  # type: ignore[arg-type]

    def delay_ms(self, number: int) -> int | None:
        """The delay after attempt *number* (≥ 1) without jitter; None when there is none."""
        if self.strategy is Strategy.NONE or self.initial_delay_ms == 0:
            return None
        delay = float(self.initial_delay_ms)
        if self.strategy is Strategy.EXPONENTIAL:
            try:
                delay *= self.multiplier ** (number - 1)
            except OverflowError:
                delay = math.inf
        cap = min(self.max_delay_ms or MAX_DELAY_MS, MAX_DELAY_MS)
        return cap if delay >= cap else math.floor(delay + 0.5)


TRANSIENT_BACKOFF = Backoff(strategy=Strategy.EXPONENTIAL, initial_delay_ms=2_000, multiplier=2.5, max_delay_ms=8_000)
"""For provider_transient under a policy without a backoff: 2,000, 5,000, 8,000, 8,000 …"""


class TerminalBehavior(Document):
    """What happens after the last automatic attempt."""

    mode: Mode | Literal["fail_run", "pause_for_review", "dead_letter"] = Mode.FAIL_RUN

    @field_validator("mode")
    @classmethod
    def _mode(cls, value: str) -> Mode:
        return Mode(value)


class ManualOverride(Document):
    """Whether an operator may retry beyond the policy; a reason is always required."""

    enabled: StrictBool = True
    requires_reason: StrictBool = True


class RetryDecision(BaseModel):
    """A verdict with every input it was made from. *terminal*: no automatic attempt follows. Times and delays are
    milliseconds."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    verdict: Verdict
    terminal: bool
    policy: PolicyId
    failure: Failure
    number: int
    lifetime: int
    max_attempts: int
    elapsed_ms: int
    max_elapsed_ms: int | None
    mode: Mode
    decided_at_ms: int
    draw: float
    delay_ms: int | None = None
    jitter_ms: int = 0
    next_retry_at_ms: int | None = None
    override_allowed: bool = True


class RetryPolicy(Document):
    """When a failed attempt is tried again. *retryable_failure_classes*: None is the default list, an empty
    list or ``*`` accepts all but outcome_unknown, approval_denied and policy_withheld."""

    version: Literal[1] = 1
    max_attempts: int = 3
    retryable_failure_classes: Sequence[str] | None = None
    backoff: Backoff = Backoff()
    max_elapsed_ms: int | None = None
    terminal_behavior: TerminalBehavior = TerminalBehavior()
    manual_override: ManualOverride = ManualOverride()

    _attempts = field_validator("max_attempts", mode="before")(within(1, MAX_ATTEMPTS))
    _version = field_validator("version", mode="before")(within(1, 1))

    @field_validator("max_elapsed_ms", mode="before")
    @classmethod
    def _elapsed(cls, value: object) -> int | None:
        return None if value is None else clean_integer(value, "max_elapsed_ms", 1, MAX_INTEGER)

    @field_validator("retryable_failure_classes", mode="before")
    @classmethod
    def _classes(cls, value: object) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise InvalidValue("retryable_failure_classes", value, "a list of failure classes")
        return tuple(sorted({failure_class_named(name, "retryable_failure_classes") for name in value}))

    @classmethod
    def from_document(cls, document: JsonValue) -> "RetryPolicy":
        """The policy that a *document* of another system means: snake_case or camelCase, nested or flat;
        what cannot be meant is ignored, attempts are clamped to 1..10. Raises InvalidValue for no object."""
        return cls(**normalised_policy(document))

    @cached_property
    def id(self) -> PolicyId:
        """``retry-policy-v1-`` and the digest of the policy."""
        return PolicyId(f"retry-policy-v1-{digest(self.document())}")

    @property
    def mode(self) -> Mode:
        """What a final failure does to the run."""
        return Mode(self.terminal_behavior.mode)

    def accepts(self, failure_class: str) -> bool:
        """Whether a failure of this class is worth another attempt."""
        if failure_class == INTERRUPTED:
            return True
        classes = self.retryable_failure_classes
        if classes is None:
            return failure_class in RETRYABLE_BY_DEFAULT
        if failure_class in classes:
            return True
        return (not classes or "*" in classes) and failure_class not in NEVER_BY_WILDCARD

    def decide(
        self, failure: Failure, *, number: int, lifetime: int, started_ms: int, now_ms: int, draw: float
    ) -> RetryDecision:
        """Judge the failure of attempt *number*; *started_ms* is the node's first start after its last reset,
        *draw*, in [0, 1), comes from the caller: rules never roll dice."""
        elapsed = max(0, now_ms - started_ms)
        backoff = self.backoff
        delay = backoff.delay_ms(number)
        if delay is None and failure.failure_class == PROVIDER_TRANSIENT:
            delay = TRANSIENT_BACKOFF.delay_ms(number)
        if failure.delay_ms is not None:
            delay = failure.delay_ms
        verdict = self._verdict(failure, number, elapsed, delay)
        jitter, next_at = 0, None
        if verdict is Verdict.RETRY_SCHEDULED and delay is not None:
            jitter = math.floor(draw * (backoff.jitter_ms + 1))
            next_at = now_ms + delay + jitter
        return RetryDecision(
            verdict=verdict,
            terminal=verdict.terminal,
            policy=self.id,
            failure=failure,
            number=number,
            lifetime=lifetime,
            max_attempts=self.max_attempts,
            elapsed_ms=elapsed,
            max_elapsed_ms=self.max_elapsed_ms,
            mode=self.mode,
            decided_at_ms=now_ms,
            draw=draw,
            delay_ms=delay,
            jitter_ms=jitter,
            next_retry_at_ms=next_at,
            override_allowed=self.manual_override.enabled,
        )

    def _verdict(self, failure: Failure, number: int, elapsed_ms: int, delay_ms: int | None) -> Verdict:
        if failure.final or not self.accepts(failure.failure_class):
            return Verdict.NOT_RETRYABLE
        if number >= self.max_attempts:
            return Verdict.ATTEMPTS_EXHAUSTED
        if self.max_elapsed_ms is not None and elapsed_ms >= self.max_elapsed_ms:
            return Verdict.ELAPSED_TIME_EXHAUSTED
        return Verdict.RETRY_ALLOWED if delay_ms is None else Verdict.RETRY_SCHEDULED
