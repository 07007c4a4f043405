"""Attempts: who may start and report, and what a report means."""

import pytest

from redrive.domain.errors import NodeNotReady, NotRunning, Refused, StaleAttempt, StaleEpoch
from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.flow import Flow, Node
from redrive.domain.retry_policy import Verdict
from redrive.domain.run import events as e
from redrive.domain.run.attempts import complete_attempt, fail_attempt, snooze_attempt, start_attempt, startable
from redrive.domain.run.claims import abandon_claim, claim_run
from redrive.domain.run.control import requeue_run
from redrive.domain.run.state import NodeStatus, Status
from tests.domain.facts import (
    BROKEN,
    DENIED,
    LEASE_MS,
    TIMEOUT,
    attempt,
    cancelled,
    claimed,
    failed,
    line,
    policy,
    queued,
    side_by_side,
    snoozed,
    started,
    submitted,
    succeeded,
)
from tests.domain.given import fact, given

FLOW = line("a", "b", retry=policy(3, delay_ms=100))
A = attempt("a").node
BEGUN = (submitted(FLOW), claimed(), started("a"))


# Starting


def test_a_ready_node_starts() -> None:
    """The first try of a node is number 1 and lifetime 1; its deadline comes from its timeout."""
    flow = Flow([Node("a", timeout_ms=50)])
    given(submitted(flow), claimed(epoch=4)).when(start_attempt, A, epoch=4, now_ms=7).then(
        e.AttemptStarted(node=A, number=1, lifetime=1, epoch=4, started_at_ms=7, deadline_ms=57)
    )


@pytest.mark.parametrize(
    ("history", "node", "epoch", "error", "says"),
    [
        ((), "a", 0, NotRunning, "queued"),
        ((claimed(), cancelled()), "a", 9, NotRunning, "cancelled"),
        ((claimed(epoch=2),), "zzz", 1, StaleEpoch, "epoch 2"),
        ((claimed(),), "zzz", 1, NodeNotReady, "not a node"),
        ((claimed(),), "b", 1, NodeNotReady, "pending"),
        ((claimed(), started("a")), "a", 1, NodeNotReady, "running"),
        ((claimed(), started("a"), succeeded("a")), "a", 1, NodeNotReady, "succeeded"),
        ((claimed(), started("a"), failed("a", "dead_letter")), "a", 1, NodeNotReady, "failed"),
        ((claimed(), started("a"), snoozed("a", 8)), "a", 1, NodeNotReady, "waits until 8"),
        ((claimed(), e.RunPauseRequested()), "a", 1, NodeNotReady, "pause"),
        ((claimed(), started("a"), failed("a")), "b", 1, NodeNotReady, "failed for good"),
        ((claimed(), started("a"), failed("a", "pause_for_review")), "b", 1, NodeNotReady, "failed for good"),
    ],
)
def test_a_start_is_refused(history: tuple[Event, ...], node: str, epoch: int, error: type[Refused], says: str) -> None:
    """In this order: the run, the claim, the node."""
    given(submitted(FLOW), *history).when(start_attempt, attempt(node).node, epoch=epoch, now_ms=7).then_refused(
        error, says
    )


@pytest.mark.parametrize(("now", "able"), [(7, []), (8, ["a"]), (9, ["a"])])
def test_a_waiting_node_is_startable_when_its_time_has_come(now: int, able: list[str]) -> None:
    """Due means: due time ≤ now."""
    run = given(*BEGUN, snoozed("a", 8)).state
    assert startable(run, now) == able


# Success


def test_a_success_makes_dependants_ready_and_the_last_one_completes() -> None:
    """A chain, from start to end."""
    half = given(*BEGUN).when(complete_attempt, attempt("a"), {"n": 1}, now_ms=5).then(e.AttemptSucceeded)
    assert (list(half.state.ready), half.state.nodes[A].output) == (["b"], {"n": 1})
    whole = given(*half.events, started("b")).when(complete_attempt, attempt("b"), None, now_ms=6)
    done = whole.then(e.AttemptSucceeded, fact(e.RunCompleted, finished_at_ms=6)).state
    assert (done.status, done.claim, done.finished_at_ms, done.epoch) == (Status.COMPLETED, None, 6, 1)


