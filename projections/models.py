"""What queries answer. Times are UTC milliseconds; positions are places in the log."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from redrive.domain.identity import DeadLetterId, RunId

T = TypeVar("T")


class Model(BaseModel):
    """A frozen answer."""

    model_config = ConfigDict(frozen=True)


class Page(Model, Generic[T]):
    """Some of what was found, and a *cursor* for what comes next: None when there is nothing more."""

    items: tuple[T, ...]
    cursor: str | None = None


class RunSummary(Model):
    """A run as its queue shows it. *retries* are backoffs and immediate retries, *takeovers* abandoned claims,
    *open_letters* unsettled dead letters. *readable* is False when a newer version wrote to its stream."""

    run_id: RunId
    tenant: str
    automation: str
    key: str | None
    flow: str
    status: str
    queue_reason: str
    due_ms: int | None
    generation: int
    epoch: int
    worker: str | None
    lease_expires_ms: int | None
    pause_requested: bool
    nodes: int
    succeeded: int
    attempts: int
    retries: int
    takeovers: int
    open_letters: int
    needs_review: bool
    readable: bool
    last_failure_class: str | None
    last_failure_kind: str | None
    last_failure_reason: str | None
    last_failure_node: str | None
    submitted_at_ms: int
    finished_at_ms: int | None
    created: int
    updated: int


class QueueEntry(Model):
    """Something that waits in a queue: a run, or (in retry_backoff) a node of one.

    *remaining_ms* is the time until *due_ms*, never negative. What is said of a node alone is None for a run.
    """

    queue: str
    run_id: RunId
    tenant: str
    automation: str
    key: str | None
    status: str
    reason: str
    generation: int
    worker: str | None
    lease_expires_ms: int | None
    pause_requested: bool
    open_letters: int
    due_ms: int | None
    remaining_ms: int | None = None
    created: int
    node: str | None = None
    number: int | None = None
    next_number: int | None = None
    max_attempts: int | None = None
    backoff_ms: int | None = None
    resource_key: str | None = None
    text: str | None = None


class DeadLetterSummary(Model):
    """A dead letter with its latest failure and the latest decision about it."""

    id: DeadLetterId
    tenant: str
    run_id: RunId
    automation: str
    node: str
    source: str
    status: str
    settled: bool
    failure_class: str
    kind: str | None
    reason: str
    fingerprint: str
    verdict: str
    recurrences: int
    dispatches: int
    budget_granted: int
    not_before_ms: int
    next_dispatch_ms: int | None
    disposition: str | None
    decided_by: str | None
    decided_reason: str | None
    held: str | None
    superseded: bool
    readable: bool
    generation: int
    lifetime: int
    number: int
    opened_at_ms: int
    updated_at_ms: int
    last_failure_at_ms: int
    created: int
    updated: int
    needs_review: bool


class DeadLetterGroup(Model):
    """Dead letters whose latest failures are alike. *reason* is that of the newest of them."""

    fingerprint: str
    tenant: str
    count: int
    unsettled: int
    recurrences: int
    first_seen_ms: int
    last_seen_ms: int
    reason: str
    failure_classes: tuple[str, ...]
    automations: tuple[str, ...]


class Counts(Model):
    """How many there are: *runs* and *dead_letters* by status, *events* by topic, *unknown* ones by theirs."""

    runs: dict[str, int]
    dead_letters: dict[str, int]
    events: dict[str, int]
    unknown: dict[str, int]
    attempts: int
    retries: int
    takeovers: int


class ViewStatus(Model):
    """Where a view stands. *lag* counts the positions of the log that it has not folded."""

    path: str | None
    position: int
    log_position: int
    lag: int
    fingerprint: str
    size_bytes: int
