"""A run in full: what ``show`` prints. Folded from the log itself, not from a view."""

from typing import Literal

from redrive.domain.identity import NodeId
from redrive.domain.run.state import NodeState, NodeStatus, Run, Status
from redrive.domain.values import CleanJson
from redrive.projections.models import Model


class NodeDetail(Model):
    """A node of a run. *status* is ``blocked`` when an ancestor failed for good; *handler* is empty for an approval and
    for a timed wait. Of an approval, *prompt* is what is asked, *due_ms* when it expires, *decided_by* who gave or
    denied it. Times are UTC milliseconds."""

    node: str
    status: NodeStatus | Literal["blocked"]
    after: tuple[str, ...]
    handler: str
    number: int
    max_attempts: int
    lifetime: int
    due_ms: int | None
    failure_class: str | None
    failure_reason: str | None
    output: CleanJson
    dead_letter: str | None
    prompt: str | None
    decided_by: str | None


class RunDetail(Model):
    """A run: its standing, its claim, the limits that hold it back, and every node. Times are UTC milliseconds."""

    run_id: str
    tenant: str
    automation: str
    key: str | None
    flow: str
    status: Status
    pause_requested: bool
    generation: int
    epoch: int
    worker: str | None
    lease_expires_ms: int | None
    queue_reason: str | None
    due_ms: int | None
    held_by: tuple[str, ...]
    submitted_at_ms: int
    finished_at_ms: int | None
    input: CleanJson
    events: int
    nodes: tuple[NodeDetail, ...]


def detail_of(run: Run) -> RunDetail:
    """*run* as it stands."""
    blocked = _blocked(run)
    return RunDetail(
        run_id=run.id,
        tenant=str(run.tenant),
        automation=run.automation,
        key=run.key,
        flow=run.flow.digest,
        status=run.status,
        pause_requested=run.pause_requested,
        generation=run.generation,
        epoch=run.epoch,
        worker=run.claim.worker if run.claim else None,
        lease_expires_ms=run.claim.expires_at_ms if run.claim else None,
        queue_reason=run.queue_reason if run.due_ms is not None or run.held_by else None,
        due_ms=run.due_ms,
        held_by=run.held_by,
        submitted_at_ms=run.submitted_at_ms,
        finished_at_ms=run.finished_at_ms,
        input=run.input,
        events=run.version,
        nodes=tuple(_node(run, node, state, node in blocked) for node, state in run.nodes.items()),
    )


def _node(run: Run, node: NodeId, state: NodeState, blocked: bool) -> NodeDetail:
    spec = run.flow.nodes[node]
    return NodeDetail(
        node=node,
        status="blocked" if blocked else state.status,
        after=tuple(spec.after),
        handler="" if spec.is_stateful_wait else spec.handled_by,
        number=state.number,
        max_attempts=spec.retry.max_attempts,
        lifetime=state.lifetime,
        due_ms=state.due_ms,
        failure_class=state.failure.failure_class if state.failure else None,
        failure_reason=state.failure.reason if state.failure else None,
        output=state.output,
        dead_letter=run.dead_letters.get(node),
        prompt=spec.approval.prompt if spec.approval else None,
        decided_by=state.decided_by,
    )


def _blocked(run: Run) -> set[NodeId]:
    """The pending descendants of failed nodes."""
    found: set[NodeId] = set()
    waiting = list(run.failed)
    while waiting:
        for child in run.flow.children[waiting.pop()]:
            if child not in found and run.nodes[child].status is NodeStatus.PENDING:
                found.add(child)
                waiting.append(child)
    return found
