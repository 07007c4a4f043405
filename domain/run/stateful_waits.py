"""Stateful waits: approvals and timed waits, which the engine itself begins and ends."""

from collections import Counter, deque
from collections.abc import Callable, Iterable

from redrive.domain.errors import InvalidValue, NotAllowed
from redrive.domain.event import Event
from redrive.domain.failure import APPROVAL_DENIED, APPROVAL_EXPIRED, Failure
from redrive.domain.flow import Node
from redrive.domain.identity import NodeId
from redrive.domain.redaction import redact_text
from redrive.domain.retry_policy import RetryDecision
from redrive.domain.run import wait_events as w
from redrive.domain.run.settle import Standing, settle, standing_of, stop, wait_until, waits
from redrive.domain.run.state import FINAL, NodeStatus, Run

MOST_NAMED = 5


def follow(
    run: Run,
    after: Standing,
    *,
    now_ms: int,
    succeeded: Iterable[NodeId] = (),
    ready: Iterable[NodeId] = (),
    unmet: Callable[[NodeId], int] | None = None,
) -> list[Event]:
    """What follows when nodes have *succeeded* or become *ready*: *after* is told, and stateful waits begin.

    A wait that is over as it begins also ends, with all that follows from it. While a pause is requested, or after
    a final failure that stops the run, nothing begins: such nodes stay ready. *unmet* counts the parents that a node
    waits for where the run's own counters do not hold. Iterative: chains may be long.
    """
    events: list[Event] = []
    met: Counter[NodeId] = Counter()
    done, todo = deque(succeeded), deque(ready)
    while done or todo:
        while done:
            after.succeeded += 1
            for child in run.flow.children[done.popleft()]:
                met[child] += 1
                if met[child] == (unmet(child) if unmet else run.nodes[child].unmet):
                    todo.append(child)
        while todo:
            node = todo.popleft()
            spec = run.flow.nodes[node]
            if not spec.is_stateful_wait:
                after.ready += 1
            elif not after.pause_requested and after.stopped_by is None:
                events += _begin(run, node, spec, after, now_ms)
                if isinstance(events[-1], w.WaitEnded):
                    done.append(node)
    return events


def _begin(run: Run, node: NodeId, spec: Node, after: Standing, now_ms: int) -> list[Event]:
    lifetime = run.nodes[node].lifetime + 1
    if spec.approval is not None:
        after.approvals += 1
        timeout = spec.approval.timeout_ms
        return [
            w.ApprovalRequested(
                node=node,
                lifetime=lifetime,
                prompt=redact_text(spec.approval.prompt),  # the flow keeps it exactly
                requested_at_ms=now_ms,
                expires_at_ms=None if timeout is None else now_ms + timeout,
            )
        ]
    assert spec.wait is not None
    due = spec.wait.due_ms(now_ms)
    begun = w.WaitStarted(node=node, lifetime=lifetime, started_at_ms=now_ms, due_ms=due)
    if due <= now_ms:
        return [begun, w.WaitEnded(node=node, lifetime=lifetime, ended_at_ms=now_ms)]
    wait_until(after, due, "wait")
    return [begun]


def begin_ready(run: Run, *, now_ms: int) -> list[Event]:
    """Begin the stateful waits that are ready, as in a run that was just submitted, and settle."""
    if not run.unbegun:
        return []
    after = standing_of(run)
    events = follow(run, after, now_ms=now_ms, ready=run.unbegun)
    waits(run, after)
    return [*events, *settle(after, now_ms)]


def approve(run: Run, node: str, *, by: str, now_ms: int) -> list[Event]:
    """Say yes to a pending approval. Raises NotAllowed, InvalidValue for a node that the flow does not have."""
    id_ = _pending(run, node, "approve", now_ms)
    given = w.ApprovalGiven(node=id_, lifetime=run.nodes[id_].lifetime, by=by, given_at_ms=now_ms)
    after = standing_of(run)
    after.approvals -= 1
    after.ready_reason = "approved"
    followed = follow(run, after, now_ms=now_ms, succeeded=(id_,))
    waits(run, after)
    return [given, *followed, *settle(after, now_ms)]


