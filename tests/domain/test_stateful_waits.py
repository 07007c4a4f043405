"""Approvals and timed waits: when they begin, how they end, and where their run stands then."""

from typing import Any

import pytest

from redrive.domain.errors import InvalidValue, NotAllowed, RedriveError
from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.flow import Flow, Node
from redrive.domain.run import events as e
from redrive.domain.run import wait_events as w
from redrive.domain.run.attempts import complete_attempt, fail_attempt
from redrive.domain.run.stateful_waits import approve, begin_ready, deny, end_due
from redrive.domain.stateful_wait import Approval, Wait
from tests.domain.facts import BROKEN, attempt, claimed, policy, queued, started, submitted
from tests.domain.given import Given, fact, given
from tests.domain.waiting import ASK, ask, begun, rest, yes


@pytest.mark.parametrize(
    "fields",
    [
        {"approval": ASK, "wait": Wait(delay_ms=1)},
        {"approval": ASK, "handler": "h"},
        {"wait": Wait(delay_ms=1), "timeout_ms": 5},
        {"wait": Wait(delay_ms=1), "resource": "r"},
        {"approval": ASK, "provider": "p"},
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


def test_a_recorded_provider_beside_an_approval_is_read_as_it_was() -> None:
    """It was let pass once, and said nothing; without it the flow would have another name."""
    recorded = {"version": 1, "nodes": [{**ask("b").document(), "provider": "p"}], "policies": {}}
    assert Flow.from_document(recorded).document() == recorded


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
        ((), "nobody", InvalidValue, "approval of this run's flow; pending: 'ask'"),
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


def test_the_decision_about_an_approval_says_how_long_it_was_asked() -> None:
    """Since the first time, as with attempts: it is read again when the policy is asked what it would say."""
    base = begun(ask(timeout_ms=50), at=7)
    expired, _ = end_due(base.state, now_ms=60)
    denied = deny(base.state, "ask", by="human:ana", reason="no", now_ms=30)
    ended = [event for event in (*expired, *denied) if isinstance(event, (w.ApprovalExpired, w.ApprovalDenied))]
    assert [(event.decision.number, event.decision.elapsed_ms) for event in ended] == [(1, 53), (1, 23)]


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
