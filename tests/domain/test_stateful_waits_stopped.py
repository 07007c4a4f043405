"""Approvals and timed waits in runs that are paused, stopped, requeued or cancelled."""

import pytest

from redrive.domain.errors import NodeNotReady
from redrive.domain.flow import Node
from redrive.domain.identity import NodeId
from redrive.domain.run import events as e
from redrive.domain.run import wait_events as w
from redrive.domain.run.attempts import fail_attempt, start_attempt
from redrive.domain.run.control import cancel_run, pause_run, recover_run, requeue_run, resume_run
from redrive.domain.run.stateful_waits import approve, deny, end_due
from tests.domain.facts import BROKEN, attempt, claimed, failed, policy, queued, started, succeeded
from tests.domain.given import Given, fact
from tests.domain.waiting import ask, begun, rest


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
