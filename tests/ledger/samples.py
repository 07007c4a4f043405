"""One sample of every event, and one more where a field may be null: what tests/history/ holds for ever."""

from typing import Any

from redrive.domain.compensation import events as compensations
from redrive.domain.dead_letter import events as letters
from redrive.domain.effect import events as effects
from redrive.domain.effect.request import Compensation, EffectRequest
from redrive.domain.event import Cause, Event, Recorded
from redrive.domain.failure import Failure
from redrive.domain.identity import (
    CompensationId,
    DeadLetterId,
    EffectId,
    EventId,
    FlowDigest,
    NodeId,
    PolicyId,
    Principal,
    RunId,
    StreamId,
    Tenant,
)
from redrive.domain.limits import Limit, LimitUse, Rate
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
from redrive.domain.retry_policy import Mode, RetryDecision, Verdict
from redrive.domain.run import events as runs
from redrive.domain.run import wait_events as stateful
from redrive.domain.run.holder import Holder
from redrive.domain.values import JsonValue

TEXT = 'naïve "text"\n\x00 \U0001f980 \\u0041'
NODE = NodeId("fetch/ü")
RUN = RunId("5a1f0a9c-0000-5000-8000-000000000001")
LETTER = DeadLetterId("5a1f0a9c-0000-5000-8000-000000000002")
EFFECT = EffectId("5a1f0a9c-0000-5000-8000-000000000003")
COMPENSATION = CompensationId("5a1f0a9c-0000-5000-8000-000000000004")
JSON: JsonValue = {"list": [1, -2.5, True, None, "x"], "deep": {"": {"n": 9007199254740991}}, "1e22": 1e22}
FAILURE = Failure(
    "provider_transient",
    TEXT,
    kind="timeout",
    classified_by="timeouts",
    final=True,
    delay_ms=7,
    classifier="classifier-v1-01",
)
PLAIN = Failure("execution_error", "it broke")
POLICY = PolicyId("retry-policy-v1-0123")


def _decision(verdict: Verdict, *, full: bool) -> RetryDecision:
    return RetryDecision(
        verdict=verdict,
        terminal=verdict.terminal,
        policy=POLICY,
        failure=FAILURE if full else PLAIN,
        number=2,
        lifetime=3,
        max_attempts=4,
        elapsed_ms=5,
        max_elapsed_ms=6 if full else None,
        mode=Mode.DEAD_LETTER,
        decided_at_ms=1_700_000_000_000,
        draw=0.123456789012345,
        delay_ms=8 if full else None,
        jitter_ms=9,
        next_retry_at_ms=1_700_000_000_017 if full else None,
        override_allowed=full,
    )


SCHEDULED = _decision(Verdict.RETRY_SCHEDULED, full=True)
EXHAUSTED = _decision(Verdict.ATTEMPTS_EXHAUSTED, full=False)
HOLDER = Holder("host", "boot", "pid:[4026531836]", 4711, 123456)


def _submitted(key: str | None, run_input: JsonValue) -> Event:
    return runs.RunSubmitted(
        run=RUN, automation=TEXT, key=key, flow=FlowDigest("f00d"), nodes=2, input=run_input, content="c0ffee",
        submitted_at_ms=1,
    )  # fmt: skip


def _claimed(holder: Holder | None) -> Event:
    return runs.RunClaimed(
        epoch=2,
        generation=1,
        worker="w1",
        holder=holder,
        lease_ms=60_000,
        expires_at_ms=60_001,
        limits=LIMITS if holder else (),
    )


def _started(deadline: int | None) -> Event:
    limits = LIMITS if deadline else ()
    return runs.AttemptStarted(
        node=NODE, number=1, lifetime=2, epoch=3, started_at_ms=4, deadline_ms=deadline, limits=limits
    )


def _succeeded(output: JsonValue) -> Event:
    return runs.AttemptSucceeded(node=NODE, number=1, lifetime=2, epoch=3, output=output, report="succeeded:ab")


def _failed(decision: RetryDecision) -> Event:
    return runs.AttemptFailed(node=NODE, number=1, lifetime=2, epoch=3, decision=decision, report="failed:ab")


def _interrupted(decision: RetryDecision) -> Event:
    return runs.AttemptInterrupted(node=NODE, number=1, lifetime=2, epoch=3, decision=decision)


LIMITS = (LimitUse("resource:bank", "concurrency", 1, 2), LimitUse("provider:é", "rate", 3, 3))


def _recurred(policy: PolicyId | None) -> Event:
    return letters.DeadLetterRecurred(
        failure=PLAIN,
        fingerprint="ab",
        verdict=Verdict.ELAPSED_TIME_EXHAUSTED,
        number=1,
        lifetime=2,
        generation=3,
        recurred_at_ms=4,
        status="open",
        renewed=True,
        policy=policy,
    )


def _opened(effect: EffectId | None, key: str, source: letters.Source) -> Event:
    return letters.DeadLetterOpened(
        dead_letter=LETTER, run=RUN, automation=TEXT, node=NODE, effect=effect, effect_key=key, source=source,
        failure=FAILURE, fingerprint="ab", verdict=Verdict.NOT_RETRYABLE, override_allowed=True, number=1, lifetime=2,
        generation=3, opened_at_ms=4,
    )  # fmt: skip


