"""What the samples are made of: ids, texts that are hard to store, and events that come in several kinds."""

from typing import Any

from redrive.domain.compensation import events as compensations
from redrive.domain.dead_letter import events as letters
from redrive.domain.effect import events as effects
from redrive.domain.effect.request import Compensation, EffectRequest
from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.identity import (
    CompensationId,
    DeadLetterId,
    EffectId,
    FlowDigest,
    NodeId,
    PolicyId,
    RunId,
)
from redrive.domain.limits import LimitUse
from redrive.domain.retry_policy import Mode, RetryDecision, Verdict
from redrive.domain.run import events as runs
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


def decision(verdict: Verdict, *, full: bool) -> RetryDecision:
    """What the policy decided."""
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


SCHEDULED = decision(Verdict.RETRY_SCHEDULED, full=True)
EXHAUSTED = decision(Verdict.ATTEMPTS_EXHAUSTED, full=False)
HOLDER = Holder("host", "boot", "pid:[4026531836]", 4711, 123456)


def submitted(key: str | None, run_input: JsonValue) -> Event:
    """A run was submitted."""
    return runs.RunSubmitted(
        run=RUN, automation=TEXT, key=key, flow=FlowDigest("f00d"), nodes=2, input=run_input, content="c0ffee",
        submitted_at_ms=1,
    )  # fmt: skip


def claimed(holder: Holder | None) -> Event:
    """It was claimed."""
    return runs.RunClaimed(
        epoch=2,
        generation=1,
        worker="w1",
        holder=holder,
        lease_ms=60_000,
        expires_at_ms=60_001,
        limits=LIMITS if holder else (),
    )


def started(deadline: int | None) -> Event:
    """An attempt was started."""
    limits = LIMITS if deadline else ()
    return runs.AttemptStarted(
        node=NODE, number=1, lifetime=2, epoch=3, started_at_ms=4, deadline_ms=deadline, limits=limits
    )


def succeeded(output: JsonValue) -> Event:
    """It succeeded."""
    return runs.AttemptSucceeded(node=NODE, number=1, lifetime=2, epoch=3, output=output, report="succeeded:ab")


def failed(decision: RetryDecision) -> Event:
    """It failed."""
    return runs.AttemptFailed(node=NODE, number=1, lifetime=2, epoch=3, decision=decision, report="failed:ab")


def interrupted(decision: RetryDecision) -> Event:
    """It was cut off."""
    return runs.AttemptInterrupted(node=NODE, number=1, lifetime=2, epoch=3, decision=decision)


LIMITS = (LimitUse("resource:bank", "concurrency", 1, 2), LimitUse("provider:é", "rate", 3, 3))


def recurred(policy: PolicyId | None) -> Event:
    """A dead letter recurred."""
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


def opened(effect: EffectId | None, key: str, source: letters.Source) -> Event:
    """A dead letter opened."""
    return letters.DeadLetterOpened(
        dead_letter=LETTER, run=RUN, automation=TEXT, node=NODE, effect=effect, effect_key=key, source=source,
        failure=FAILURE, fingerprint="ab", verdict=Verdict.NOT_RETRYABLE, override_allowed=True, number=1, lifetime=2,
        generation=3, opened_at_ms=4,
    )  # fmt: skip


PLAN = Compensation("POST /refunds", TEXT, JSON, requires_approval=False)
REQUEST = EffectRequest("invoice/ü", "tenant", "POST /invoices", TEXT, JSON, "ab12", tolerate=True, compensation=PLAN)
BARE_REQUEST = EffectRequest("k", "node", "op", "", None, "ab12")


def intended(run: RunId | None, node: NodeId | None, request: EffectRequest, expires: int | None) -> Event:
    """An effect was intended."""
    return effects.EffectIntended(
        effect=EFFECT, run=run, automation=TEXT if run else "", node=node, request=request, try_number=2, lifetime=3,
        epoch=4, holder="w1", intended_at_ms=5, expires_at_ms=expires,
    )  # fmt: skip


def withheld(run: RunId | None, node: NodeId | None, request: EffectRequest) -> Event:
    """An effect was withheld."""
    return effects.EffectWithheld(
        effect=EFFECT, run=run, automation="", node=node, request=request, lifetime=3, why=TEXT, withheld_at_ms=5
    )


def effect_failed(receipt: JsonValue, digest: str | None) -> Event:
    """An effect failed."""
    return effects.EffectFailed(
        try_number=2, failure=FAILURE, receipt=receipt, receipt_digest=digest, late=True, ended_at_ms=5
    )


def reconciled(outcome: Any, by: Any, receipt: JsonValue, digest: str | None) -> Event:
    """Somebody found out what became of an effect."""
    return effects.EffectReconciled(
        try_number=2, outcome=outcome, by=by, why=TEXT, receipt=receipt, receipt_digest=digest, reconciled_at_ms=5
    )


def proposed(run: RunId | None, node: NodeId | None, plan: Compensation) -> Event:
    """A compensation was proposed."""
    return compensations.CompensationProposed(
        compensation=COMPENSATION, effect=EFFECT, effect_key="invoice/ü", dead_letter=LETTER, run=run, automation=TEXT,
        node=node, plan=plan, proposed_at_ms=5,
    )  # fmt: skip


def compensating(holder: Holder | None) -> Event:
    """A compensation began."""
    return compensations.CompensationStarted(
        epoch=2, worker="w1", holder=holder, lease_ms=3, started_at_ms=4, expires_at_ms=7
    )
