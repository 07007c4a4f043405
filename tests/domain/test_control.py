"""Control: pause, resume, cancel, recover and requeue; what a reset takes and what it leaves."""

import pytest

from redrive.domain.errors import InvalidValue, NotAllowed, NotRunning
from redrive.domain.event import Event
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import NodeId
from redrive.domain.run import events as e
from redrive.domain.run.attempts import complete_attempt, fail_attempt
from redrive.domain.run.claims import claim_run
from redrive.domain.run.control import can_restart, cancel_run, pause_run, recover_run, requeue_run, resume_run
from redrive.domain.run.state import NodeState, NodeStatus, Status
from redrive.domain.values import digest
from tests.domain.facts import (
    BROKEN,
    LEASE_MS,
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
from tests.domain.given import Expected, fact, given

A, B, C, D = map(NodeId, "abcd")
FLOW = line("a", "b", retry=policy(3, delay_ms=100))
DONE = e.RunCompleted(finished_at_ms=5)
FAILED = e.RunFailed(finished_at_ms=5)
BLOCKED = e.RunBlocked(finished_at_ms=5)
ASKED, PAUSED = e.RunPauseRequested(), e.RunPaused()

HISTORIES: dict[str, tuple[Event, ...]] = {
    "queued": (),
    "running": (claimed(), started("a")),
    "paused": (ASKED, PAUSED),
    "completed": (claimed(), started("a"), succeeded("a"), started("b"), succeeded("b"), DONE),
    "blocked": (claimed(), started("a"), failed("a", "dead_letter"), BLOCKED),
    "failed": (claimed(), started("a"), failed("a"), FAILED),
    "cancelled": (claimed(), cancelled()),
}


def after(status: str) -> tuple[Event, ...]:
    """The shortest history that ends in *status*."""
    return (submitted(FLOW), *HISTORIES[status])


# Pause and resume


@pytest.mark.parametrize(
    ("status", "settled"),
    [("queued", [PAUSED]), ("running", []), ("blocked", [PAUSED]), ("failed", []), ("paused", [])],
)
def test_a_pause_is_accepted(status: str, settled: list[Event]) -> None:
    """Attempts finish first; a final failure in this generation outranks the pause; asking again is recorded."""
    run = given(*after(status)).when(pause_run, now_ms=9).then(ASKED, *settled).state
    assert run.pause_requested
    assert not run.redrivable


@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_a_pause_is_refused(status: str) -> None:
    """There is nothing left to pause."""
    given(*after(status)).when(pause_run, now_ms=9).then_refused(NotAllowed, "pause")


@pytest.mark.parametrize("status", ["queued", "running", "blocked", "failed", "completed", "cancelled"])
def test_only_a_pause_can_be_resumed(status: str) -> None:
    """A resume without a pause is a mistake worth telling."""
    given(*after(status)).when(resume_run, now_ms=9).then_refused(NotAllowed, "resume")


@pytest.mark.parametrize("ending", [DONE, cancelled()])
def test_a_finished_run_is_not_resumed(ending: Event) -> None:
    """Also when the pause request was never lifted."""
    given(submitted(FLOW), claimed(), ASKED, ending).when(resume_run, now_ms=9).then_refused(NotAllowed, "resume")


@pytest.mark.parametrize(
    ("history", "settled"),
    [
        ((ASKED, PAUSED), [queued(9, "resumed")]),
        ((claimed(), started("a"), ASKED), []),
        ((claimed(), started("a"), snoozed("a", 70), ASKED, PAUSED), [queued(70, "snoozed")]),
        ((claimed(), started("a"), failed("a"), FAILED, ASKED), []),
        ((claimed(), started("a"), failed("a", "dead_letter"), BLOCKED, ASKED, PAUSED), [fact(e.RunBlocked)]),
    ],
)
def test_a_resumed_run_settles(history: tuple[Event, ...], settled: list[Expected]) -> None:
    """A backoff still holds, a failure still stands, running attempts are not disturbed."""
    resumed = given(submitted(FLOW), *history).when(resume_run, now_ms=9)
    assert not resumed.then(e.RunResumed(), *settled).state.pause_requested


def test_a_pause_that_races_a_failure_keeps_the_backoff() -> None:
    """The failure lands during the pause: paused, and after the resume due when the backoff ends."""
    asked = given(*after("running"), ASKED).when(fail_attempt, attempt("a"), BROKEN, now_ms=5, draw=0.0)
    paused = asked.then(e.AttemptFailed, e.RetryBackoffScheduled, PAUSED)
    assert (paused.state.status, paused.state.due_ms, paused.state.claim) == (Status.PAUSED, None, None)
    paused.when(resume_run, now_ms=20).then(e.RunResumed, queued(105))
    paused.when(resume_run, now_ms=900).then(e.RunResumed, queued(105))


def test_a_pause_that_races_the_last_success_completes() -> None:
    """Every node succeeded: there is nothing to pause."""
    flow = side_by_side("a")
    given(submitted(flow), claimed(), started("a"), ASKED).when(complete_attempt, attempt("a"), None, now_ms=5).then(
        e.AttemptSucceeded, e.RunCompleted
    )


# Cancel


@pytest.mark.parametrize("status", ["queued", "running", "paused", "blocked", "failed"])
def test_a_run_can_be_cancelled(status: str) -> None:
    """From any status but completed and cancelled; the claim ends, the epoch stays."""
    before = given(*after(status)).state
    run = given(*after(status)).when(cancel_run, now_ms=9).then(e.RunCancelled(was=status, finished_at_ms=9)).state
    assert (run.status, run.finished_at_ms, run.claim, run.epoch) == (Status.CANCELLED, 9, None, before.epoch)
    assert (run.ready, run.running, run.waiting, run.due_ms) == ({}, {}, {}, None)


@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_a_final_run_cannot_be_cancelled(status: str) -> None:
    """Completed and cancelled are final."""
    given(*after(status)).when(cancel_run, now_ms=9).then_refused(NotAllowed, "cancel")


def test_a_cancelled_run_is_not_brought_back_by_its_backoff() -> None:
    """Cancel during backoff: no claim, no report, no requeue, no resume ever wakes it."""
    history = (*after("running"), snoozed("a", 50), queued(50), cancelled())
    given(*history).when(claim_run, worker="w", holder=None, lease_ms=LEASE_MS, now_ms=99).then_refused(NotAllowed)
    given(*history).when(complete_attempt, attempt("a"), None, now_ms=99).then_refused(NotRunning)
    given(*history).when(requeue_run, [A], "redrive", now_ms=99).then_refused(NotAllowed)
    given(*history).when(recover_run, None, now_ms=99).then_refused(NotAllowed)


# Requeue


@pytest.mark.parametrize("status", ["failed", "blocked"])
def test_a_failed_or_blocked_run_is_requeued(status: str) -> None:
    """The next generation: queued, due now, finish time and stop reason cleared, same epoch."""
    requeued = given(*after(status)).when(requeue_run, [A, A], "redrive", now_ms=9)
    event = e.RunRequeued(
        cause="redrive", generation=2, roots=(A,), reset_count=2, reset_digest=digest(["a", "b"]), due_ms=9
    )
    run = requeued.then(event).state
    assert (run.status, run.generation, run.due_ms, run.epoch) == (Status.QUEUED, 2, 9, 1)
    assert (run.finished_at_ms, run.stopped_by, run.failed) == (None, None, {})


@pytest.mark.parametrize("status", ["queued", "running", "paused", "completed", "cancelled"])
def test_nothing_else_is_requeued(status: str) -> None:
    """A redrive that comes too late, or twice, changes nothing."""
    given(*after(status)).when(requeue_run, [A], "redrive", now_ms=9).then_refused(NotAllowed, "requeue")
    given(*after(status)).when(recover_run, None, now_ms=9).then_refused(NotAllowed, "requeue")


@pytest.mark.parametrize("roots", [[], [B], [NodeId("zzz")]])
def test_a_requeue_that_could_start_nothing_is_refused(roots: list[NodeId]) -> None:
    """Roots outside the flow are left out, and a run that nobody could execute must not be queued."""
    given(*after("failed")).when(requeue_run, roots, "redrive", now_ms=9).then_refused(
        NotAllowed, "nothing could start"
    )


def test_roots_are_restricted_to_the_flow() -> None:
    """A root of an imported log that the graph does not have is no reason to refuse the others."""
    given(*after("failed")).when(requeue_run, [NodeId("zzz"), A], "redrive", now_ms=9).then(
        fact(e.RunRequeued, roots=(A,))
    )


def test_a_recover_takes_all_failed_nodes_or_those_named() -> None:
    """Two failed nodes: all of them, or one."""
    flow = side_by_side("a", "b", "c")
    history = (submitted(flow), claimed(), *map(started, "abc"), failed("a"), failed("b"), succeeded("c"), FAILED)
    given(*history).when(recover_run, None, now_ms=9).then(fact(e.RunRequeued, cause="recover", roots=(A, B)))
    given(*history).when(recover_run, ["b"], now_ms=9).then(fact(e.RunRequeued, roots=(B,), reset_count=1))
    given(*history).when(recover_run, ["c"], now_ms=9).then(fact(e.RunRequeued, roots=(C,)))
    given(*history).when(recover_run, ["b", "zzz"], now_ms=9).then_refused(InvalidValue, "zzz")


def test_a_recover_during_a_pause_leaves_the_run_paused() -> None:
    """While a pause is set nothing starts, whoever requeues."""
    recovered = given(*after("failed"), ASKED).when(recover_run, None, now_ms=9).then(e.RunRequeued, PAUSED)
    assert (recovered.state.status, recovered.state.due_ms) == (Status.PAUSED, None)
    recovered.when(resume_run, now_ms=20).then(e.RunResumed, queued(20, "resumed"))


# Reset

DIAMOND = Flow([Node("a"), Node("b", after="a"), Node("c", after="a"), Node("d", after=["b", "c"]), Node("e")])


def test_a_reset_takes_the_roots_and_their_dependants_and_leaves_the_rest() -> None:
    """Outputs, numbers and failures of the set go; lifetimes and everything else stay."""
    done = [event for node in "ac" for event in (started(node), succeeded(node))]
    history = (submitted(DIAMOND), claimed(), *done, started("b", 2, 3), failed("b", "dead_letter", 2, 3), BLOCKED)
    run = given(*history).when(requeue_run, [B], "redrive", now_ms=9).then(fact(e.RunRequeued, reset_count=2)).state
    kept = NodeState(unmet=0, status=NodeStatus.READY, lifetime=3, reports=run.nodes[B].reports)
    assert run.nodes[B] == kept
    assert (run.nodes[A].status, run.nodes[C].status) == (NodeStatus.SUCCEEDED, NodeStatus.SUCCEEDED)
    assert (run.nodes[D].unmet, run.nodes[D].status, run.succeeded) == (1, NodeStatus.PENDING, 2)
    assert sorted(run.ready) == ["b", "e"]


def test_a_reset_of_an_ancestor_takes_succeeded_descendants_too() -> None:
    """What was computed from the old output is computed anew, from a full set of attempts."""
    done = [event for node in "abc" for event in (started(node), succeeded(node))]
    history = (submitted(DIAMOND), claimed(), *done, started("d"), failed("d"), FAILED)
    requeued = given(*history).when(recover_run, ["a"], now_ms=9)
    run = requeued.then(fact(e.RunRequeued, roots=(A,), reset_count=4)).state
    assert [run.nodes[node].status for node in (A, B, C, D)] == ["ready", "pending", "pending", "pending"]
    assert [run.nodes[node].unmet for node in (A, B, C, D)] == [0, 1, 1, 2]
    assert (run.succeeded, run.failed) == (0, {})


def test_the_digest_of_a_reset_tells_nothing_of_the_order_of_the_graph() -> None:
    """It names the set: whoever has the set can check it, however it was found."""
    backwards = Flow([Node("c"), Node("b", after="c"), Node("a", after="b")])
    history = (submitted(backwards), claimed(), started("c"), failed("c"), FAILED)
    requeued = given(*history).when(requeue_run, [C], "redrive", now_ms=9)
    requeued.then(fact(e.RunRequeued, reset_count=3, reset_digest=digest(["a", "b", "c"])))


def test_a_node_in_backoff_is_reset_with_its_ancestor_but_kept_beside_it() -> None:
    """Its due time belongs to a try that no longer counts."""
    flow = Flow([Node("a"), Node("b", after="a"), Node("c")])
    begun = (submitted(flow), claimed(), started("a"), succeeded("a"), started("b"), snoozed("b", 700))
    history = (*begun, started("c"), failed("c"), FAILED)
    beside = given(*history).when(requeue_run, [C], "redrive", now_ms=9).then(fact(e.RunRequeued, due_ms=9))
    assert beside.state.waiting == {B: 700}
    above = given(*history).when(requeue_run, [A], "recover", now_ms=9).then(fact(e.RunRequeued, due_ms=9))
    assert above.state.waiting == {}


@pytest.mark.parametrize("ready", [True, False])
def test_a_requeued_run_is_due_when_something_can_start(*, ready: bool) -> None:
    """A root that must wait for a failed parent, beside a node in backoff: due when the backoff ends."""
    flow = Flow([Node("a"), Node("b", after="a"), Node("c"), *([Node("d")] if ready else [])])
    history = (submitted(flow), claimed(), started("c"), snoozed("c", 700), started("a"), failed("a"), FAILED)
    run = (
        given(*history)
        .when(requeue_run, [B], "recover", now_ms=9)
        .then(fact(e.RunRequeued, due_ms=9 if ready else 700))
    )
    assert [can_restart(run.state, node) for node in (A, B, C)] == [True, False, True]


@pytest.mark.parametrize(
    ("mode", "ends"),
    [("fail_run", e.RunFailed), ("pause_for_review", e.RunBlocked), ("dead_letter", e.RunBlocked)],
)
def test_of_two_failed_nodes_one_is_retried(mode: str, ends: type[Event]) -> None:
    """The retried one runs and succeeds under each terminal mode; the other merely keeps the run from completing."""
    flow = Flow([Node("a"), Node("b", retry=policy(1, mode)), Node("c", after="a"), Node("d", after="b")])
    both = (submitted(flow), claimed(), started("a"), started("b"), failed("a", mode), failed("b", mode), BLOCKED)
    requeued = given(*both).when(requeue_run, [A], "redrive", now_ms=9).then(fact(e.RunRequeued, reset_count=2))
    begun = given(*requeued.events, claimed(2), started("a", lifetime=2, epoch=2))
    half = begun.when(complete_attempt, attempt("a", 1, 2, 2), None, now_ms=11).then(e.AttemptSucceeded)
    assert list(half.state.ready) == [C]
    last = given(*half.events, started("c", epoch=2)).when(complete_attempt, attempt("c", epoch=2), None, now_ms=12)
    run = last.then(e.AttemptSucceeded, fact(ends, finished_at_ms=12)).state
    assert (list(run.failed), run.stopped_by, run.nodes[D].status) == ([B], None, NodeStatus.PENDING)


def test_two_retried_together_complete_the_run() -> None:
    """One requeue for both roots, and nothing is left over."""
    flow = side_by_side("a", "b", retry=policy(1))
    both = (submitted(flow), claimed(), started("a"), started("b"), failed("a"), failed("b"), FAILED)
    requeued = given(*both).when(requeue_run, [B, A], "redrive", now_ms=9).then(fact(e.RunRequeued, roots=(A, B)))
    again = (claimed(2), *(started(node, lifetime=2, epoch=2) for node in "ab"), succeeded("a", 1, 2, 2))
    given(*requeued.events, *again).when(complete_attempt, attempt("b", 1, 2, 2), None, now_ms=11).then(
        e.AttemptSucceeded, e.RunCompleted
    )


@pytest.mark.parametrize("status", HISTORIES)
def test_every_finished_status_has_a_finish_time_and_no_claim(status: str) -> None:
    """Completed, blocked, failed, cancelled stamp it; leaving running ends the claim."""
    run = given(*after(status)).state
    assert run.status == status
    assert (run.finished_at_ms is not None) is (status in ("completed", "blocked", "failed", "cancelled"))
    assert (run.claim is not None) is (status == "running")
