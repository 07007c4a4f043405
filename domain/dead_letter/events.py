"""What can happen to a dead letter. Times are UTC milliseconds; who and why are in the envelope."""

from typing import ClassVar, Literal

from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, NodeId, PolicyId, RunId
from redrive.domain.retry_policy import Verdict
from redrive.domain.values import JsonValue

Source = Literal["node", "tool_effect", "stateful_wait"]


class DeadLetterOpened(Event):
    """A failure that automatic attempts will not fix alone. *run* and *node* are empty for an effect outside runs."""

    TOPIC: ClassVar[str] = "dead-letter.opened"
    VERSION: ClassVar[int] = 2
    ADDED: ClassVar[dict[int, dict[str, JsonValue]]] = {2: {"effect": None, "effect_key": ""}}

    dead_letter: DeadLetterId
    run: RunId
    automation: str
    node: NodeId
    effect: EffectId | None
    effect_key: str
    source: Source
    failure: Failure
    fingerprint: str
    verdict: Verdict
    override_allowed: bool
    number: int
    lifetime: int
    generation: int
    opened_at_ms: int


class DeadLetterRecurred(Event):
    """The failure came again. *status* is where the dead letter stands now; *renewed*: with a fresh budget. *policy*
    said whether retrying goes on."""

    TOPIC: ClassVar[str] = "dead-letter.recurred"
    VERSION: ClassVar[int] = 2
    ADDED: ClassVar[dict[int, dict[str, JsonValue]]] = {2: {"policy": None}}

    failure: Failure
    fingerprint: str
    verdict: Verdict
    number: int
    lifetime: int
    generation: int
    recurred_at_ms: int
    status: str
    renewed: bool
    policy: PolicyId | None = None


class DeadLetterRetryRequested(Event):
    """An operator wants the work done again; the sweep dispatches it."""

    TOPIC: ClassVar[str] = "dead-letter.retry-requested"

    requested_at_ms: int


class DeadLetterRetryDispatched(Event):
    """The run was requeued for this dead letter. *count* dispatches of *budget* are used."""

    TOPIC: ClassVar[str] = "dead-letter.retry-dispatched"

    count: int
    budget: int
    generation: int
    dispatched_at_ms: int
    backoff_ms: int
    not_before_ms: int
    policy: PolicyId


class RetryExhausted(Event):
    """The dispatch budget is spent: parked, for an operator."""

    TOPIC: ClassVar[str] = "dead-letter.retry-exhausted"

    dispatches: int
    budget: int
    policy: PolicyId
    disposition: Literal["retry_exhausted"] = "retry_exhausted"


class RetryBudgetGranted(Event):
    """An operator allows more dispatches."""

    TOPIC: ClassVar[str] = "dead-letter.retry-budget-granted"

    granted: int
    granted_at_ms: int


class DeadLetterHeld(Event):
    """The sweep cannot dispatch it, and that will not pass by itself."""

    TOPIC: ClassVar[str] = "dead-letter.held"

    why: str
    run_version: int
    engine: str


class DeadLetterSuperseded(Event):
    """The work succeeded after the dead letter was settled; its status stays."""

    TOPIC: ClassVar[str] = "dead-letter.superseded"

    lifetime: int


class DeadLetterResolved(Event):
    """The work is done: by a success, or so an operator says."""

    TOPIC: ClassVar[str] = "dead-letter.resolved"

    disposition: Literal["retry_succeeded", "resolved_by_operator"]
    lifetime: int


class DeadLetterIgnored(Event):
    """An operator decided that it does not matter."""

    TOPIC: ClassVar[str] = "dead-letter.ignored"

    lifetime: int


class DeadLetterAbandoned(Event):
    """An operator gave the work up."""

    TOPIC: ClassVar[str] = "dead-letter.abandoned"

    lifetime: int


class DeadLetterLinkedToCompensation(Event):
    """An operator chose to make good for the effect instead of doing it."""

    TOPIC: ClassVar[str] = "dead-letter.linked-to-compensation"

    compensation: CompensationId
    lifetime: int


class DeadLetterReopened(Event):
    """An operator put a settled dead letter back. *renewed*: with a fresh budget."""

    TOPIC: ClassVar[str] = "dead-letter.reopened"

    renewed: bool


class DeadLetterNoted(Event):
    """Somebody wrote something down."""

    TOPIC: ClassVar[str] = "dead-letter.noted"

    text: str