PLAN = Compensation("POST /refunds", TEXT, JSON, requires_approval=False)
REQUEST = EffectRequest("invoice/ü", "tenant", "POST /invoices", TEXT, JSON, "ab12", tolerate=True, compensation=PLAN)
BARE_REQUEST = EffectRequest("k", "node", "op", "", None, "ab12")


def _intended(run: RunId | None, node: NodeId | None, request: EffectRequest, expires: int | None) -> Event:
    return effects.EffectIntended(
        effect=EFFECT, run=run, automation=TEXT if run else "", node=node, request=request, try_number=2, lifetime=3,
        epoch=4, holder="w1", intended_at_ms=5, expires_at_ms=expires,
    )  # fmt: skip


def _withheld(run: RunId | None, node: NodeId | None, request: EffectRequest) -> Event:
    return effects.EffectWithheld(
        effect=EFFECT, run=run, automation="", node=node, request=request, lifetime=3, why=TEXT, withheld_at_ms=5
    )


def _effect_failed(receipt: JsonValue, digest: str | None) -> Event:
    return effects.EffectFailed(
        try_number=2, failure=FAILURE, receipt=receipt, receipt_digest=digest, late=True, ended_at_ms=5
    )


def _reconciled(outcome: Any, by: Any, receipt: JsonValue, digest: str | None) -> Event:
    return effects.EffectReconciled(
        try_number=2, outcome=outcome, by=by, why=TEXT, receipt=receipt, receipt_digest=digest, reconciled_at_ms=5
    )


def _proposed(run: RunId | None, node: NodeId | None, plan: Compensation) -> Event:
    return compensations.CompensationProposed(
        compensation=COMPENSATION, effect=EFFECT, effect_key="invoice/ü", dead_letter=LETTER, run=run, automation=TEXT,
        node=node, plan=plan, proposed_at_ms=5,
    )  # fmt: skip


def _compensating(holder: Holder | None) -> Event:
    return compensations.CompensationStarted(
        epoch=2, worker="w1", holder=holder, lease_ms=3, started_at_ms=4, expires_at_ms=7
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
    _submitted("2026-11-22", JSON),
    _submitted(None, None),
    _claimed(HOLDER),
    _claimed(None),
    runs.LeaseRenewed(epoch=2, expires_at_ms=9),
    runs.ClaimReleased(epoch=2, why="no_handler"),
    runs.ClaimAbandoned(epoch=2, worker="w1", why="process_gone", expires_at_ms=9),
    _started(10),
    _started(None),
    _succeeded(JSON),
    _succeeded(None),
    _failed(SCHEDULED),
    _failed(EXHAUSTED),
    runs.AttemptSnoozed(node=NODE, number=1, lifetime=2, epoch=3, delay_ms=4, due_ms=5, report="snoozed:4"),
    _interrupted(SCHEDULED),
    _interrupted(EXHAUSTED),
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
    _opened(EFFECT, "invoice/ü", "tool_effect"),
    _opened(None, "", "node"),
    _recurred(PolicyId("redrive-policy-v1-ab")),
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
    _intended(RUN, NODE, REQUEST, None),
    _intended(None, None, BARE_REQUEST, 9),
    _withheld(RUN, NODE, REQUEST),
    _withheld(None, None, BARE_REQUEST),
    effects.EffectSucceeded(try_number=2, receipt=JSON, receipt_digest="ab", late=True, ended_at_ms=5),
    effects.EffectSucceeded(try_number=2, receipt=None, receipt_digest="ab", late=False, ended_at_ms=5),
    _effect_failed(JSON, "ab"),
    _effect_failed(None, None),
    effects.EffectOutcomeUnknown(try_number=2, failure=PLAIN, late=True, ended_at_ms=5),
    _reconciled("succeeded", "operator", JSON, "ab"),
    _reconciled("did_not_happen", "reconciler", None, None),
    effects.EffectDeadLetterLinked(dead_letter=LETTER),
    _proposed(RUN, NODE, PLAN),
    _proposed(None, None, Compensation("undo")),
    compensations.CompensationApprovalRequested(),
    compensations.CompensationApproved(approved_at_ms=5),
    _compensating(HOLDER),
    _compensating(None),
    compensations.CompensationCompleted(epoch=2, receipt=JSON, receipt_digest="ab", ended_at_ms=5),
    compensations.CompensationFailed(epoch=2, failure=FAILURE, outcome_unknown=True, ended_at_ms=5),
    compensations.CompensationCancelled(why=TEXT),
]


OLDER: dict[str, list[Event]] = {
    "run.claimed/1": [_claimed(HOLDER).model_copy(update={"limits": ()}), _claimed(None)],
    "run.attempt-started/1": [_started(10).model_copy(update={"limits": ()}), _started(None)],
    "run.queued/1": [runs.RunQueued(reason="retry_backoff", due_ms=1)],
    "run.dead-letter-linked/1": [runs.DeadLetterLinked(node=NODE, dead_letter=LETTER, effect=None)],
    "compensation.started/1": [_compensating(None)],
    "dead-letter.opened/1": [_opened(None, "", "node")],
    "dead-letter.recurred/1": [_recurred(None)],
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
