"""Short words for the flows, policies and events that the tests of the rules speak of."""

from typing import Any

from redrive.domain.dead_letter import events as letters
from redrive.domain.event import Event
from redrive.domain.failure import Failure, fingerprint_of
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import DeadLetterId, NodeId, RunId
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.retry_policy import Backoff, Mode, RetryDecision, RetryPolicy, Strategy, TerminalBehavior, Verdict
from redrive.domain.run import events as e
from redrive.domain.run.attempts import AttemptId
from tests.domain.given import known

RUN = RunId("run-1")
LETTER = DeadLetterId("letter-1")
LEASE_MS = 60_000

BROKEN = Failure("execution_error", "it broke")
TIMEOUT = Failure("provider_transient", "no answer", kind="timeout")
DENIED = Failure("provider_auth", "wrong key")

REDRIVE = RedrivePolicy()


def policy(attempts: int = 3, mode: str = "fail_run", delay_ms: int = 0, **more: Any) -> RetryPolicy:
    """A retry policy; with *delay_ms*, a fixed backoff."""
    backoff = Backoff(strategy=Strategy.FIXED, initial_delay_ms=delay_ms) if delay_ms else Backoff()
    return RetryPolicy(
        max_attempts=attempts, backoff=backoff, terminal_behavior=TerminalBehavior(mode=Mode(mode)), **more
    )


def line(*nodes: str, **node: Any) -> Flow:
    """A chain: each node after the one before."""
    parents = ("", *nodes)
    return Flow([Node(id_, after=[p] if p else [], **node) for p, id_ in zip(parents, nodes, strict=False)])


def side_by_side(*nodes: str, **node: Any) -> Flow:
    """Independent nodes."""
    return Flow([Node(id_, **node) for id_ in nodes])


# What happened to a run


def submitted(flow: Flow, at: int = 0) -> e.RunSubmitted:
    """The run was accepted."""
    return e.RunSubmitted(
        run=RUN,
        automation="nightly",
        key="k",
        flow=known(flow),
        nodes=len(flow),
        input=None,
        content="c",
        submitted_at_ms=at,
    )


def claimed(epoch: int = 1, at: int = 0, generation: int = 1) -> e.RunClaimed:
    """A worker won the run, for a minute."""
    return e.RunClaimed(
        epoch=epoch, generation=generation, worker="w1", holder=None, lease_ms=LEASE_MS, expires_at_ms=at + LEASE_MS
    )


def attempt(node: str, number: int = 1, lifetime: int = 1, epoch: int = 1) -> AttemptId:
    """The name under which a worker reports."""
    return AttemptId(RUN, NodeId(node), number, lifetime, epoch)


def started(node: str, number: int = 1, lifetime: int = 1, epoch: int = 1, at: int = 0) -> e.AttemptStarted:
    """A try began."""
    return e.AttemptStarted(
        node=NodeId(node), number=number, lifetime=lifetime, epoch=epoch, started_at_ms=at, deadline_ms=None
    )


def succeeded(node: str, number: int = 1, lifetime: int = 1, epoch: int = 1) -> e.AttemptSucceeded:
    """A try ended well."""
    return e.AttemptSucceeded(
        node=NodeId(node), number=number, lifetime=lifetime, epoch=epoch, output=None, report="succeeded"
    )


def decided(
    verdict: Verdict | str = Verdict.ATTEMPTS_EXHAUSTED, *, mode: str = "fail_run", lifetime: int = 1, **more: Any
) -> RetryDecision:
    """A decision about a failed attempt, final unless said otherwise."""
    values: dict[str, Any] = {
        "policy": RetryPolicy().id,
        "failure": BROKEN,
        "number": 1,
        "max_attempts": 1,
        "elapsed_ms": 0,
        "max_elapsed_ms": None,
        "decided_at_ms": 0,
        "draw": 0.0,
    }
    values |= {"verdict": Verdict(verdict), "terminal": Verdict(verdict).terminal, "mode": Mode(mode)}
    return RetryDecision(lifetime=lifetime, **{**values, **more})


