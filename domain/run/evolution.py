"""How events change the state of a run. Appliers only assign."""

from redrive.domain.event import Event, Evolve
from redrive.domain.flow import dependants
from redrive.domain.identity import NodeId
from redrive.domain.retry_policy import Mode, RetryDecision, Verdict, stopping
from redrive.domain.run import events as e
from redrive.domain.run import wait_events as w
from redrive.domain.run.state import QUEUED, RUNNING, Claim, NodeState, NodeStatus, Run, Status
from redrive.domain.values import JsonValue

evolve: Evolve[Run] = Evolve()
evolve.inert(e.NoteAdded)


@evolve.on(e.RunSubmitted)
def _submitted(run: Run, event: e.RunSubmitted) -> None:
    run.id, run.automation, run.key, run.content = event.run, event.automation, event.key, event.content
    run.input, run.submitted_at_ms, run.due_ms = event.input, event.submitted_at_ms, event.submitted_at_ms
    run.nodes = {node: NodeState(unmet=len(spec.after)) for node, spec in run.flow.nodes.items()}
    for node, state in run.nodes.items():
        if state.unmet == 0:
            _make_ready(run, node)


@evolve.on(e.RunClaimed)
def _claimed(run: Run, event: e.RunClaimed) -> None:
    run.status, run.due_ms, run.epoch, run.held_by = RUNNING, None, event.epoch, ()
    run.claim = Claim(event.epoch, event.worker, event.holder, event.lease_ms, event.expires_at_ms)


@evolve.on(e.LeaseRenewed)
def _renewed(run: Run, event: e.LeaseRenewed) -> None:
    claim = run.claim
    assert claim is not None
    run.claim = Claim(claim.epoch, claim.worker, claim.holder, claim.lease_ms, event.expires_at_ms)


def _claim_ended(run: Run, _event: Event) -> None:
    run.claim = None


evolve.on(e.ClaimReleased)(_claim_ended)
evolve.on(e.ClaimAbandoned)(_claim_ended)


@evolve.on(e.AttemptStarted)
def _started(run: Run, event: e.AttemptStarted) -> None:
    name = event.node
    node = run.nodes[name]
    run.ready.pop(name, None)
    run.waiting.pop(name, None)
    run.running[name] = None
    if run.flow.nodes[name].limit_keys:
        run.held_since_ms = None
    node.status, node.due_ms = NodeStatus.RUNNING, None
    node.number = node.next_number = event.number
    node.lifetime, node.started_ms = event.lifetime, event.started_at_ms
    if node.first_started_ms is None:
        node.first_started_ms = event.started_at_ms


@evolve.on(e.AttemptSucceeded)
def _succeeded(run: Run, event: e.AttemptSucceeded) -> None:
    _ended(run, event.node, event.lifetime, event.report, None)
    _succeed(run, event.node, event.output)


@evolve.on(e.AttemptFailed)
def _failed(run: Run, event: e.AttemptFailed) -> None:
    node = _ended(run, event.node, event.lifetime, event.report, event.decision)
    node.failure = event.failure
    _after_decision(run, event.node, event.decision)


@evolve.on(e.AttemptInterrupted)
def _interrupted(run: Run, event: e.AttemptInterrupted) -> None:
    node = _ended(run, event.node, event.lifetime, "interrupted", event.decision)
    node.failure = event.decision.failure
    if not event.decision.terminal:  # else AttemptFailed follows
        _after_decision(run, event.node, event.decision)


@evolve.on(e.AttemptSnoozed)
def _snoozed(run: Run, event: e.AttemptSnoozed) -> None:
    _ended(run, event.node, event.lifetime, event.report, None)
    _make_waiting(run, event.node, event.due_ms, "snoozed")


@evolve.on(e.RetryBackoffScheduled)
def _backoff(run: Run, event: e.RetryBackoffScheduled) -> None:
    _make_waiting(run, event.node, event.retry_after_ms, "retry_backoff")


