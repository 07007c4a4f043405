"""What an operator (or the sweep) does to a run: pause, resume, cancel, requeue."""

from collections.abc import Collection, Container, Iterable, Sequence

from redrive.domain.errors import InvalidValue, NotAllowed
from redrive.domain.event import Event
from redrive.domain.flow import dependants
from redrive.domain.identity import NodeId
from redrive.domain.retry_policy import Mode
from redrive.domain.run import events as e
from redrive.domain.run.settle import Standing, settle, standing_of, waits
from redrive.domain.run.state import FINAL, NodeStatus, Run, Status
from redrive.domain.run.stateful_waits import follow
from redrive.domain.values import digest


def pause_run(run: Run, *, now_ms: int) -> list[Event]:
    """Let nothing new start; running attempts finish. Asking again is recorded. Raises NotAllowed when final."""
    if run.status in FINAL:
        raise NotAllowed("pause", f"run {run.id}", f"it is {run.status}")
    after = standing_of(run)
    after.pause_requested = True
    waits(run, after)
    return [e.RunPauseRequested(), *settle(after, now_ms)]


def resume_run(run: Run, *, now_ms: int) -> list[Event]:
    """Lift the pause; a backoff still holds. Raises NotAllowed when no pause was requested."""
    if not run.pause_requested or run.status in FINAL:
        raise NotAllowed("resume", f"run {run.id}", f"it is {run.status} and no pause was requested")
    after = standing_of(run)
    after.pause_requested, after.ready_reason = False, "resumed"
    begun = follow(run, after, now_ms=now_ms, ready=run.unbegun)
    waits(run, after)
    return [e.RunResumed(), *begun, *settle(after, now_ms)]


def cancel_run(run: Run, *, now_ms: int) -> list[Event]:
    """End the run for good. Raises NotAllowed when it is completed or cancelled."""
    if run.status in FINAL:
        raise NotAllowed("cancel", f"run {run.id}", f"it is {run.status}")
    return [e.RunCancelled(was=run.status, finished_at_ms=now_ms)]


def recover_run(run: Run, nodes: Sequence[str] | None, *, now_ms: int) -> list[Event]:
    """Requeue a failed or blocked run: all its failed nodes, or *nodes*. Raises NotAllowed, InvalidValue."""
    if nodes is not None and not nodes:
        raise InvalidValue("nodes", list(nodes), "at least one node; none given means all that failed")
    if nodes is not None and (unknown := [node for node in nodes if node not in run.nodes]):
        raise InvalidValue("nodes", unknown[0], "ids of nodes of this run's flow")
    return requeue_run(run, [NodeId(n) for n in nodes] if nodes else list(run.failed), "recover", now_ms=now_ms)


def requeue_run(run: Run, roots: Iterable[NodeId], cause: e.RequeueCause, *, now_ms: int) -> list[Event]:
    """Start the next generation: *roots* and all their dependants become pending.

    Raises NotAllowed unless the run is failed or blocked and something could start afterwards.
    """
    if run.status not in (Status.FAILED, Status.BLOCKED):
        raise NotAllowed("requeue", f"run {run.id}", f"it is {run.status}, not failed or blocked")
    unique = sorted(run.nodes.keys() & set(roots))
    reset = dict.fromkeys(dependants(run.flow.children, unique))
    ready = [node for node in run.unbegun if node not in reset]
    ready += [node for node in reset if _would_be_ready(run, node, reset)]
    after = _after_reset(run, reset)
    waits(run, after, without=reset)
    begun = follow(run, after, now_ms=now_ms, ready=ready, unmet=lambda node: _unmet(run, node, reset))
    if not unique or not (ready or after.ready or after.next_due_ms is not None or after.approvals):
        raise NotAllowed(
            "requeue", f"run {run.id}", "nothing could start: no failed node with all its parents succeeded"
        )
    due = now_ms if after.ready or after.next_due_ms is None else after.next_due_ms
    requeued = e.RunRequeued(
        cause=cause,
        generation=run.generation + 1,
        roots=tuple(unique),
        reset_count=len(reset),
        reset_digest=digest(sorted(reset)),
        due_ms=due,
    )
    after.status, after.due_ms, after.was_ready = Status.QUEUED, due, True
    return [requeued, *begun, *settle(after, now_ms)]


def _after_reset(run: Run, reset: Collection[NodeId]) -> Standing:
    """Where the run stands once *reset* is pending again; pending approvals outside are kept."""
    after = standing_of(run)
    after.stopped_by = None
    after.ready = sum(node not in reset for node in run.ready)
    after.approvals = sum(node not in reset for node in run.approvals)
    after.succeeded -= sum(run.nodes[node].status is NodeStatus.SUCCEEDED for node in reset)
    after.failing = any(mode is Mode.FAIL_RUN for node, mode in run.failed.items() if node not in reset)
    return after


def can_restart(run: Run, node: NodeId) -> bool:
    """Whether *node*, once reset, could start: all its parents succeeded."""
    return _would_be_ready(run, node, frozenset((node,)))


def _would_be_ready(run: Run, node: NodeId, reset: Container[str]) -> bool:
    return _unmet(run, node, reset) == 0


def _unmet(run: Run, node: NodeId, reset: Container[str]) -> int:
    """How many parents of *node* have not succeeded once *reset* is pending again."""
    parents = run.flow.nodes[node].after
    return sum(parent in reset or run.nodes[NodeId(parent)].status is not NodeStatus.SUCCEEDED for parent in parents)