def failed(node: str, mode: str = "fail_run", number: int = 1, lifetime: int = 1, epoch: int = 1) -> e.AttemptFailed:
    """A try failed for good."""
    return e.AttemptFailed(
        node=NodeId(node),
        number=number,
        lifetime=lifetime,
        epoch=epoch,
        decision=decided(mode=mode, number=number, lifetime=lifetime),
        report="failed",
    )


def snoozed(node: str, until: int, lifetime: int = 1) -> e.AttemptSnoozed:
    """A try ended without an outcome; the node is due again at *until*."""
    return e.AttemptSnoozed(
        node=NodeId(node), number=1, lifetime=lifetime, epoch=1, delay_ms=until, due_ms=until, report="snoozed"
    )


def queued(due: int, reason: e.QueueReason = "retry_backoff") -> e.RunQueued:
    """The run waits to be claimed."""
    return e.RunQueued(reason=reason, due_ms=due)


def cancelled() -> e.RunCancelled:
    """An operator ended the run."""
    return e.RunCancelled(was="running", finished_at_ms=1)


# What happened to a dead letter


def opened(node: str = "a", lifetime: int = 1, **more: Any) -> letters.DeadLetterOpened:
    """The node's first final failure."""
    values: dict[str, Any] = {
        "dead_letter": LETTER,
        "run": RUN,
        "automation": "nightly",
        "node": NodeId(node),
        "effect": None,
        "effect_key": "",
        "source": "node",
        "failure": BROKEN,
        "fingerprint": fingerprint_of(BROKEN),
        "verdict": Verdict.ATTEMPTS_EXHAUSTED,
        "override_allowed": True,
        "number": 1,
        "lifetime": lifetime,
        "generation": 1,
        "opened_at_ms": 0,
    }
    return letters.DeadLetterOpened(**{**values, **more})


def requested() -> letters.DeadLetterRetryRequested:
    """An operator asked for a retry."""
    return letters.DeadLetterRetryRequested(requested_at_ms=0)


def dispatched(count: int = 1, at: int = 0) -> letters.DeadLetterRetryDispatched:
    """The run was requeued for it, the *count*-th time."""
    delay = REDRIVE.delay_ms(count)
    return letters.DeadLetterRetryDispatched(
        count=count,
        budget=5,
        generation=count + 1,
        dispatched_at_ms=at,
        backoff_ms=delay,
        not_before_ms=at + delay,
        policy=REDRIVE.id,
    )


def exhausted(dispatches: int = 5) -> letters.RetryExhausted:
    """The budget is spent."""
    return letters.RetryExhausted(dispatches=dispatches, budget=5, policy=REDRIVE.id)


def granted(more: int) -> letters.RetryBudgetGranted:
    """An operator allowed more dispatches."""
    return letters.RetryBudgetGranted(granted=more, granted_at_ms=0)


def ignored(lifetime: int = 1) -> letters.DeadLetterIgnored:
    """An operator ignored it, when attempt *lifetime* was the last to have started."""
    return letters.DeadLetterIgnored(lifetime=lifetime)


def abandoned(lifetime: int = 1) -> letters.DeadLetterAbandoned:
    """An operator gave it up."""
    return letters.DeadLetterAbandoned(lifetime=lifetime)


def resolved(lifetime: int = 1, *, by_operator: bool = False) -> letters.DeadLetterResolved:
    """The work is done."""
    return letters.DeadLetterResolved(
        disposition="resolved_by_operator" if by_operator else "retry_succeeded", lifetime=lifetime
    )


LETTERS: dict[str, tuple[Event, ...]] = {
    "open": (),
    "retry_requested": (requested(),),
    "retrying": (requested(), dispatched(1)),
    "parked": (requested(), dispatched(5), exhausted()),
    "resolved": (resolved(1),),
    "ignored": (ignored(1),),
    "abandoned": (abandoned(1),),
}
SETTLED = ("resolved", "ignored", "abandoned")
UNSETTLED = ("open", "retry_requested", "retrying", "parked")


def letter_after(status: str) -> tuple[Event, ...]:
    """The shortest history of a dead letter that ends in *status*."""
    return (opened(), *LETTERS[status])
