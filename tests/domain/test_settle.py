"""Settle: the one rule that decides where a run stands, its whole table, one row a case."""

from dataclasses import replace

import pytest

from redrive.domain.event import Event
from redrive.domain.flow import Flow, Node
from redrive.domain.retry_policy import Mode
from redrive.domain.run import events as e
from redrive.domain.run.attempts import complete_attempt, fail_attempt
from redrive.domain.run.settle import Standing, settle
from redrive.domain.run.state import Status
from redrive.domain.run.wait_events import RunAwaitingApproval
from tests.domain.facts import (
    BROKEN,
    attempt,
    claimed,
    failed,
    policy,
    queued,
    side_by_side,
    snoozed,
    started,
    submitted,
    succeeded,
)
from tests.domain.given import Fact, fact, given

NOW = 1_000
IDLE = Standing(
    status=Status.RUNNING,
    claimed=True,
    nodes=5,
    succeeded=1,
    running=0,
    ready=0,
    next_due_ms=None,
    next_due_reason="retry_backoff",
    stopped_by=None,
    pause_requested=False,
    failing=False,
)
FAIL, REVIEW = Mode.FAIL_RUN, Mode.PAUSE_FOR_REVIEW
COMPLETED = fact(e.RunCompleted, finished_at_ms=NOW)
FAILED = fact(e.RunFailed, finished_at_ms=NOW)
BLOCKED = fact(e.RunBlocked, finished_at_ms=NOW)
PAUSED = fact(e.RunPaused)
DUE = fact(e.RunQueued, due_ms=5_000, reason="retry_backoff")
AWAITING = fact(RunAwaitingApproval)
READY = fact(e.RunQueued, due_ms=NOW, reason="released")

# Every condition of a later row holds in the earlier rows, too: the first match wins.
TABLE = {
    "0 an attempt is running": ({"running": 1, "succeeded": 5, "pause_requested": True}, None),
    "1 every node succeeded": ({"succeeded": 5, "pause_requested": True, "claimed": False}, COMPLETED),
    "2 a final failure under fail_run": ({"stopped_by": FAIL, "pause_requested": True, "ready": 1}, FAILED),
    "2 a final failure under pause_for_review": (
        {"stopped_by": REVIEW, "pause_requested": True, "ready": 1, "failing": True},
        BLOCKED,
    ),
    "3 a pause was asked": ({"pause_requested": True, "ready": 1, "next_due_ms": 5_000, "failing": True}, PAUSED),
    "4 a node is ready, claimed": ({"ready": 1, "next_due_ms": 5_000, "failing": True}, None),
    "4 a node is ready, claim ended": ({"ready": 1, "next_due_ms": 5_000, "failing": True, "claimed": False}, READY),
    "5 a node has a due time": ({"next_due_ms": 5_000, "failing": True}, DUE),
    "5 a node has a due time, claim ended": ({"next_due_ms": 5_000, "claimed": False}, DUE),
    "5 a node has a due time, an approval is pending": ({"next_due_ms": 5_000, "approvals": 1}, DUE),
    "5 a node has that due time already": (
        {"next_due_ms": 5_000, "due_ms": 5_000, "status": Status.QUEUED, "claimed": False},
        None,
    ),
    "4 a node became ready, queued for later": (
        {"ready": 1, "next_due_ms": 5_000, "due_ms": 5_000, "status": Status.QUEUED, "claimed": False},
        READY,
    ),
    "4 another node was ready": ({"ready": 2, "was_ready": True, "status": Status.QUEUED, "claimed": False}, None),
    "6 an approval is pending": ({"approvals": 1, "failing": True}, AWAITING),
    "6 an approval is pending, claim ended": ({"approvals": 1, "claimed": False}, AWAITING),
    "7 a failed node's mode is fail_run": ({"failing": True}, FAILED),
    "7 nothing can proceed": ({}, BLOCKED),
    "7 nothing can proceed, claim ended": ({"claimed": False}, BLOCKED),
}


@pytest.mark.parametrize(("standing", "event"), TABLE.values(), ids=TABLE.keys())
def test_the_table(standing: dict[str, object], event: Fact | None) -> None:
    """Each row of the contract, with everything that must not win beside it."""
    events = settle(replace(IDLE, **standing), NOW)  # type: ignore[arg-type]
    assert len(events) == (event is not None)
    assert event is None or event.matches(events[0])


