"""One sample of every event, and one more where a field may be null: what tests/history/ holds for ever."""

from redrive.domain.compensation import events as compensations
from redrive.domain.dead_letter import events as letters
from redrive.domain.effect import events as effects
from redrive.domain.effect.request import Compensation
from redrive.domain.event import Cause, Event, Recorded
from redrive.domain.identity import (
    EventId,
    FlowDigest,
    NodeId,
    PolicyId,
    Principal,
    StreamId,
    Tenant,
)
from redrive.domain.limits import Limit, Rate
from redrive.domain.records import (
    AnchorRecorded,
    FlowRegistered,
    KeyDestroyed,
    LimitRemoved,
    LimitSet,
    NoteWritten,
    PolicyRegistered,
    RecordsArchived,
    ShardsRecorded,
    TenantPlaced,
)
from redrive.domain.run import events as runs
from redrive.domain.run import wait_events as stateful
from tests.ledger import sample_parts as made
from tests.ledger.sample_parts import (
    BARE_REQUEST,
    COMPENSATION,
    EFFECT,
    EXHAUSTED,
    FAILURE,
    HOLDER,
    JSON,
    LETTER,
    LIMITS,
    NODE,
    PLAIN,
    PLAN,
    POLICY,
    REQUEST,
    RUN,
    SCHEDULED,
    TEXT,
)

SAMPLES: list[Event] = [
    FlowRegistered(flow=FlowDigest("f00d"), document=JSON),
    PolicyRegistered(policy=POLICY, kind="retry", body=JSON),
    PolicyRegistered(policy=POLICY, kind="redrive", body=None),
    RecordsArchived(
        archive="0c" * 16,
        file="old.archive",
        runs=2,
        events=5,
        bytes=1_234,
        positions=((3, 6), (9, 9)),
        digest="0d" * 32,
        before_ms=5,
    ),
    TenantPlaced(shard="0ff1ce00-0000-4000-8000-000000000001"),
    ShardsRecorded(shards=("0ff1ce00-0000-4000-8000-000000000001", "0ff1ce00-0000-4000-8000-000000000002")),
    KeyDestroyed(key="0a" * 16, subject="0b" * 16, created_at_ms=1, destroyed_at_ms=1_000),
    LimitSet(limit=Limit("resource", "bank/é", 2, Rate(3, 1_000, 5))),
    LimitSet(limit=Limit("total", "", 0)),
    AnchorRecorded(kind="witness", name="w", size=3, checkpoint="o\n3\n=\n", evidence="— w é\n", at_ms=1_700),
    AnchorRecorded(kind="command", name="cat", size=3, checkpoint="o\n3\n=\n", evidence="", at_ms=None),
    LimitRemoved(limit="resource:bank/é"),
    NoteWritten(subject="event", id="0ff1ce00-0001", position=7, text=TEXT),
    NoteWritten(subject="effect", id="e1", position=None, text=TEXT),
    made.submitted("2026-11-22", JSON),
    made.submitted(None, None),
    made.claimed(HOLDER),
    made.claimed(None),
    runs.LeaseRenewed(epoch=2, expires_at_ms=9),
    runs.ClaimReleased(epoch=2, why="no_handler"),
    runs.ClaimAbandoned(epoch=2, worker="w1", why="process_gone", expires_at_ms=9),
    made.started(10),
    made.started(None),
    made.succeeded(JSON),
    made.succeeded(None),
    made.failed(SCHEDULED),
    made.failed(EXHAUSTED),
    runs.AttemptSnoozed(node=NODE, number=1, lifetime=2, epoch=3, delay_ms=4, due_ms=5, report="snoozed:4"),
    made.interrupted(SCHEDULED),
    made.interrupted(EXHAUSTED),
    runs.RetryBackoffScheduled(
        node=NODE,
        number=1,
        next_number=2,
        max_attempts=3,
        backoff_ms=4,
        retry_after_ms=5,
        resource_key="r",
        reason=TEXT,
    ),
    runs.RunQueued(reason="retry_backoff", due_ms=1),
    runs.RunQueued(reason="resource_lock", due_ms=None, limits=LIMITS, since_ms=7),
    runs.RunRequeued(
        cause="redrive", generation=2, roots=(NODE, NodeId("b")), reset_count=3, reset_digest="d", due_ms=4
    ),
    runs.RunPauseRequested(),
    runs.RunPaused(),
    runs.RunResumed(),
    runs.EffectAdmitted(node=NODE, lifetime=2, epoch=3, effect=EFFECT, try_number=4),
    runs.DeadLetterLinked(node=NODE, dead_letter=LETTER, effect=EFFECT),
    runs.DeadLetterLinked(node=NODE, dead_letter=LETTER, effect=None),
    runs.RunCompleted(finished_at_ms=1),
    runs.RunBlocked(finished_at_ms=1),
    runs.RunFailed(finished_at_ms=1),
    runs.RunCancelled(was="running", finished_at_ms=1),
    runs.NoteAdded(text=TEXT),
    stateful.ApprovalRequested(node=NODE, lifetime=2, prompt=TEXT, requested_at_ms=3, expires_at_ms=4),
    stateful.ApprovalRequested(node=NODE, lifetime=2, prompt=TEXT, requested_at_ms=3, expires_at_ms=None),
    stateful.ApprovalGiven(node=NODE, lifetime=2, by="human:ana", given_at_ms=3),
    stateful.ApprovalDenied(node=NODE, lifetime=2, by="human:ana", decision=EXHAUSTED),
    stateful.ApprovalExpired(node=NODE, lifetime=2, decision=SCHEDULED),
    stateful.WaitStarted(node=NODE, lifetime=2, started_at_ms=3, due_ms=4),
    stateful.WaitEnded(node=NODE, lifetime=2, ended_at_ms=3),
    stateful.RunAwaitingApproval(),
    made.opened(EFFECT, "invoice/ü", "tool_effect"),
    made.opened(None, "", "node"),
    made.recurred(PolicyId("redrive-policy-v1-ab")),
    letters.DeadLetterRetryRequested(requested_at_ms=1),
    letters.DeadLetterRetryDispatched(
        count=1,
        budget=5,
        generation=2,
        dispatched_at_ms=3,
        backoff_ms=4,
        not_before_ms=7,
        policy=PolicyId("redrive-policy-v1-0123"),
    ),
    letters.RetryExhausted(dispatches=5, budget=5, policy=PolicyId("redrive-policy-v1-0123")),
    letters.RetryBudgetGranted(granted=3, granted_at_ms=1),
    letters.DeadLetterHeld(why="unknown run", run_version=0, engine="0.1.0"),
    letters.DeadLetterSuperseded(lifetime=2),
    letters.DeadLetterResolved(disposition="resolved_by_operator", lifetime=2),
    letters.DeadLetterIgnored(lifetime=2),
    letters.DeadLetterAbandoned(lifetime=2),
    letters.DeadLetterLinkedToCompensation(compensation=COMPENSATION, lifetime=2),
    letters.DeadLetterReopened(renewed=True),
    letters.DeadLetterNoted(text=TEXT),
    made.intended(RUN, NODE, REQUEST, None),
    made.intended(None, None, BARE_REQUEST, 9),
    made.withheld(RUN, NODE, REQUEST),
    made.withheld(None, None, BARE_REQUEST),
    effects.EffectSucceeded(try_number=2, receipt=JSON, receipt_digest="ab", late=True, ended_at_ms=5),
    effects.EffectSucceeded(try_number=2, receipt=None, receipt_digest="ab", late=False, ended_at_ms=5),
    made.effect_failed(JSON, "ab"),
    made.effect_failed(None, None),
    effects.EffectOutcomeUnknown(try_number=2, failure=PLAIN, late=True, ended_at_ms=5),
    made.reconciled("succeeded", "operator", JSON, "ab"),
    made.reconciled("did_not_happen", "reconciler", None, None),
    effects.EffectDeadLetterLinked(dead_letter=LETTER),
    made.proposed(RUN, NODE, PLAN),
    made.proposed(None, None, Compensation("undo")),
    compensations.CompensationApprovalRequested(),
    compensations.CompensationApproved(approved_at_ms=5),
    made.compensating(HOLDER),
    made.compensating(None),
    compensations.CompensationCompleted(epoch=2, receipt=JSON, receipt_digest="ab", ended_at_ms=5),
    compensations.CompensationFailed(epoch=2, failure=FAILURE, outcome_unknown=True, ended_at_ms=5),
    compensations.CompensationCancelled(why=TEXT),
]


