"""The state of a run: what the rules look at. Its events change it, in ``evolution``."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from redrive.domain.failure import Failure
from redrive.domain.flow import Flow
from redrive.domain.identity import DeadLetterId, EffectId, NodeId, RunId, Tenant
from redrive.domain.retry_policy import Mode, RetryDecision
from redrive.domain.run import events as e
from redrive.domain.run.holder import Holder
from redrive.domain.values import JsonValue


class Status(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    AWAITING_APPROVAL = "awaiting_approval"
    COMPLETED = "completed"
    BLOCKED = "blocked"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = (Status.COMPLETED, Status.CANCELLED)


QUEUED, RUNNING = Status.QUEUED, Status.RUNNING  # for every command: to look a member up takes Python 3.11 long
_STOPPED = (Status.FAILED, Status.BLOCKED)


class NodeStatus(StrEnum):
    """Where a node stands. That it is blocked by a failed ancestor is derived, never stored."""

    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"
    AWAITING_APPROVAL = "awaiting_approval"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(slots=True)
class NodeState:
    """A node within a run. *reports* remembers, by lifetime, how an attempt ended: the same report again is no news;
    *effects* the attempt (its lifetime) that last was admitted to send each of its effects. *decided_by* is who gave
    or denied an approval."""

    unmet: int
    status: NodeStatus = NodeStatus.PENDING
    number: int = 0
    next_number: int = 1
    lifetime: int = 0
    first_started_ms: int | None = None
    started_ms: int = 0
    due_ms: int | None = None
    due_reason: e.QueueReason = "retry_backoff"
    output: JsonValue = None
    failure: Failure | None = None
    mode: Mode | None = None
    reports: dict[int, tuple[str, RetryDecision | None]] | None = None
    decided_by: str | None = None
    effects: dict[EffectId, int] | None = None


class Claim(NamedTuple):
    """Who may execute the run now."""

    epoch: int
    worker: str
    holder: Holder | None
    lease_ms: int
    expires_at_ms: int


@dataclass(slots=True)
class Run:
    """One execution of a flow. Counters and sets keep every decision O(changed edges). *ready*, *running* and *waiting*
    are nodes that have a handler; of the others, *approvals* are pending (with their expiry), *timers* are timed waits
    (with their end), *unbegun* are ready while a pause or a final failure keeps them from beginning. *held_by* names
    the limits that it waits for; *passed_over*: it waits again, before anything of it could start. *stands_since* is
    the version at which it last finished or was resumed: what the sweep held before that is judged again."""

    flow: Flow
    tenant: Tenant = field(default_factory=Tenant)
    id: RunId = RunId("")
    automation: str = ""
    key: str | None = None
    content: str = ""
    input: JsonValue = None
    status: Status = Status.QUEUED
    generation: int = 1
    epoch: int = 0
    claim: Claim | None = None
    due_ms: int | None = None
    queue_reason: str = "submitted"
    submitted_at_ms: int = 0
    finished_at_ms: int | None = None
    pause_requested: bool = False
    nodes: dict[NodeId, NodeState] = field(default_factory=dict)
    ready: dict[NodeId, None] = field(default_factory=dict)
    running: dict[NodeId, None] = field(default_factory=dict)
    waiting: dict[NodeId, int] = field(default_factory=dict)
    approvals: dict[NodeId, int | None] = field(default_factory=dict)
    timers: dict[NodeId, int] = field(default_factory=dict)
    unbegun: dict[NodeId, None] = field(default_factory=dict)
    failed: dict[NodeId, Mode] = field(default_factory=dict)
    failing: int = 0
    stopped_by: Mode | None = None
    succeeded: int = 0
    dead_letters: dict[NodeId, DeadLetterId] = field(default_factory=dict)
    effect_letters: dict[EffectId, DeadLetterId] = field(default_factory=dict)
    held_by: tuple[str, ...] = ()
    held_since_ms: int | None = None
    passed_over: bool = False
    stands_since: int = 0
    version: int = 0

    @property
    def correlation(self) -> str:
        """What its events belong to: itself."""
        return self.id

    @property
    def redrivable(self) -> bool:
        """Whether the sweep may requeue the run now."""
        return self.status in _STOPPED and not self.pause_requested