@evolve.on(w.ApprovalRequested)
def _approval_requested(run: Run, event: w.ApprovalRequested) -> None:
    node = _begun(run, event.node, event.lifetime, event.requested_at_ms)
    node.status, node.due_ms = NodeStatus.AWAITING_APPROVAL, event.expires_at_ms
    run.approvals[event.node] = event.expires_at_ms


@evolve.on(w.ApprovalGiven)
def _approval_given(run: Run, event: w.ApprovalGiven) -> None:
    del run.approvals[event.node]
    run.nodes[event.node].decided_by = event.by
    _succeed(run, event.node, {"approved_by": event.by})


@evolve.on(w.ApprovalDenied)
def _approval_denied(run: Run, event: w.ApprovalDenied) -> None:
    run.nodes[event.node].decided_by = event.by
    _refuse_approval(run, event.node, event.decision)


@evolve.on(w.ApprovalExpired)
def _approval_expired(run: Run, event: w.ApprovalExpired) -> None:
    _refuse_approval(run, event.node, event.decision)


@evolve.on(w.WaitStarted)
def _wait_started(run: Run, event: w.WaitStarted) -> None:
    node = _begun(run, event.node, event.lifetime, event.started_at_ms)
    node.status, node.due_ms, node.due_reason = NodeStatus.WAITING, event.due_ms, "wait"
    run.timers[event.node] = event.due_ms


@evolve.on(w.WaitEnded)
def _wait_ended(run: Run, event: w.WaitEnded) -> None:
    del run.timers[event.node]
    _succeed(run, event.node, None)


@evolve.on(w.RunAwaitingApproval)
def _awaiting_approval(run: Run, _event: w.RunAwaitingApproval) -> None:
    run.status, run.claim, run.due_ms, run.finished_at_ms = Status.AWAITING_APPROVAL, None, None, None


@evolve.on(e.RunQueued)
def _queued(run: Run, event: e.RunQueued) -> None:
    run.status, run.claim, run.finished_at_ms = QUEUED, None, None
    run.due_ms, run.queue_reason = event.due_ms, event.reason
    run.held_by = tuple(dict.fromkeys(use.limit for use in event.limits))
    if run.held_by:
        run.passed_over, run.held_since_ms = run.held_since_ms is not None, event.since_ms


@evolve.on(e.RunRequeued)
def _requeued(run: Run, event: e.RunRequeued) -> None:
    reset = dependants(run.flow.children, event.roots)
    _reset(run, reset)
    run.generation, run.stopped_by, run.finished_at_ms = event.generation, None, None
    run.status, run.due_ms, run.queue_reason = QUEUED, event.due_ms, event.cause
    run.held_since_ms = None


@evolve.on(e.RunPauseRequested)
def _pause_requested(run: Run, _event: e.RunPauseRequested) -> None:
    run.pause_requested = True


@evolve.on(e.RunPaused)
def _paused(run: Run, _event: e.RunPaused) -> None:
    run.status, run.claim, run.due_ms, run.finished_at_ms, run.held_by = Status.PAUSED, None, None, None, ()


@evolve.on(e.RunResumed)
def _resumed(run: Run, _event: e.RunResumed) -> None:
    run.pause_requested, run.stands_since = False, run.version


@evolve.on(e.DeadLetterLinked)
def _linked(run: Run, event: e.DeadLetterLinked) -> None:
    if event.effect is None:
        run.dead_letters[event.node] = event.dead_letter
    else:
        run.effect_letters[event.effect] = event.dead_letter


@evolve.on(e.EffectAdmitted)
def _admitted(run: Run, event: e.EffectAdmitted) -> None:
    node = run.nodes[event.node]
    if node.effects is None:
        node.effects = {}
    node.effects[event.effect] = event.lifetime


@evolve.on(e.RunCompleted)
def _completed(run: Run, event: e.RunCompleted) -> None:
    _finish(run, Status.COMPLETED, event.finished_at_ms)


