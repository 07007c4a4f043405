"""Claims and leases: one claimant wins, and who is gone loses the run but not its history."""

import pytest

from redrive.domain.errors import AttemptsRunning, NotAllowed, NotRunning, Refused, StaleEpoch
from redrive.domain.event import Event
from redrive.domain.failure import INTERRUPTED
from redrive.domain.retry_policy import RetryPolicy, Verdict
from redrive.domain.run import events as e
from redrive.domain.run.attempts import start_attempt, startable
from redrive.domain.run.claims import abandon_claim, claim_run, release_claim, renew_lease, require_claim
from redrive.domain.run.holder import Holder
from redrive.domain.run.state import NodeStatus, Status
from tests.domain.facts import (
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

FLOW = line("a", "b", retry=policy(3, delay_ms=100))
RUNNING = (submitted(FLOW), claimed(), started("a"))
A = attempt("a").node
HOLDER = Holder("host", "boot", "pid:[1]", 17, 99)
FINISHED = e.RunFailed(finished_at_ms=5)


# Claiming


def test_a_claim_raises_the_epoch_and_sets_the_lease() -> None:
    """The epoch is what fences every older holder."""
    history = (submitted(FLOW), claimed(), e.ClaimReleased(epoch=1, why="released"), queued(50, "released"))
    wanted = e.RunClaimed(epoch=2, generation=1, worker="w", holder=HOLDER, lease_ms=5_000, expires_at_ms=5_050)
    won = given(*history).when(claim_run, worker="w", holder=HOLDER, lease_ms=5_000, now_ms=50).then(wanted).state
    assert (won.status, won.epoch, won.due_ms) == (Status.RUNNING, 2, None)
    assert won.claim is not None
    assert won.claim.holder == HOLDER


def test_after_a_claim_all_that_is_due_can_start() -> None:
    """What was ready and what waited until now; what still waits is left out."""
    flow = side_by_side("a", "b", "c")
    history = (submitted(flow), claimed(), started("a"), started("b"), snoozed("a", 50), snoozed("b", 51), queued(10))
    won = given(*history).when(claim_run, worker="w", holder=None, lease_ms=5_000, now_ms=50).then(e.RunClaimed)
    assert startable(won.state, 50) == ["c", "a"]
    won.when(start_attempt, A, epoch=2, now_ms=50).then(fact(e.AttemptStarted, number=1, lifetime=2, epoch=2))


@pytest.mark.parametrize(
    ("history", "says"),
    [
        ((claimed(),), "it is running"),
        ((claimed(), cancelled()), "it is cancelled"),
        ((claimed(), FINISHED), "it is failed"),
        ((e.RunPauseRequested(), e.RunPaused()), "it is paused"),
        ((claimed(), queued(101)), "due at 101"),
        ((e.RunPauseRequested(),), "a pause was requested"),
    ],
)
def test_a_claim_is_refused(history: tuple[Event, ...], says: str) -> None:
    """Only a queued run that is due and not to be paused; a clock that went backwards waits."""
    given(submitted(FLOW), *history).when(claim_run, worker="w", holder=None, lease_ms=5_000, now_ms=100).then_refused(
        NotAllowed, says
    )


# Heartbeat


@pytest.mark.parametrize(
    ("now", "lease", "expires"),
    [(1_000, None, LEASE_MS + 1_000), (0, LEASE_MS + 1, LEASE_MS + 1), (LEASE_MS + 9, 5_000, LEASE_MS + 5_009)],
)
def test_a_heartbeat_extends_the_lease(now: int, lease: int | None, expires: int) -> None:
    """By the claim's own lease unless told otherwise; also after expiry, while nobody took the run."""
    after = given(*RUNNING).when(renew_lease, 1, lease_ms=lease, now_ms=now)
    run = after.then(e.LeaseRenewed(epoch=1, expires_at_ms=expires)).state
    assert require_claim(run, 1).expires_at_ms == expires


@pytest.mark.parametrize(("now", "lease"), [(0, None), (-5_000, None), (10, 5_000), (0, LEASE_MS)])
def test_a_heartbeat_never_lowers_the_lease(now: int, lease: int | None) -> None:
    """Neither a shorter lease nor a backward clock takes time from the holder."""
    given(*RUNNING).when(renew_lease, 1, lease_ms=lease, now_ms=now).then()


@pytest.mark.parametrize(
    ("history", "error"),
    [
        ((), NotRunning),
        ((claimed(), cancelled()), NotRunning),
        ((claimed(), queued(5)), NotRunning),
        ((claimed(), queued(5), claimed(2)), StaleEpoch),
    ],
)
def test_only_the_holder_may_renew_or_release(history: tuple[Event, ...], error: type[Refused]) -> None:
    """A holder that lost its claim learns it here."""
    run = given(submitted(FLOW), *history)
    run.when(renew_lease, 1, lease_ms=None, now_ms=9).then_refused(error)
    run.when(release_claim, 1, now_ms=9).then_refused(error)


# Release


@pytest.mark.parametrize(
    ("history", "no_handler", "event"),
    [
        ((), False, queued(9, "released")),
        ((), True, queued(9, "no_handler")),
        ((started("a"), snoozed("a", 70)), False, queued(70, "snoozed")),
        ((started("a"), snoozed("a", 3)), False, queued(3, "snoozed")),
    ],
)
def test_a_released_run_is_queued(history: tuple[Event, ...], event: Event, *, no_handler: bool) -> None:
    """It is due now, or when the first of its waiting nodes is; the reason says why it came back."""
    released = given(submitted(FLOW), claimed(), *history).when(release_claim, 1, now_ms=9, no_handler=no_handler)
    run = released.then(e.ClaimReleased(epoch=1, why="no_handler" if no_handler else "released"), event).state
    assert (run.claim, run.epoch, run.status) == (None, 1, Status.QUEUED)


def test_a_claim_is_not_released_while_attempts_run() -> None:
    """A release would let another worker start what is still running here."""
    given(*RUNNING).when(release_claim, 1, now_ms=9).then_refused(AttemptsRunning, "'a'")


# Reclaim


def test_an_expired_claim_is_taken_back_and_its_attempt_counts() -> None:
    """Interrupted, retried whatever the list says, after the policy's backoff; the epoch stays."""
    flow = side_by_side("a", retry=policy(3, delay_ms=100, retryable_failure_classes=["x"]))
    begun = given(submitted(flow), claimed(), started("a"))
    run = (
        begun.when(abandon_claim, now_ms=LEASE_MS, process_gone=False, draws=[0.0])
        .then(
            e.ClaimAbandoned(epoch=1, worker="w1", why="lease_expired", expires_at_ms=LEASE_MS),
            fact(e.AttemptInterrupted, number=1, lifetime=1, epoch=1),
            fact(e.RetryBackoffScheduled, next_number=2, backoff_ms=100, retry_after_ms=LEASE_MS + 100),
            queued(LEASE_MS + 100),
        )
        .state
    )
    node = run.nodes[A]
    assert (run.epoch, run.claim, node.status, node.next_number) == (1, None, NodeStatus.WAITING, 2)
    assert INTERRUPTED in str(node.failure)


def test_the_last_interruption_is_a_final_failure() -> None:
    """A handler that kills its process must not do so for ever; the decisions open dead letters."""
    flow = side_by_side("a", "b", retry=policy(1))
    run = given(submitted(flow), claimed(), started("a"), started("b", number=1))
    reclaimed = run.when(abandon_claim, now_ms=9, process_gone=True, draws=[0.0, 0.5])
    interrupted: tuple[Expected, ...] = (e.AttemptInterrupted, e.AttemptFailed)
    failed_run = reclaimed.then(fact(e.ClaimAbandoned, why="process_gone"), *interrupted, *interrupted, e.RunFailed)
    assert sorted(failed_run.state.failed) == ["a", "b"]
    final = abandon_claim(run.state, now_ms=9, process_gone=True, draws=[0.0, 0.5])[1]
    assert {node: decision.verdict for node, decision in final.items()} == dict.fromkeys(
        "ab", Verdict.ATTEMPTS_EXHAUSTED
    )
    assert final[attempt("b").node].draw == 0.5


@pytest.mark.parametrize(
    ("mode", "more", "last"),
    [
        ("fail_run", (), e.RunFailed),
        ("pause_for_review", (), e.RunBlocked),
        ("dead_letter", (), fact(e.RunQueued, reason="reclaimed", due_ms=LEASE_MS)),
        ("dead_letter", (e.RunPauseRequested(),), e.RunPaused),
        ("dead_letter", (started("b"), succeeded("b")), e.RunBlocked),
        ("dead_letter", (started("b"), snoozed("b", 7)), queued(7, "snoozed")),
    ],
)
def test_a_reclaimed_run_settles(mode: str, more: tuple[Event, ...], last: Expected) -> None:
    """The whole decision table applies, with the claim gone, in the same transaction."""
    flow = side_by_side("a", "b", retry=policy(1, mode))
    given(submitted(flow), claimed(), started("a"), *more).when(
        abandon_claim, now_ms=LEASE_MS, process_gone=False, draws=[0.0]
    ).then(e.ClaimAbandoned, e.AttemptInterrupted, e.AttemptFailed, last)


def test_a_reclaim_without_a_backoff_makes_the_node_ready() -> None:
    """The next claim starts it at once, as number 2."""
    history = (submitted(side_by_side("a")), claimed(), started("a"))
    again = given(*history).when(abandon_claim, now_ms=LEASE_MS, process_gone=False, draws=[0.0])
    run = again.then(e.ClaimAbandoned, e.AttemptInterrupted, queued(LEASE_MS, "reclaimed"))
    won = run.when(claim_run, worker="w2", holder=None, lease_ms=5_000, now_ms=LEASE_MS).then(
        fact(e.RunClaimed, epoch=2)
    )
    won.when(start_attempt, A, epoch=2, now_ms=LEASE_MS).then(fact(e.AttemptStarted, number=2, lifetime=2, epoch=2))


@pytest.mark.parametrize("now", [LEASE_MS - 1, 0, -(10**9)])
def test_a_backward_clock_reclaims_nothing_that_is_alive(now: int) -> None:
    """Expired when expiry ≤ now, and not a millisecond before."""
    given(*RUNNING).when(abandon_claim, now_ms=now, process_gone=False, draws=[0.0]).then_refused(NotAllowed, "lease")


@pytest.mark.parametrize("history", [(), (claimed(), cancelled()), (claimed(), queued(5)), (claimed(), FINISHED)])
def test_only_a_running_run_can_be_reclaimed(history: tuple[Event, ...]) -> None:
    """Two sweeps at once: the second finds nothing to take."""
    given(submitted(FLOW), *history).when(abandon_claim, now_ms=10**9, process_gone=True, draws=[]).then_refused(
        NotAllowed, "reclaim"
    )


def test_an_exhausted_time_makes_an_interruption_final() -> None:
    """Interruptions are retryable, not exempt from the other limits."""
    flow = side_by_side("a", retry=RetryPolicy(max_attempts=9, max_elapsed_ms=LEASE_MS))
    run = given(submitted(flow), claimed(), started("a")).state
    final = abandon_claim(run, now_ms=LEASE_MS, process_gone=False, draws=[0.0])[1]
    assert final[A].verdict is Verdict.ELAPSED_TIME_EXHAUSTED


def test_after_a_final_failure_the_reclaimed_rest_does_not_start_again() -> None:
    """fail_run: the interrupted neighbour keeps its backoff for the next generation."""
    flow = side_by_side("a", "b", retry=policy(3, delay_ms=100))
    history = (submitted(flow), claimed(), started("a"), started("b"), failed("a"))
    given(*history).when(abandon_claim, now_ms=LEASE_MS, process_gone=False, draws=[0.0]).then(
        e.ClaimAbandoned, e.AttemptInterrupted, e.RetryBackoffScheduled, e.RunFailed
    )
