"""What can happen to a run. Times are UTC milliseconds."""

from typing import ClassVar, Literal

from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.identity import DeadLetterId, EffectId, FlowDigest, NodeId, RunId
from redrive.domain.limits import LimitUse
from redrive.domain.retry_policy import RetryDecision
from redrive.domain.run.holder import Holder
from redrive.domain.values import CleanJson, JsonValue

QueueReason = Literal[
    "submitted", "retry_backoff", "snoozed", "wait", "released", "no_handler", "reclaimed", "resumed", "approved",
    "wait_ended", "resource_lock", "rate_limit",
]  # fmt: skip
RequeueCause = Literal["redrive", "recover"]


class RunSubmitted(Event):
    """A run of a flow was accepted; it is queued and due at once."""

    TOPIC: ClassVar[str] = "run.submitted"

    run: RunId
    automation: str
    key: str | None
    flow: FlowDigest
    nodes: int
    input: CleanJson
    content: str
    submitted_at_ms: int


class RunClaimed(Event):
    """A worker won the right to execute the run until its lease expires, and within these *limits*."""

    TOPIC: ClassVar[str] = "run.claimed"
    VERSION: ClassVar[int] = 2
    ADDED: ClassVar[dict[int, dict[str, JsonValue]]] = {2: {"limits": []}}

    epoch: int
    generation: int
    worker: str
    holder: Holder | None
    lease_ms: int
    expires_at_ms: int
    limits: tuple[LimitUse, ...] = ()


class LeaseRenewed(Event):
    """The holder of the claim is alive; the lease never gets shorter."""

    TOPIC: ClassVar[str] = "run.lease-renewed"

    epoch: int
    expires_at_ms: int


class ClaimReleased(Event):
    """The holder gave the run back without having an attempt running."""

    TOPIC: ClassVar[str] = "run.claim-released"

    epoch: int
    why: Literal["released", "no_handler"]


class ClaimAbandoned(Event):
    """The claim was taken from a holder that is gone; its epoch stays."""

    TOPIC: ClassVar[str] = "run.claim-abandoned"

    epoch: int
    worker: str
    why: Literal["lease_expired", "process_gone"]
    expires_at_ms: int


class AttemptStarted(Event):
    """A try of a node began, within these *limits*. *lifetime* identifies it for ever; *number* counts since the
    last reset."""

    TOPIC: ClassVar[str] = "run.attempt-started"
    VERSION: ClassVar[int] = 2
    ADDED: ClassVar[dict[int, dict[str, JsonValue]]] = {2: {"limits": []}}

    node: NodeId
    number: int
    lifetime: int
    epoch: int
    started_at_ms: int
    deadline_ms: int | None
    limits: tuple[LimitUse, ...] = ()


class AttemptSucceeded(Event):
    """A node has its output; dependants may start."""

    TOPIC: ClassVar[str] = "run.attempt-succeeded"

    node: NodeId
    number: int
    lifetime: int
    epoch: int
    output: CleanJson
    report: str


class AttemptFailed(Event):
    """A try failed; the decision says whether another follows, and from which inputs that was decided."""

    TOPIC: ClassVar[str] = "run.attempt-failed"

    node: NodeId
    number: int
    lifetime: int
    epoch: int
    decision: RetryDecision
    report: str

    @property
    def failure(self) -> Failure:
        """What went wrong: an input of the decision."""
        return self.decision.failure


class AttemptSnoozed(Event):
    """The handler asked to be called again later; the number does not change."""

    TOPIC: ClassVar[str] = "run.attempt-snoozed"

    node: NodeId
    number: int
    lifetime: int
    epoch: int
    delay_ms: int
    due_ms: int
    report: str


class AttemptInterrupted(Event):
    """The executor went away during the try, which counts; the decision says what follows."""

    TOPIC: ClassVar[str] = "run.attempt-interrupted"

    node: NodeId
    number: int
    lifetime: int
    epoch: int
    decision: RetryDecision


class RetryBackoffScheduled(Event):
    """The node failed, may try again, and waits until *retry_after_ms*."""

    TOPIC: ClassVar[str] = "run.retry-backoff-scheduled"

    node: NodeId
    number: int
    next_number: int
    max_attempts: int
    backoff_ms: int
    retry_after_ms: int
    resource_key: str
    reason: str


class RunQueued(Event):
    """The run waits to be claimed, from *due_ms* on (when the reason is ``wait``, first for the end of a timed wait);
    or until the *limits* that hold it back have room, before those that wait since later than *since_ms*."""

    TOPIC: ClassVar[str] = "run.queued"
    VERSION: ClassVar[int] = 2  # the first knew fewer reasons, and no limits
    ADDED: ClassVar[dict[int, dict[str, JsonValue]]] = {2: {"limits": [], "since_ms": None}}

    reason: QueueReason
    due_ms: int | None
    limits: tuple[LimitUse, ...] = ()
    since_ms: int | None = None


class RunRequeued(Event):
    """A failed or blocked run starts its next generation: *roots* and their dependants become pending."""

    TOPIC: ClassVar[str] = "run.requeued"

    cause: RequeueCause
    generation: int
    roots: tuple[NodeId, ...]
    reset_count: int
    reset_digest: str
    due_ms: int


class RunPauseRequested(Event):
    """Nothing new starts until the run is resumed."""

    TOPIC: ClassVar[str] = "run.pause-requested"


class RunPaused(Event):
    """The pause took hold: no attempt is running."""

    TOPIC: ClassVar[str] = "run.paused"


class RunResumed(Event):
    """The pause request is lifted; a backoff still holds."""

    TOPIC: ClassVar[str] = "run.resumed"


class EffectAdmitted(Event):
    """An attempt may send an effect: what is read here is fenced against cancel and reclaim."""

    TOPIC: ClassVar[str] = "run.effect-admitted"

    node: NodeId
    lifetime: int
    epoch: int
    effect: EffectId
    try_number: int


class DeadLetterLinked(Event):
    """A dead letter belongs to this run: to one of its nodes, or to an *effect* of the node."""

    TOPIC: ClassVar[str] = "run.dead-letter-linked"
    VERSION: ClassVar[int] = 2
    ADDED: ClassVar[dict[int, dict[str, JsonValue]]] = {2: {"effect": None}}

    node: NodeId
    dead_letter: DeadLetterId
    effect: EffectId | None


class RunCompleted(Event):
    """Every node succeeded. Final."""

    TOPIC: ClassVar[str] = "run.completed"

    finished_at_ms: int


class RunBlocked(Event):
    """Nothing can proceed without an operator."""

    TOPIC: ClassVar[str] = "run.blocked"

    finished_at_ms: int


class RunFailed(Event):
    """A node failed for good and its policy fails the run."""

    TOPIC: ClassVar[str] = "run.failed"

    finished_at_ms: int


class RunCancelled(Event):
    """An operator ended the run. Final: no late report and no backoff brings it back."""

    TOPIC: ClassVar[str] = "run.cancelled"

    was: str
    finished_at_ms: int


class NoteAdded(Event):
    """Somebody wrote something down."""

    TOPIC: ClassVar[str] = "run.note-added"

    text: str