def test_a_node_is_ready_only_when_all_its_parents_succeeded() -> None:
    """A diamond: the join waits for both."""
    flow = Flow([Node("a"), Node("b"), Node("join", after=["a", "b"])])
    begun = (submitted(flow), claimed(), started("a"), started("b"))
    half = given(*begun).when(complete_attempt, attempt("a"), None, now_ms=5).then(e.AttemptSucceeded)
    assert list(half.state.ready) == []
    both = half.when(complete_attempt, attempt("b"), None, now_ms=6).then(e.AttemptSucceeded)
    assert list(both.state.ready) == ["join"]


# Failure


def test_a_retryable_failure_schedules_a_backoff() -> None:
    """The event says everything an operator asks: which node, which try, until when."""
    begun = given(*BEGUN).when(fail_attempt, attempt("a"), BROKEN, now_ms=50, draw=0.5)
    backoff = fact(e.RetryBackoffScheduled, number=1, next_number=2, max_attempts=3, backoff_ms=100, retry_after_ms=150)
    run = begun.then(fact(e.AttemptFailed, node="a", lifetime=1, failure=BROKEN), backoff, queued(150)).state
    assert (run.status, run.due_ms, run.claim, run.epoch) == (Status.QUEUED, 150, None, 1)
    assert run.nodes[A].status is NodeStatus.WAITING


def test_the_resource_key_of_a_backoff_is_percent_encoded() -> None:
    """It is a URI, whatever the node is called."""
    history = (submitted(side_by_side("fetch/é", retry=policy(3, delay_ms=100))), claimed(), started("fetch/é"))
    given(*history).when(fail_attempt, attempt("fetch/é"), BROKEN, now_ms=50, draw=0.5).then(
        e.AttemptFailed,
        fact(e.RetryBackoffScheduled, resource_key="automation://nightly/runs/run-1/nodes/fetch%2F%C3%A9"),
        e.RunQueued,
    )


@pytest.mark.parametrize(
    ("reason", "kept"),
    [("x" * 500, "x" * 500), ("x" * 501, "x" * 500 + "…"), ("x" * 499 + "é", "x" * 499 + "…")],
)
def test_the_reason_of_a_backoff_is_cut_at_500_bytes(reason: str, kept: str) -> None:
    """On a character boundary, with an ellipsis."""
    given(*BEGUN).when(fail_attempt, attempt("a"), Failure("execution_error", reason), now_ms=0, draw=0.0).then(
        e.AttemptFailed, fact(e.RetryBackoffScheduled, reason=kept), e.RunQueued
    )


def test_without_a_delay_the_node_is_ready_at_once() -> None:
    """retry_allowed: the same claim tries again, and no queue entry is written."""
    flow = line("a", "b", retry=policy(2))
    again = given(submitted(flow), claimed(), started("a")).when(fail_attempt, attempt("a"), BROKEN, now_ms=5, draw=0.0)
    run = again.then(fact(e.AttemptFailed, number=1)).state
    assert (run.status, startable(run, 5)) == (Status.RUNNING, ["a"])
    assert start_attempt(run, A, epoch=1, now_ms=6).number == 2


def test_the_run_goes_on_with_its_other_nodes_during_a_backoff() -> None:
    """A backoff holds a node, not the run."""
    flow = side_by_side("a", "b", retry=policy(3, delay_ms=100))
    waiting = given(submitted(flow), claimed(), started("a"))
    run = waiting.when(fail_attempt, attempt("a"), BROKEN, now_ms=5, draw=0.0).then(
        e.AttemptFailed, e.RetryBackoffScheduled
    )
    assert (run.state.status, startable(run.state, 5)) == (Status.RUNNING, ["b"])
    given(*run.events, started("b")).when(complete_attempt, attempt("b"), None, now_ms=50).then(
        e.AttemptSucceeded, queued(105)
    )


