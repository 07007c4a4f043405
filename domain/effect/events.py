"""What can happen to an effect. Times are UTC milliseconds; requests, receipts and errors are redacted."""

from typing import ClassVar, Literal

from redrive.domain.effect.request import EffectRequest
from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.identity import DeadLetterId, EffectId, NodeId, RunId
from redrive.domain.values import CleanJson

Outcome = Literal["succeeded", "did_not_happen", "still_unknown"]
"""What somebody may find out about an effect whose outcome nobody knew."""


class EffectIntended(Event):
    """It is about to be sent: this was durable before the call. *try_number* counts the sendings.

    Within a run, *lifetime* and *epoch* name the attempt; outside, *expires_at_ms* ends the sender's lease.
    """

    TOPIC: ClassVar[str] = "effect.intended"

    effect: EffectId
    run: RunId | None
    automation: str
    node: NodeId | None
    request: EffectRequest
    try_number: int
    lifetime: int
    epoch: int
    holder: str
    intended_at_ms: int
    expires_at_ms: int | None


class EffectWithheld(Event):
    """The host's gate did not let it out: nothing was sent."""

    TOPIC: ClassVar[str] = "effect.withheld"

    effect: EffectId
    run: RunId | None
    automation: str
    node: NodeId | None
    request: EffectRequest
    lifetime: int
    why: str
    withheld_at_ms: int


class EffectSucceeded(Event):
    """It was done. *late*: the attempt that sent it had passed; that is a fact all the same."""

    TOPIC: ClassVar[str] = "effect.succeeded"

    try_number: int
    receipt: CleanJson
    receipt_digest: str
    late: bool
    ended_at_ms: int


class EffectFailed(Event):
    """It was not done: it never went out, or it was rejected (then there may be a receipt)."""

    TOPIC: ClassVar[str] = "effect.failed"

    try_number: int
    failure: Failure
    receipt: CleanJson
    receipt_digest: str | None
    late: bool
    ended_at_ms: int


class EffectOutcomeUnknown(Event):
    """Nobody here knows whether it was done: never to be sent again blindly."""

    TOPIC: ClassVar[str] = "effect.outcome-unknown"

    try_number: int
    failure: Failure
    late: bool
    ended_at_ms: int


class EffectReconciled(Event):
    """Somebody looked: the host's reconciler, or an operator. *did_not_happen*: it may be sent again."""

    TOPIC: ClassVar[str] = "effect.reconciled"

    try_number: int
    outcome: Outcome
    by: Literal["reconciler", "operator"]
    why: str
    receipt: CleanJson
    receipt_digest: str | None
    reconciled_at_ms: int


class EffectDeadLetterLinked(Event):
    """A dead letter waits for this effect: its success will resolve it."""

    TOPIC: ClassVar[str] = "effect.dead-letter-linked"

    dead_letter: DeadLetterId