@pytest.mark.parametrize(
    ("standing", "status"),
    [
        ({"stopped_by": FAIL}, Status.FAILED),
        ({"failing": True}, Status.FAILED),
        ({"stopped_by": REVIEW}, Status.BLOCKED),
        ({}, Status.BLOCKED),
        ({"pause_requested": True}, Status.PAUSED),
        ({"approvals": 1}, Status.AWAITING_APPROVAL),
    ],
)
def test_a_run_that_stands_there_already_gets_no_event(standing: dict[str, object], status: Status) -> None:
    """Settling twice is settling once: the history shows changes only."""
    assert settle(replace(IDLE, status=status, claimed=False, **standing), NOW) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.CANCELLED])
def test_completed_and_cancelled_are_final(status: Status) -> None:
    """Whatever the counters say, nothing comes back."""
    assert settle(replace(IDLE, status=status, succeeded=5, ready=1, next_due_ms=0), NOW) == []


@pytest.mark.parametrize(
    ("others", "ends"),
    [
        ((), [e.RunFailed]),
        ((failed("b", "pause_for_review"),), [e.RunFailed]),
        ((failed("b", "dead_letter"), succeeded("c")), [e.RunFailed]),
        ((succeeded("b"), succeeded("c")), [e.RunFailed]),
    ],
)
def test_a_final_failure_under_fail_run_fails_the_run(others: tuple[Event, ...], ends: list[type[Event]]) -> None:
    """It outranks pause_for_review, in either order, and whatever else is ready."""
    flow = side_by_side("a", "b", "c", "d", retry=policy(1))
    running = {"a"} | {str(getattr(event, "node", "")) for event in others}
    begun = [submitted(flow), claimed(), *(started(node) for node in sorted(running))]
    given(*begun, *others).when(fail_attempt, attempt("a"), BROKEN, now_ms=9, draw=0.0).then(e.AttemptFailed, *ends)


@pytest.mark.parametrize(
    ("first", "second", "ends"),
    [
        ("pause_for_review", "pause_for_review", e.RunBlocked),
        ("pause_for_review", "dead_letter", e.RunBlocked),
        ("dead_letter", "pause_for_review", e.RunBlocked),
        ("pause_for_review", "fail_run", e.RunFailed),
        ("fail_run", "pause_for_review", e.RunFailed),
        ("dead_letter", "dead_letter", e.RunBlocked),
        ("dead_letter", "fail_run", e.RunFailed),
    ],
)
def test_two_final_failures(first: str, second: str, ends: type[Event]) -> None:
    """The stricter mode decides, in either order; dead_letter alone blocks when nothing else can proceed."""
    flow = side_by_side("a", "b", retry=policy(1, second))
    begun = (submitted(flow), claimed(), started("a"), started("b"), failed("a", first))
    given(*begun).when(fail_attempt, attempt("b"), BROKEN, now_ms=9, draw=0.0).then(
        e.AttemptFailed, fact(ends, finished_at_ms=9)
    )


def test_under_dead_letter_other_branches_go_on() -> None:
    """One bad branch must not stop a night's work."""
    flow = side_by_side("a", "b", "c", retry=policy(1, "dead_letter"))
    after = (
        given(submitted(flow), claimed(), started("a"))
        .when(fail_attempt, attempt("a"), BROKEN, now_ms=9, draw=0.0)
        .then(e.AttemptFailed)
    )
    assert after.state.status is Status.RUNNING
    assert sorted(after.state.ready) == ["b", "c"]


def test_a_run_waits_for_the_earliest_of_its_nodes() -> None:
    """One queue entry a run, due when the first of its waiting nodes is."""
    flow = side_by_side("a", "b", "c")
    begun = (submitted(flow), claimed(), *map(started, "abc"), snoozed("a", 900), snoozed("b", 700))
    given(*begun).when(complete_attempt, attempt("c"), None, now_ms=9).then(e.AttemptSucceeded, queued(700, "snoozed"))


def test_what_becomes_ready_is_added_to_what_was() -> None:
    """With one node ready beside it, a success or an immediate retry leaves two: the run stays running."""
    flow = Flow([Node("a", retry=policy(2)), Node("b", after="a"), Node("c")])
    begun = given(submitted(flow), claimed(), started("a"))
    won = begun.when(complete_attempt, attempt("a"), None, now_ms=9).then(e.AttemptSucceeded)
    lost = begun.when(fail_attempt, attempt("a"), BROKEN, now_ms=9, draw=0.0).then(e.AttemptFailed)
    assert (sorted(won.state.ready), sorted(lost.state.ready)) == (["b", "c"], ["a", "c"])