@pytest.mark.parametrize(
    ("attempts", "failure", "verdict"),
    [
        (3, DENIED, Verdict.NOT_RETRYABLE),
        (1, BROKEN, Verdict.ATTEMPTS_EXHAUSTED),
        (1, TIMEOUT, Verdict.ATTEMPTS_EXHAUSTED),
    ],
)
def test_a_final_failure_promises_nothing(attempts: int, failure: Failure, verdict: Verdict) -> None:
    """No backoff is scheduled; the decision says why."""
    flow = side_by_side("a", retry=policy(attempts))
    after = given(submitted(flow), claimed(), started("a")).when(
        fail_attempt, attempt("a"), failure, now_ms=5, draw=0.0
    )
    run = after.then(fact(e.AttemptFailed, failure=failure), e.RunFailed).state
    report = (run.nodes[A].reports or {})[1]
    assert report[1] is not None
    assert (report[1].verdict, run.nodes[A].status) == (verdict, NodeStatus.FAILED)


def test_elapsed_time_counts_from_the_first_start_also_over_snoozes() -> None:
    """A node cannot snooze its way around max_elapsed_ms."""
    flow = side_by_side("a", retry=policy(9, max_elapsed_ms=100))
    history = (submitted(flow), claimed(), started("a", at=10), snoozed("a", 60), started("a", lifetime=2, at=60))
    given(*history).when(fail_attempt, attempt("a", lifetime=2), BROKEN, now_ms=109, draw=0.0).then(e.AttemptFailed)
    given(*history).when(fail_attempt, attempt("a", lifetime=2), BROKEN, now_ms=110, draw=0.0).then(
        e.AttemptFailed, e.RunFailed
    )


def test_a_snooze_keeps_the_number_and_raises_the_lifetime() -> None:
    """Asking for time is no failed attempt, but the old report must not pass for the new one."""
    after = given(*BEGUN).when(snooze_attempt, attempt("a"), 30, now_ms=5)
    run = after.then(fact(e.AttemptSnoozed, due_ms=35, delay_ms=30), queued(35, "snoozed"))
    again = given(*run.events, claimed(2)).when(start_attempt, A, epoch=2, now_ms=35)
    again.then(fact(e.AttemptStarted, number=1, lifetime=2))


# After a final failure


def test_after_a_final_failure_running_attempts_finish_and_backoffs_are_kept_for_the_next_generation() -> None:
    """The late, retryable failure opens nothing: it keeps its due time until the run is requeued."""
    flow = side_by_side("a", "b", retry=policy(2, delay_ms=100))
    history = (submitted(flow), claimed(), started("a"), started("b"), failed("a"))
    failing = given(*history).when(fail_attempt, attempt("b"), BROKEN, now_ms=5, draw=0.0)
    stopped = failing.then(e.AttemptFailed, fact(e.RetryBackoffScheduled, retry_after_ms=105), e.RunFailed)
    requeued = stopped.when(requeue_run, [A], "redrive", now_ms=50).then(fact(e.RunRequeued, due_ms=50))
    assert (requeued.state.waiting, startable(requeued.state, 60)) == ({"b": 105}, ["a"])
    claim = requeued.when(claim_run, worker="w", holder=None, lease_ms=LEASE_MS, now_ms=60)
    again = claim.then(fact(e.RunClaimed, epoch=2, generation=2)).when(start_attempt, A, epoch=2, now_ms=60)
    again.then(fact(e.AttemptStarted, node="a", number=1, lifetime=2))


def test_a_success_after_a_final_failure_is_kept() -> None:
    """Work that was done is not done again; the run still fails."""
    flow = Flow([Node("a"), Node("b"), Node("c", after="b")])
    history = (submitted(flow), claimed(), started("a"), started("b"), failed("a"))
    run = given(*history).when(complete_attempt, attempt("b"), 7, now_ms=5).then(e.AttemptSucceeded, e.RunFailed).state
    assert (run.nodes[attempt("b").node].output, list(run.ready), startable(run, 5)) == (7, ["c"], [])


# Fencing

RECLAIMED = given(*BEGUN).when(abandon_claim, now_ms=LEASE_MS, process_gone=False, draws=[0.0])
QUEUED = RECLAIMED.then(e.ClaimAbandoned, e.AttemptInterrupted, e.RetryBackoffScheduled, e.RunQueued).events


