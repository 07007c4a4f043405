"""Attempts: starting them, and what their reports mean."""

from typing import Any, NamedTuple

from redrive.domain.errors import NodeNotReady, NotRunning, StaleAttempt, StaleEpoch
from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.identity import NodeId, RunId
from redrive.domain.limits import LimitUse
from redrive.domain.resource import node_resource
from redrive.domain.retry_policy import RetryDecision
from redrive.domain.run import events as e
from redrive.domain.run.settle import Standing, settle, standing_of, stop, wait_until, waits
from redrive.domain.run.state import RUNNING, NodeState, NodeStatus, Run
from redrive.domain.run.stateful_waits import follow
from redrive.domain.values import JsonValue, cut_text, digest

MAX_BACKOFF_REASON_BYTES = 500


class AttemptId(NamedTuple):
    """One try of a node: *number* counts since the last reset, *lifetime* never resets, *epoch* is the claim's."""

    run_id: RunId
    node: NodeId
    number: int
    lifetime: int
    epoch: int


def startable(run: Run, now_ms: int) -> list[NodeId]:
    """The nodes that may start now: ready, or with a due time that has come."""
    if run.pause_requested or run.stopped_by is not None:
        return []
    return [*run.ready, *(node for node, due in run.waiting.items() if due <= now_ms)]


def start_attempt(
    run: Run, node: NodeId, *, epoch: int, now_ms: int, limits: tuple[LimitUse, ...] = ()
) -> e.AttemptStarted:
    """Start a try of *node*. Raises NotRunning, StaleEpoch, NodeNotReady."""
    require_epoch(run, epoch)
    if why := _not_ready(run, node, now_ms):
        raise NodeNotReady(run.id, node, why)
    return started(run, node, epoch=epoch, now_ms=now_ms, limits=limits)


def _not_ready(run: Run, node: NodeId, now_ms: int) -> str:
    if node not in run.nodes:
        return "it is not a node of this flow"
    if run.flow.nodes[node].is_stateful_wait:
        return "the engine itself executes it"
    if run.pause_requested:
        return "a pause was requested"
    if run.stopped_by is not None:
        return "a node failed for good in this generation"
    if run.waiting.get(node, now_ms) > now_ms:
        return f"it waits until {run.waiting[node]}"
    if node not in run.ready and node not in run.waiting:
        return f"it is {run.nodes[node].status}"
    return ""


def started(run: Run, node: NodeId, *, epoch: int, now_ms: int, limits: tuple[LimitUse, ...] = ()) -> e.AttemptStarted:
    """The start of a node that is known to be startable."""
    state, spec = run.nodes[node], run.flow.nodes[node]
    return e.AttemptStarted(
        node=node,
        number=state.next_number,
        lifetime=state.lifetime + 1,
        epoch=epoch,
        started_at_ms=now_ms,
        deadline_ms=None if spec.timeout_ms is None else now_ms + spec.timeout_ms,
        limits=limits,
    )


def complete_attempt(run: Run, attempt: AttemptId, output: JsonValue, *, now_ms: int) -> list[Event]:
    """Record a success, and what it makes ready. An identical report again gives no event.

    Raises NotRunning, StaleEpoch, StaleAttempt.
    """
    report = f"succeeded:{digest(output)}"
    if repeated(run, attempt, report):
        return []
    require_current(run, attempt)
    event = e.AttemptSucceeded(**_names(attempt), output=output, report=report)
    after = _after_end(run)
    followed = follow(run, after, now_ms=now_ms, succeeded=(attempt.node,))
    return [event, *followed, *_settled(run, after, now_ms)]


def fail_attempt(run: Run, attempt: AttemptId, failure: Failure, *, now_ms: int, draw: float) -> list[Event]:
    """Record a failed attempt and what the policy promises next; an identical report again gives no event.

    *draw*, in [0, 1), comes from the caller: rules never roll dice. Raises NotRunning, StaleEpoch, StaleAttempt.
    """
    report = report_of(failure)
    if repeated(run, attempt, report):
        return []
    require_current(run, attempt)
    decision = decide(run, attempt.node, failure, now_ms=now_ms, draw=draw)
    failed = e.AttemptFailed(**_names(attempt), decision=decision, report=report)
    after = _after_end(run)
    return [failed, *consequences(run, decision, attempt.node, after), *_settled(run, after, now_ms)]