OLDER: dict[str, list[Event]] = {
    "run.claimed/1": [made.claimed(HOLDER).model_copy(update={"limits": ()}), made.claimed(None)],
    "run.attempt-started/1": [made.started(10).model_copy(update={"limits": ()}), made.started(None)],
    "run.queued/1": [runs.RunQueued(reason="retry_backoff", due_ms=1)],
    "run.dead-letter-linked/1": [runs.DeadLetterLinked(node=NODE, dead_letter=LETTER, effect=None)],
    "compensation.started/1": [made.compensating(None)],
    "dead-letter.opened/1": [made.opened(None, "", "node")],
    "dead-letter.recurred/1": [made.recurred(None)],
}
"""What the samples of versions that are written no more decode to."""


def samples_of(stored_as: str) -> list[Event]:
    """The samples of one topic and version, in order."""
    return OLDER.get(stored_as) or [event for event in SAMPLES if stored_as == event.STORED_AS]


def enveloped(event: Event) -> Recorded:
    """*event* with an envelope that is the same every time."""
    return Recorded(
        StreamId(RUN), 1, event, EventId("0123456789abcdef01234567"), 1_700_000_000_000, Tenant("acme", "ü", "prod"),
        RUN, Principal("human", "ana", "ops"), TEXT, Cause("event", "fedcba"), "0.1.0",
    )  # fmt: skip
