"""Approvals and timed waits: when they begin, how they end, and where their run stands then."""

from typing import Any

import pytest

from redrive.domain.errors import InvalidValue, NodeNotReady, NotAllowed, RedriveError
from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import NodeId
from redrive.domain.run import events as e
from redrive.domain.run import wait_events as w
from redrive.domain.run.attempts import complete_attempt, fail_attempt, start_attempt
from redrive.domain.run.control import cancel_run, pause_run, recover_run, requeue_run, resume_run
from redrive.domain.run.state import Run
from redrive.domain.run.stateful_waits import approve, begin_ready, deny, end_due
from redrive.domain.stateful_wait import Approval, Wait
from tests.domain.facts import BROKEN, attempt, claimed, failed, policy, queued, started, submitted, succeeded
from tests.domain.given import Given, fact, given

ASK = Approval("go on?")
SOON = Approval("go on?", timeout_ms=50)


def ask(node: str = "ask", *after: str, mode: str = "fail_run", timeout_ms: int | None = None) -> Node:
    """An approval."""
    return Node(node, after=after, retry=policy(mode=mode), approval=Approval("go on?", timeout_ms))


def rest(node: str = "rest", *after: str, delay_ms: int = 50) -> Node:
    """A timed wait."""
    return Node(node, after=after, wait=Wait(delay_ms=delay_ms))


def begun(*nodes: Node, at: int = 0) -> Given[Run]:
    """A run that was just submitted, with all that follows in the same transaction."""
    start = given(submitted(Flow(nodes)))
    run = start.state
    return Given(start.fold, (*start.events, *begin_ready(run, now_ms=at)))


def yes(node: str = "ask", lifetime: int = 1) -> w.ApprovalGiven:
    """It was approved."""
    return w.ApprovalGiven(node=attempt(node).node, lifetime=lifetime, by="human:ana", given_at_ms=9)


@pytest.mark.parametrize(
    "fields",
    [
        {"approval": ASK, "wait": Wait(delay_ms=1)},
        {"approval": ASK, "handler": "h"},
        {"wait": Wait(delay_ms=1), "timeout_ms": 5},
        {"wait": Wait(delay_ms=1), "resource": "r"},
        {"approval": ASK, "params": {}},
        {"approval": "go on?"},
        {"wait": 50},
    ],
)
def test_a_node_is_a_handler_an_approval_or_a_wait(fields: dict[str, Any]) -> None:
    """What nobody would read is refused, not lost."""
    with pytest.raises(InvalidValue, match=r"node\."):
        Node("a", **fields)


@pytest.mark.parametrize(
    ("cls", "values"),
    [
        (Approval, {"prompt": " "}),
        (Approval, {"prompt": 3}),
        (Approval, {"prompt": "x", "timeout_ms": 0}),
        (Approval, {"prompt": "x", "timeout_ms": True}),
        (Wait, {}),
        (Wait, {"delay_ms": 1, "until_ms": 1}),
        (Wait, {"delay_ms": -1}),
        (Wait, {"until_ms": 2**53}),
    ],
)
def test_approvals_and_waits_are_checked_at_the_boundary(cls: type, values: dict[str, Any]) -> None:
    """A wait of the wrong unit is found before the night, not in it."""
    with pytest.raises(InvalidValue):
        cls(**values)


def test_flows_with_stateful_waits_read_back_and_others_keep_their_digest() -> None:
    """Runs of years ago are replayed with the flow that they used, under the name that it had."""
    flow = Flow([Node("a"), ask("b", "a", timeout_ms=5), rest("c", "b"), Node("d", wait=Wait(until_ms=9))])
    again = Flow.from_document(flow.document())
    assert again == flow
    assert again.nodes == flow.nodes
    assert Flow([Node("a")]).document() == {"version": 1, "nodes": [{"id": "a"}], "policies": {}}


def test_a_root_begins_with_the_submission() -> None:
    """An approval alone leaves the run awaiting it; a wait alone leaves it queued for its end."""
    submitted_ = given(submitted(Flow([ask(timeout_ms=50)])))
    requested = fact(w.ApprovalRequested, lifetime=1, prompt="go on?", requested_at_ms=7, expires_at_ms=57)
    submitted_.when(begin_ready, now_ms=7).then(requested, w.RunAwaitingApproval)
    waiting = given(submitted(Flow([rest()])))
    waiting.when(begin_ready, now_ms=7).then(fact(w.WaitStarted, started_at_ms=7, due_ms=57), queued(57, "wait"))
    given(submitted(Flow([Node("a")]))).when(begin_ready, now_ms=7).then()


