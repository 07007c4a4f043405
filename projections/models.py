"""What queries answer. Times are UTC milliseconds; positions are places in the log."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from redrive.domain.compensation.state import CompensationStatus
from redrive.domain.dead_letter.state import Disposition
from redrive.domain.effect.state import EffectStatus
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, RunId
from redrive.domain.run.state import Status

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
    status: Status
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
    """Something that waits in a queue: a run, or (in retry_backoff and awaiting_approval) a node of one. Of an
    approval, *text* is the prompt and *due_ms* when it expires.

    *remaining_ms* is the time until *due_ms*, never negative. *held_back* says why nobody executes a run that is
    due: no_handler, resource_lock, rate_limit, or capacity (as many runs as may are running); *held_by* names the
    limits that it waits for. What is said of a node alone is None for a run.
    """

    queue: str
    run_id: RunId
    tenant: str
    automation: str
    key: str | None
    status: Status
    reason: str
    generation: int
    worker: str | None
    lease_expires_ms: int | None
    pause_requested: bool
    open_letters: int
    due_ms: int | None
    remaining_ms: int | None = None
    held_back: str | None = None
    held_by: tuple[str, ...] = ()
    created: int
    node: str | None = None
    number: int | None = None
    next_number: int | None = None
    max_attempts: int | None = None
    backoff_ms: int | None = None
    resource_key: str | None = None
    text: str | None = None


class DeadLetterSummary(Model):
    """A dead letter with its latest failure and the latest decision about it. *run_id* is empty for an effect outside
    runs; *effect_id* is what a dead letter with source tool_effect is about, *compensation_id* what settled it."""

    id: DeadLetterId
    tenant: str
    run_id: RunId
    automation: str
    node: str
    source: str
    effect_id: EffectId | None = None
    effect_key: str = ""
    compensation_id: CompensationId | None = None
    status: Disposition
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


class EffectSummary(Model):
    """An action on the outside world. *run_id*, *node*, *holder* and *lifetime* are those of its last try, None or 0
    outside runs; *tries* counts sendings. *late*: the outcome came when its attempt had passed. *reconciled_by*: who
    said what became of it. *compensation* is the operation that would make good for it."""

    id: EffectId
    tenant: str
    run_id: RunId | None
    automation: str
    node: str | None
    key: str
    scope: str
    operation: str
    target: str
    status: EffectStatus
    tries: int
    holder: str
    lifetime: int
    expires_at_ms: int | None
    tolerate: bool
    compensation: str | None
    request_digest: str
    receipt_digest: str | None
    failure_class: str | None
    kind: str | None
    reason: str | None
    did_not_happen: bool
    late: bool
    reconciled_by: str | None
    dead_letters: int
    readable: bool
    began_at_ms: int
    updated_at_ms: int
    created: int
    updated: int


class CompensationSummary(Model):
    """What makes good for an effect. *tries* counts its runs; *outcome_unknown*: the last one may have happened.
    *decided_by* and *decided_reason* are those of the latest decision."""

    id: CompensationId
    tenant: str
    effect_id: EffectId
    effect_key: str
    dead_letter: DeadLetterId
    run_id: RunId | None
    automation: str
    node: str | None
    operation: str
    target: str
    requires_approval: bool
    status: CompensationStatus
    tries: int
    worker: str | None
    expires_at_ms: int | None
    failure_class: str | None
    kind: str | None
    reason: str | None
    outcome_unknown: bool
    receipt_digest: str | None
    decided_by: str | None
    decided_reason: str | None
    readable: bool
    proposed_at_ms: int
    updated_at_ms: int
    created: int
    updated: int


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
    """How many there are: *runs*, *dead_letters*, *effects* and *compensations* by status, *events* by topic, *unknown*
    ones by theirs."""

    runs: dict[str, int]
    dead_letters: dict[str, int]
    effects: dict[str, int]
    compensations: dict[str, int]
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