@pytest.mark.parametrize(
    ("history", "error"),
    [
        (QUEUED, NotRunning),
        ((*QUEUED, claimed(2)), StaleEpoch),
        ((*QUEUED, claimed(2), started("a", 2, 2, 2)), StaleEpoch),
        ((*BEGUN, cancelled()), NotRunning),
        ((*BEGUN, snoozed("a", 5)), StaleAttempt),
        ((*BEGUN, snoozed("a", 5), started("a", lifetime=2)), StaleAttempt),
        ((*BEGUN, succeeded("a")), StaleAttempt),
        ((*BEGUN, failed("a", "dead_letter")), StaleAttempt),
    ],
)
def test_a_late_report_is_refused(history: tuple[Event, ...], error: type[Refused]) -> None:
    """A zombie executor: first NotRunning, then StaleEpoch, then StaleAttempt, and nothing is written."""
    late = given(*history)
    late.when(complete_attempt, attempt("a"), "late", now_ms=9).then_refused(error)
    late.when(fail_attempt, attempt("a"), TIMEOUT, now_ms=9, draw=0.0).then_refused(error)
    late.when(snooze_attempt, attempt("a"), 77, now_ms=9).then_refused(error)


@pytest.mark.parametrize("node", ["b", "zzz"])
def test_a_report_on_what_does_not_run_is_stale(node: str) -> None:
    """Also for a node that the flow does not have."""
    given(*BEGUN).when(complete_attempt, attempt(node), None, now_ms=9).then_refused(StaleAttempt)


def test_the_same_report_three_times_is_recorded_once() -> None:
    """Workers repeat after a lost acknowledgement: at once, after the run moved on, after it was cancelled."""
    once = given(*BEGUN).when(fail_attempt, attempt("a"), BROKEN, now_ms=5, draw=0.0)
    moved = once.then(e.AttemptFailed, e.RetryBackoffScheduled, e.RunQueued)
    moved.when(fail_attempt, attempt("a"), BROKEN, now_ms=99, draw=0.7).then()
    later = given(*moved.events, claimed(2), started("a", 2, 2, 2))
    later.when(fail_attempt, attempt("a"), BROKEN, now_ms=999, draw=0.0).then()
    given(*later.events, cancelled()).when(fail_attempt, attempt("a"), BROKEN, now_ms=0, draw=0.0).then()


def test_a_repeated_success_and_a_repeated_snooze_are_no_news() -> None:
    """Idempotence holds for every kind of report, also when the run is complete."""
    flow = side_by_side("a")
    done = given(submitted(flow), claimed(), started("a")).when(complete_attempt, attempt("a"), {"x": 1}, now_ms=5)
    done.then(e.AttemptSucceeded, e.RunCompleted).when(complete_attempt, attempt("a"), {"x": 1}, now_ms=9).then()
    slept = given(*BEGUN).when(snooze_attempt, attempt("a"), 30, now_ms=5).then(e.AttemptSnoozed, e.RunQueued)
    slept.when(snooze_attempt, attempt("a"), 30, now_ms=7).then()


def test_a_report_is_remembered_over_a_reset() -> None:
    """A worker that repeats its report after the redrive learns that it was heard, not that it is stale."""
    flow = side_by_side("a", retry=policy(1))
    once = given(submitted(flow), claimed(), started("a")).when(fail_attempt, attempt("a"), BROKEN, now_ms=5, draw=0.0)
    requeued = once.then(e.AttemptFailed, e.RunFailed).when(requeue_run, [A], "redrive", now_ms=9)
    requeued.then(e.RunRequeued).when(fail_attempt, attempt("a"), BROKEN, now_ms=11, draw=0.0).then()


def test_another_outcome_of_the_same_attempt_is_stale() -> None:
    """What was recorded first stands: an attempt cannot succeed after it failed, or fail otherwise."""
    flow = side_by_side("a", "b", retry=policy(9))
    begun = given(submitted(flow), claimed(), started("a"), started("b"))
    once = begun.when(fail_attempt, attempt("a"), BROKEN, now_ms=5, draw=0.0).then(e.AttemptFailed)
    once.when(complete_attempt, attempt("a"), None, now_ms=6).then_refused(StaleAttempt)
    once.when(fail_attempt, attempt("a"), TIMEOUT, now_ms=6, draw=0.0).then_refused(StaleAttempt)
    won = begun.when(complete_attempt, attempt("a"), 1, now_ms=5).then(e.AttemptSucceeded)
    won.when(complete_attempt, attempt("a"), 2, now_ms=6).then_refused(StaleAttempt)