def snooze_attempt(run: Run, attempt: AttemptId, delay_ms: int, *, now_ms: int) -> list[Event]:
    """End the try without an outcome; the node is due again after *delay_ms* with the same number.

    Raises NotRunning, StaleEpoch, StaleAttempt.
    """
    report = f"snoozed:{delay_ms}"
    if repeated(run, attempt, report):
        return []
    require_current(run, attempt)
    due = now_ms + delay_ms
    snoozed = e.AttemptSnoozed(**_names(attempt), delay_ms=delay_ms, due_ms=due, report=report)
    after = _after_end(run)
    wait_until(after, due, "snoozed")
    return [snoozed, *_settled(run, after, now_ms)]


def decide(run: Run, node: NodeId, failure: Failure, *, now_ms: int, draw: float) -> RetryDecision:
    """What the node's policy says about a failure of its running attempt."""
    state = run.nodes[node]
    started_ms = now_ms if state.first_started_ms is None else state.first_started_ms
    return run.flow.nodes[node].retry.decide(
        failure, number=state.number, lifetime=state.lifetime, started_ms=started_ms, now_ms=now_ms, draw=draw
    )


def consequences(run: Run, decision: RetryDecision, node: NodeId, after: Standing) -> list[Event]:
    """The backoff that *decision* promises, if any; *after* is told what becomes of the node."""
    if decision.terminal:
        stop(after, decision)
        return []
    if decision.next_retry_at_ms is None:
        after.ready += 1
        return []
    wait_until(after, decision.next_retry_at_ms, "retry_backoff")
    return [
        e.RetryBackoffScheduled(
            node=node,
            number=decision.number,
            next_number=decision.number + 1,
            max_attempts=decision.max_attempts,
            backoff_ms=decision.next_retry_at_ms - decision.decided_at_ms,
            retry_after_ms=decision.next_retry_at_ms,
            resource_key=node_resource(run.automation, run.id, node),
            reason=cut_text(decision.failure.reason, MAX_BACKOFF_REASON_BYTES),
        )
    ]


def repeated(run: Run, attempt: AttemptId, report: str) -> bool:
    """Whether exactly this report was recorded before."""
    state = run.nodes.get(attempt.node)
    known = state.reports.get(attempt.lifetime) if state and state.reports else None
    return known is not None and known[0] == report


def report_of(failure: Failure) -> str:
    """The mark by which the same failure report is known again."""
    return f"failed:{digest([failure.failure_class, failure.kind, failure.reason, failure.final, failure.delay_ms])}"


def require_epoch(run: Run, epoch: int) -> None:
    """Fencing: who holds an older claim may do nothing any more. Raises in this order: NotRunning, StaleEpoch."""
    if run.status is not RUNNING:
        raise NotRunning(run.id, run.status)
    if epoch != run.epoch:
        raise StaleEpoch(run.id, held=epoch, current=run.epoch)


def require_current(run: Run, attempt: AttemptId) -> NodeState:
    """The state of the attempt's node, when the attempt is the running one. Raises in this order:
    NotRunning, StaleEpoch, StaleAttempt."""
    require_epoch(run, attempt.epoch)
    state = run.nodes.get(attempt.node)
    if state is None:
        raise StaleAttempt(run.id, attempt.node, attempt.lifetime, "names a node that the flow does not have")
    if state.status is not NodeStatus.RUNNING or state.lifetime != attempt.lifetime:
        raise StaleAttempt(run.id, attempt.node, attempt.lifetime, "is no longer running or ended in another way")
    return state


def _after_end(run: Run) -> Standing:
    after = standing_of(run)
    after.running -= 1
    return after


def _settled(run: Run, after: Standing, now_ms: int) -> list[Event]:
    if after.running:
        return []
    waits(run, after)
    return settle(after, now_ms)


def _names(attempt: AttemptId) -> dict[str, Any]:
    return {
        "node": attempt.node,
        "number": attempt.number,
        "lifetime": attempt.lifetime,
        "epoch": attempt.epoch,
    }