def test_a_run_with_work_to_do_beside_an_approval_stays_due() -> None:
    """Asking holds up no other branch."""
    after = begun(ask(), Node("a"))
    assert (after.state.status, list(after.state.ready), after.state.due_ms) == ("queued", ["a"], 0)


def test_an_approval_makes_its_children_ready() -> None:
    """The run leaves awaiting_approval and is due at once; the output says who."""
    after = (
        begun(ask(), Node("b", after="ask"))
        .when(approve, "ask", by="human:ana", now_ms=9)
        .then(fact(w.ApprovalGiven, lifetime=1, by="human:ana"), queued(9, "approved"))
    )
    assert (after.state.nodes["ask"].output, list(after.state.ready)) == ({"approved_by": "human:ana"}, ["b"])  # type: ignore[index]


def test_the_last_approval_completes_the_run() -> None:
    """Rule 1, without an attempt."""
    begun(ask()).when(approve, "ask", by="human:ana", now_ms=9).then(w.ApprovalGiven, e.RunCompleted)


def test_an_attempt_that_ends_leads_to_what_follows_at_once() -> None:
    """Its child, an approval, is requested in the same transaction; the claim ends."""
    flow = Flow([Node("a"), ask("ask", "a"), Node("b", after="ask")])
    given(submitted(flow), claimed(), started("a")).when(complete_attempt, attempt("a"), None, now_ms=9).then(
        e.AttemptSucceeded, fact(w.ApprovalRequested, node="ask"), w.RunAwaitingApproval
    )


def test_an_approval_while_an_attempt_runs_moves_no_run() -> None:
    """Settle looks when nothing runs; the child is ready for whoever holds the claim."""
    base = begun(ask(), Node("a"), Node("b", after="ask"))
    running = Given(base.fold, (*base.events, claimed(), started("a")))
    after = running.when(approve, "ask", by="human:ana", now_ms=9).then(w.ApprovalGiven)
    assert (after.state.status, list(after.state.ready)) == ("running", ["b"])


def test_an_approval_during_another_nodes_backoff() -> None:
    """Rule 5 comes before rule 6; what the approval makes ready sets the queued run due now, the backoff holds."""
    base = begun(ask(), Node("a", retry=policy(delay_ms=5_000)), Node("b", after="ask"))
    backing = Given(base.fold, (*base.events, claimed(), started("a"))).when(
        fail_attempt, attempt("a"), BROKEN, now_ms=0, draw=0.0
    ).then(e.AttemptFailed, e.RetryBackoffScheduled, queued(5_000))  # fmt: skip
    after = backing.when(approve, "ask", by="human:ana", now_ms=9).then(w.ApprovalGiven, queued(9, "approved"))
    assert (after.state.due_ms, after.state.waiting) == (9, {"a": 5_000})


def test_a_denial_beside_a_backoff_leaves_the_queue_entry_alone() -> None:
    """The run is queued for the same moment already."""
    base = begun(ask(mode="dead_letter"), Node("a", retry=policy(delay_ms=5_000)))
    backing = Given(base.fold, (*base.events, claimed(), started("a"))).when(
        fail_attempt, attempt("a"), BROKEN, now_ms=0, draw=0.0
    ).then(e.AttemptFailed, e.RetryBackoffScheduled, queued(5_000))  # fmt: skip
    backing.when(deny, "ask", by="human:ana", reason="no", now_ms=9).then(w.ApprovalDenied)


@pytest.mark.parametrize(
    ("mode", "ends"),
    [("fail_run", e.RunFailed), ("pause_for_review", e.RunBlocked), ("dead_letter", e.RunBlocked)],
)
def test_a_denial_ends_the_run_as_the_nodes_policy_says(mode: str, ends: type[Event]) -> None:
    """The class is approval_denied, never retryable; the decision has every input."""
    after = (
        begun(ask(mode=mode), Node("b", after="ask"))
        .when(deny, "ask", by="human:ana", reason="too risky", now_ms=9)
        .then(w.ApprovalDenied, ends)
    )
    denied = after.events[-2]
    assert isinstance(denied, w.ApprovalDenied)
    assert denied.failure == Failure("approval_denied", "too risky", final=True)
    assert (denied.decision.terminal, denied.decision.mode, denied.decision.lifetime) == (True, mode, 1)


