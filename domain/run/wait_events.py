"""What can happen to the approvals and timed waits of a run. Times are UTC milliseconds."""

from typing import ClassVar

from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.identity import NodeId
from redrive.domain.retry_policy import RetryDecision


class ApprovalRequested(Event):
    """Somebody is asked; *lifetime* identifies the request for ever."""

    TOPIC: ClassVar[str] = "run.approval-requested"

    node: NodeId
    lifetime: int
    prompt: str
    requested_at_ms: int
    expires_at_ms: int | None


class ApprovalGiven(Event):
    """Somebody said yes: the node succeeded. *by* is who, as ``kind:id``; the envelope has the whole actor and the
    reason."""

    TOPIC: ClassVar[str] = "run.approval-given"

    node: NodeId
    lifetime: int
    by: str
    given_at_ms: int


class ApprovalDenied(Event):
    """Somebody said no: the node failed for good. *by* is who, as ``kind:id``."""

    TOPIC: ClassVar[str] = "run.approval-denied"

    node: NodeId
    lifetime: int
    by: str
    decision: RetryDecision

    @property
    def failure(self) -> Failure:
        """What was said: an input of the decision."""
        return self.decision.failure


class ApprovalExpired(Event):
    """Nobody decided in time: the node failed for good."""

    TOPIC: ClassVar[str] = "run.approval-expired"

    node: NodeId
    lifetime: int
    decision: RetryDecision

    @property
    def failure(self) -> Failure:
        """What went wrong: an input of the decision."""
        return self.decision.failure


class WaitStarted(Event):
    """A timed wait began; it is over at *due_ms*."""

    TOPIC: ClassVar[str] = "run.wait-started"

    node: NodeId
    lifetime: int
    started_at_ms: int
    due_ms: int


class WaitEnded(Event):
    """A timed wait is over: the node succeeded."""

    TOPIC: ClassVar[str] = "run.wait-ended"

    node: NodeId
    lifetime: int
    ended_at_ms: int


class RunAwaitingApproval(Event):
    """Nothing can go on before somebody decides."""

    TOPIC: ClassVar[str] = "run.awaiting-approval"