@evolve.on(e.RunBlocked)
def _blocked(run: Run, event: e.RunBlocked) -> None:
    _finish(run, Status.BLOCKED, event.finished_at_ms)


@evolve.on(e.RunFailed)
def _run_failed(run: Run, event: e.RunFailed) -> None:
    _finish(run, Status.FAILED, event.finished_at_ms)


@evolve.on(e.RunCancelled)
def _cancelled(run: Run, event: e.RunCancelled) -> None:
    _finish(run, Status.CANCELLED, event.finished_at_ms)
    run.running.clear()
    for group in (run.waiting, run.ready, run.approvals, run.timers, run.unbegun):
        group.clear()


def _finish(run: Run, status: Status, at_ms: int) -> None:
    run.status, run.claim, run.due_ms, run.finished_at_ms, run.held_by = status, None, None, at_ms, ()
    run.stands_since = run.version


def _make_ready(run: Run, node: NodeId) -> None:
    run.nodes[node].status = NodeStatus.READY
    (run.unbegun if run.flow.nodes[node].is_stateful_wait else run.ready)[node] = None


def _succeed(run: Run, node: NodeId, output: JsonValue) -> None:
    state = run.nodes[node]
    state.status, state.output, state.failure, state.due_ms = NodeStatus.SUCCEEDED, output, None, None
    run.succeeded += 1
    for child in run.flow.children[node]:
        run.nodes[child].unmet -= 1
        if run.nodes[child].unmet == 0:
            _make_ready(run, child)


def _begun(run: Run, node: NodeId, lifetime: int, at_ms: int) -> NodeState:
    state = run.nodes[node]
    del run.unbegun[node]
    state.number, state.lifetime, state.first_started_ms, state.started_ms = 1, lifetime, at_ms, at_ms
    return state


def _refuse_approval(run: Run, node: NodeId, decision: RetryDecision) -> None:
    del run.approvals[node]
    run.nodes[node].failure, run.nodes[node].due_ms = decision.failure, None
    _after_decision(run, node, decision)


def _make_waiting(run: Run, node: NodeId, due_ms: int, reason: e.QueueReason) -> None:
    state = run.nodes[node]
    run.ready.pop(node, None)
    state.status, state.due_ms, state.due_reason = NodeStatus.WAITING, due_ms, reason
    run.waiting[node] = due_ms


def _ended(run: Run, node: NodeId, lifetime: int, report: str, decision: RetryDecision | None) -> NodeState:
    run.running.pop(node, None)
    state = run.nodes[node]
    if state.reports is None:
        state.reports = {}
    state.reports[lifetime] = (report, decision)
    return state


def _after_decision(run: Run, node: NodeId, decision: RetryDecision) -> None:
    state = run.nodes[node]
    state.next_number = state.number + 1
    if decision.terminal:
        state.status, state.mode = NodeStatus.FAILED, decision.mode
        run.failed[node] = decision.mode
        run.failing += decision.mode is Mode.FAIL_RUN
        run.stopped_by = stopping(decision.mode, run.stopped_by)
    elif decision.verdict is Verdict.RETRY_ALLOWED:
        _make_ready(run, node)


def _reset(run: Run, reset: list[NodeId]) -> None:
    for node in reset:
        state = run.nodes[node]
        if state.status is NodeStatus.SUCCEEDED:
            run.succeeded -= 1
        run.failing -= run.failed.get(node) is Mode.FAIL_RUN
        for group in (run.ready, run.waiting, run.failed, run.approvals, run.timers, run.unbegun):
            group.pop(node, None)
        state.status, state.number, state.next_number, state.first_started_ms = NodeStatus.PENDING, 0, 1, None
        state.due_ms = state.output = state.failure = state.mode = state.decided_by = None
    for node in reset:
        parents = run.flow.nodes[node].after
        run.nodes[node].unmet = sum(run.nodes[NodeId(p)].status is not NodeStatus.SUCCEEDED for p in parents)
        if run.nodes[node].unmet == 0:
            _make_ready(run, node)