@pytest.mark.parametrize("rule", [approve, deny])
@pytest.mark.parametrize(
    ("history", "node", "error", "saying"),
    [
        ((), "nobody", InvalidValue, "approval of this run's flow"),
        ((), "a", NotAllowed, "it is no approval"),
        ((), "later", NotAllowed, "it is pending"),
        ((yes(),), "ask", NotAllowed, "it is succeeded"),
        ((e.RunCancelled(was="queued", finished_at_ms=1),), "ask", NotAllowed, "the run is cancelled"),
    ],
)
def test_what_is_not_pending_cannot_be_decided(
    rule: Any, history: tuple[Event, ...], node: str, error: type[RedriveError], saying: str
) -> None:
    """A double approval, an approval of nothing, of a request that is over: refused, nothing written."""
    base = begun(ask(), Node("a"), ask("later", "ask", "a"))
    more = {} if rule is approve else {"reason": "no"}
    Given(base.fold, (*base.events, *history)).when(rule, node, by="human:ana", now_ms=9, **more).then_refused(
        error, saying
    )


@pytest.mark.parametrize(("at", "pending"), [(49, True), (50, False), (51, False)])
def test_at_the_millisecond_of_its_expiry_an_approval_is_over(at: int, *, pending: bool) -> None:
    """Whoever looks first, tick or operator: the answer is the same."""
    base = begun(ask(timeout_ms=50, mode="dead_letter"))
    late = base.when(approve, "ask", by="human:ana", now_ms=at)
    if pending:
        late.then(w.ApprovalGiven, e.RunCompleted)
        base.when(end_due, now_ms=at).then()
    else:
        late.then_refused(NotAllowed, "expired at 50")
        after = base.when(end_due, now_ms=at).then(fact(w.ApprovalExpired, lifetime=1), e.RunBlocked)
        after.when(approve, "ask", by="human:ana", now_ms=at).then_refused(NotAllowed, "it is failed")
        after.when(end_due, now_ms=at + 1).then()


def test_waits_end_when_they_are_due_and_not_before() -> None:
    """The next one decides where the queue entry stands; a clock that went back ends nothing."""
    base = begun(rest("r"), rest("s", delay_ms=80), Node("b", after="r"))
    base.when(end_due, now_ms=49).then()
    after = base.when(end_due, now_ms=60).then(fact(w.WaitEnded, node="r", ended_at_ms=60), queued(60, "wait_ended"))
    assert after.state.timers == {"s": 80}


def test_a_chain_of_stateful_waits_begins_one_after_the_other() -> None:
    """Wait, wait that is over, approval: what can follow does, in one decision."""
    base = begun(rest("r"), rest("s", "r", delay_ms=0), ask("ask", "s", timeout_ms=5))
    base.when(end_due, now_ms=60).then(
        fact(w.WaitEnded, node="r"),
        fact(w.WaitStarted, node="s", due_ms=60),
        fact(w.WaitEnded, node="s"),
        fact(w.ApprovalRequested, node="ask", expires_at_ms=65),
        w.RunAwaitingApproval,
    )


def test_a_node_after_two_waits_that_end_together_becomes_ready_once() -> None:
    """Also when one of them follows an attempt and is over as it begins."""
    flow = Flow([Node("a"), rest("r", "a", delay_ms=0), rest("s", "a", delay_ms=0), Node("b", after=["a", "r", "s"])])
    after = given(submitted(flow), claimed(), started("a")).when(complete_attempt, attempt("a"), None, now_ms=9).then(
        e.AttemptSucceeded, *(w.WaitStarted, w.WaitEnded) * 2
    )  # fmt: skip
    assert (list(after.state.ready), after.state.succeeded) == (["b"], 3)


@pytest.mark.parametrize("delay_ms", [0, 5])
def test_ten_thousand_waits_in_a_row(delay_ms: int) -> None:
    """Iterative: neither recursion nor quadratic work."""
    nodes = [rest("n0", delay_ms=5)]
    nodes += [rest(f"n{n}", f"n{n - 1}", delay_ms=delay_ms) for n in range(1, 10_000)]
    after = begun(*nodes).when(end_due, now_ms=5)
    assert len(after.result) == (20_000 if delay_ms == 0 else 3)


def test_a_pause_lets_nothing_begin_and_a_resume_lets_it() -> None:
    """A wait that ends while paused makes its child ready; it is asked for after the resume."""
    base = begun(rest("r"), ask("ask", "r"))
    paused = base.when(pause_run, now_ms=1).then(e.RunPauseRequested, e.RunPaused)
    ended = paused.when(end_due, now_ms=60).then(w.WaitEnded)
    assert (ended.state.status, list(ended.state.unbegun)) == ("paused", ["ask"])
    ended.when(resume_run, now_ms=70).then(e.RunResumed, w.ApprovalRequested, w.RunAwaitingApproval)


