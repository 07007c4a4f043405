"""Redrive policies: how often, and how soon, the sweep dispatches a dead letter again."""

from functools import cached_property

from pydantic import StrictBool, field_validator

from redrive.domain.document import Document, within
from redrive.domain.failure import MAX_DELAY_MS
from redrive.domain.identity import PolicyId
from redrive.domain.values import digest


class RedrivePolicy(Document):
    """The first dispatch goes at once; after *count* dispatches the next waits
    min(*max_delay_ms*, *base_delay_ms* × 2^count) milliseconds; *max_dispatches* is the budget."""

    max_dispatches: int = 5
    base_delay_ms: int = 1_000
    max_delay_ms: int = 300_000
    continue_after_recurrence: StrictBool = True

    _budget = field_validator("max_dispatches", mode="before")(within(1, 1_000))
    _delays = field_validator("base_delay_ms", "max_delay_ms", mode="before")(within(0, MAX_DELAY_MS))

    @cached_property
    def id(self) -> PolicyId:
        """``redrive-policy-v1-`` and the digest of the policy."""
        return PolicyId(f"redrive-policy-v1-{digest(self.document())}")

    def delay_ms(self, count: int) -> int:
        """How long the next dispatch waits after *count* dispatches."""
        return min(self.max_delay_ms, self.base_delay_ms * 2 ** min(count, 40)) if count else 0