def deny(run: Run, node: str, *, by: str, reason: str, now_ms: int) -> list[Event]:
    """Say no to a pending approval: its node fails for good. Raises NotAllowed, InvalidValue for a node that the flow
    does not have."""
    id_ = _pending(run, node, "deny", now_ms)
    decision = _decide(run, id_, Failure(APPROVAL_DENIED, reason, final=True), now_ms)
    denied = w.ApprovalDenied(node=id_, lifetime=run.nodes[id_].lifetime, by=by, decision=decision)
    after = standing_of(run)
    after.approvals -= 1
    stop(after, decision)
    waits(run, after)
    return [denied, *settle(after, now_ms)]


def end_due(run: Run, *, now_ms: int) -> tuple[list[Event], dict[NodeId, RetryDecision]]:
    """End the timed waits and expire the approvals whose time has come, the earliest first.

    Returns the events and the final decisions about expired approvals, by node; nothing when nothing is due.
    """
    if run.status in FINAL:
        return [], {}
    due = [(at, node) for node, at in run.timers.items() if at <= now_ms]
    due += [(at, node) for node, at in run.approvals.items() if at is not None and at <= now_ms]
    if not due:
        return [], {}
    after = standing_of(run)
    after.ready_reason = "wait_ended"
    events: list[Event] = []
    ended: list[NodeId] = []
    expired: dict[NodeId, RetryDecision] = {}
    for _, node in sorted(due):
        lifetime = run.nodes[node].lifetime
        if node in run.timers:
            ended.append(node)
            events.append(w.WaitEnded(node=node, lifetime=lifetime, ended_at_ms=now_ms))
            continue
        decision = expired[node] = _decide(run, node, _expiry(run.flow.nodes[node]), now_ms)
        events.append(w.ApprovalExpired(node=node, lifetime=lifetime, decision=decision))
        after.approvals -= 1
        stop(after, decision)
    events += follow(run, after, now_ms=now_ms, succeeded=ended)
    waits(run, after, without=frozenset(ended))
    return [*events, *settle(after, now_ms)], expired


def _pending(run: Run, node: str, command: str, now_ms: int) -> NodeId:
    """The node, when its approval is pending. At the very millisecond of its expiry it is not any more, so that it
    does not matter who is looked at first."""
    subject = f"node {node!r} of run {run.id}"
    state = run.nodes.get(NodeId(node))
    if state is None:
        asked = [id_ for id_, status in run.nodes.items() if status.status is NodeStatus.AWAITING_APPROVAL]
        pending = f"pending: {', '.join(map(repr, asked[:MOST_NAMED]))}" if asked else "none is pending"
        raise InvalidValue("node", node, f"the id of an approval of this run's flow; {pending}")
    if run.status in FINAL:
        raise NotAllowed(command, subject, f"the run is {run.status}")
    if run.flow.nodes[NodeId(node)].approval is None:
        raise NotAllowed(command, subject, "it is no approval")
    if state.status is not NodeStatus.AWAITING_APPROVAL:
        raise NotAllowed(command, subject, f"no approval is pending: it is {state.status}")
    expires = run.approvals[NodeId(node)]
    if expires is not None and expires <= now_ms:
        raise NotAllowed(command, subject, f"the approval expired at {expires}")
    return NodeId(node)


def _expiry(spec: Node) -> Failure:
    assert spec.approval is not None
    return Failure(APPROVAL_EXPIRED, f"nobody decided within {spec.approval.timeout_ms} ms", final=True)


def _decide(run: Run, node: NodeId, failure: Failure, now_ms: int) -> RetryDecision:
    """The final decision about an approval, with every input. Nothing is left to a die, so that none is rolled."""
    state = run.nodes[node]
    started_ms = now_ms if state.first_started_ms is None else state.first_started_ms
    return run.flow.nodes[node].retry.decide(
        failure, number=state.number, lifetime=state.lifetime, started_ms=started_ms, now_ms=now_ms, draw=0.0
    )