def test_an_approval_given_while_paused_leaves_the_run_paused() -> None:
    """The node changes; the pause holds."""
    paused = begun(ask(), Node("b", after="ask")).when(pause_run, now_ms=1).then(e.RunPauseRequested, e.RunPaused)
    given_ = paused.when(approve, "ask", by="human:ana", now_ms=9).then(w.ApprovalGiven)
    given_.when(resume_run, now_ms=10).then(e.RunResumed, queued(10, "resumed"))


@pytest.mark.parametrize("mode", ["fail_run", "pause_for_review"])
def test_an_approval_given_in_a_stopped_run_does_not_revive_it(mode: str) -> None:
    """Its descendants wait for the next generation; there they begin."""
    base = begun(ask(), Node("a", retry=policy(1, mode)), ask("then", "ask"))
    stopped = Given(base.fold, (*base.events, claimed(), started("a"))).when(
        fail_attempt, attempt("a"), BROKEN, now_ms=5, draw=0.0
    ).then(e.AttemptFailed, e.RunFailed if mode == "fail_run" else e.RunBlocked)  # fmt: skip
    after = stopped.when(approve, "ask", by="human:ana", now_ms=9).then(w.ApprovalGiven)
    after.when(recover_run, None, now_ms=20).then(
        fact(e.RunRequeued, due_ms=20), fact(w.ApprovalRequested, node="then")
    )


def test_a_denial_in_a_blocked_run_can_fail_it() -> None:
    """Fail_run outranks pause_for_review, also when it comes second and from an operator."""
    base = begun(ask(), Node("a", retry=policy(1, "pause_for_review")))
    blocked = Given(base.fold, (*base.events, claimed(), started("a"), failed("a", "pause_for_review")))
    blocked = Given(base.fold, (*blocked.events, e.RunBlocked(finished_at_ms=1)))
    blocked.when(deny, "ask", by="human:ana", reason="no", now_ms=9).then(w.ApprovalDenied, e.RunFailed)


def test_a_requeue_keeps_pending_approvals_outside_and_renews_those_inside() -> None:
    """A reset approval is requested anew, with the next lifetime."""
    base = begun(ask("keep"), Node("a"), ask("renew", "a"), Node("b", retry=policy(1)))
    events = (*base.events, claimed(), started("a"), succeeded("a"))
    asked = w.ApprovalRequested(
        node=attempt("renew").node, lifetime=1, prompt="go on?", requested_at_ms=1, expires_at_ms=None
    )
    failed_ = Given(base.fold, (*events, asked, started("b"), failed("b"), e.RunFailed(finished_at_ms=1)))
    after = failed_.when(requeue_run, [NodeId("renew"), NodeId("b")], "recover", now_ms=9).then(
        e.RunRequeued, fact(w.ApprovalRequested, node="renew", lifetime=2)
    )
    assert after.state.approvals == {"keep": None, "renew": None}
    assert after.state.status == "queued"


def test_recovering_an_expired_approval_alone_awaits_it_again() -> None:
    """The requeue and the request are one transaction; the run is never claimable in between."""
    expired = begun(ask(timeout_ms=50)).when(end_due, now_ms=50).then(w.ApprovalExpired, e.RunFailed)
    after = expired.when(recover_run, None, now_ms=60).then(
        fact(e.RunRequeued, due_ms=60), fact(w.ApprovalRequested, lifetime=2, expires_at_ms=110), w.RunAwaitingApproval
    )
    assert after.state.finished_at_ms is None


def test_a_requeue_of_a_paused_run_begins_nothing() -> None:
    """The pause request stays set."""
    expired = begun(ask(timeout_ms=50)).when(end_due, now_ms=50).then(w.ApprovalExpired, e.RunFailed)
    asked = Given(expired.fold, (*expired.events, e.RunPauseRequested()))
    after = asked.when(recover_run, None, now_ms=60).then(e.RunRequeued, e.RunPaused)
    after.when(resume_run, now_ms=70).then(e.RunResumed, w.ApprovalRequested, w.RunAwaitingApproval)


def test_a_cancelled_run_asks_nobody_and_waits_for_nothing() -> None:
    """Cancelled is final: neither expiry nor the end of a wait follows."""
    after = begun(ask(timeout_ms=50), rest()).when(cancel_run, now_ms=9).then(e.RunCancelled)
    after.when(end_due, now_ms=999).then()
    assert not after.state.approvals
    assert not after.state.timers


@pytest.mark.parametrize("node", ["ask", "rest"])
def test_no_worker_can_start_what_the_engine_executes(node: str) -> None:
    """Not even by its name."""
    base = begun(ask(), rest(), Node("a"))
    Given(base.fold, (*base.events, claimed())).when(
        start_attempt, attempt(node).node, epoch=1, now_ms=999
    ).then_refused(NodeNotReady, "the engine itself")
