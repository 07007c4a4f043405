"""The sweep's judgement of a dead letter: the table of the contract, in its order."""

from dataclasses import replace
from typing import Any

import pytest

from redrive.domain.dead_letter import events as e
from redrive.domain.dead_letter.judge import Act, dispatch, judge, park, stuck
from redrive.domain.dead_letter.rules import recur
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.event import Event
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import NodeId, Tenant
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.run import events as run_events
from redrive.domain.run.state import Run
from tests.domain.facts import (
    REDRIVE,
    abandoned,
    cancelled,
    claimed,
    decided,
    dispatched,
    exhausted,
    failed,
    granted,
    ignored,
    line,
    opened,
    queued,
    requested,
    resolved,
    started,
    submitted,
    succeeded,
)
from tests.domain.given import given, given_letter

ASKED, PAUSED = run_events.RunPauseRequested(), run_events.RunPaused()
ENDED = (run_events.RunFailed(finished_at_ms=5), run_events.RunBlocked(finished_at_ms=5))
FLOW = line("a", "b")


def run_after(*events: Event) -> Run:
    """A run of two nodes with this history."""
    return given(submitted(FLOW), *events).state


def letter_after(*events: Event) -> DeadLetter:
    """A dead letter of node a, with this history."""
    return given_letter(opened(), *events).state


BEGUN = (claimed(), started("a"))
FAILED = run_after(*BEGUN, failed("a"), ENDED[0])
WANTED = letter_after(requested())
RETRYING = letter_after(requested(), dispatched(2))  # not before 4,000
SPENT = letter_after(requested(), dispatched(5))  # not before 32,000


@pytest.mark.parametrize("letter", [WANTED, replace(WANTED, source="tool_effect"), RETRYING])
@pytest.mark.parametrize("run", [FAILED, run_after(*BEGUN, failed("a", "pause_for_review"), ENDED[1])])
def test_what_is_due_is_dispatched(letter: DeadLetter, run: Run) -> None:
    """retry_requested or retrying, of a node or an effect, of a failed or blocked run."""
    assert judge(letter, run, REDRIVE, now_ms=4_000).act is Act.DISPATCH


@pytest.mark.parametrize(
    "history",
    [
        (),
        (requested(), dispatched(5), exhausted()),
        (ignored(),),
        (abandoned(),),
        (resolved(),),
        (requested(), ignored()),
    ],
)
def test_1_other_statuses_are_untouched(history: tuple[Event, ...]) -> None:
    """An ignore that landed first stands, and parked waits for an operator; whatever else is true."""
    for run in (FAILED, None, replace(FAILED, tenant=Tenant("other"))):
        assert judge(letter_after(*history), run, REDRIVE, now_ms=10**9).act is Act.SKIP


@pytest.mark.parametrize("succeeded_first", [True, False])
def test_1_an_expired_approval_is_untouched(*, succeeded_first: bool) -> None:
    """Its source offers no retry; it is not a candidate at all, also of a node that succeeded since, or without its
    run: it is not even held."""
    run = run_after(*BEGUN, succeeded("a"), started("b"), failed("b"), ENDED[0]) if succeeded_first else FAILED
    assert judge(replace(WANTED, source="stateful_wait"), run, REDRIVE, now_ms=0).act is Act.SKIP
    assert judge(replace(WANTED, source="stateful_wait"), None, REDRIVE, now_ms=0).act is Act.SKIP


def test_1_a_forbidden_override_is_untouched() -> None:
    """A retry must be among the options."""
    assert judge(replace(WANTED, override_allowed=False), FAILED, REDRIVE, now_ms=0).act is Act.SKIP


def test_1_an_unknown_run_is_held() -> None:
    """That will not pass by itself, so it is said once."""
    assert judge(WANTED, None, REDRIVE, now_ms=0).act is Act.HOLD


def test_2_a_run_of_another_tenant_is_untouched() -> None:
    """Also when the node succeeded there: nothing of it may be used."""
    done = replace(run_after(*BEGUN, succeeded("a")), tenant=Tenant("other"))
    assert judge(WANTED, done, REDRIVE, now_ms=0).act is Act.SKIP
    assert judge(WANTED, replace(FAILED, tenant=Tenant("other")), REDRIVE, now_ms=0).act is Act.SKIP


@pytest.mark.parametrize("more", [(), (started("b"), failed("b"), ENDED[0]), (cancelled(),), (queued(9),)])
@pytest.mark.parametrize("letter", [WANTED, SPENT])
def test_3_what_succeeded_is_resolved_whatever_the_run_does(letter: DeadLetter, more: tuple[Event, ...]) -> None:
    """An imported or older log: before status, budget and backoff, and the run is left alone."""
    assert judge(letter, run_after(*BEGUN, succeeded("a"), *more), REDRIVE, now_ms=0).act is Act.RESOLVE


@pytest.mark.parametrize(
    "run",
    [
        run_after(),
        run_after(*BEGUN),
        run_after(*BEGUN, failed("a", "dead_letter"), ASKED, PAUSED),
        run_after(*BEGUN, failed("a"), ENDED[0], ASKED),
        run_after(*BEGUN, failed("a"), ENDED[1], ASKED),
        run_after(*BEGUN, cancelled()),
    ],
)
@pytest.mark.parametrize("letter", [WANTED, SPENT])
def test_4_a_run_that_is_not_failed_or_blocked_or_that_pauses_is_untouched(letter: DeadLetter, run: Run) -> None:
    """Status before budget: the last retry in flight is not parked while it may still succeed."""
    assert judge(letter, run, REDRIVE, now_ms=10**9).act is Act.SKIP


@pytest.mark.parametrize("now", [0, 10**9])
def test_5_a_spent_budget_parks_also_during_the_backoff(now: int) -> None:
    """Budget before backoff: an operator learns at once that nothing more will happen."""
    assert judge(SPENT, FAILED, REDRIVE, now_ms=now).act is Act.PARK
    assert park(SPENT, REDRIVE) == e.RetryExhausted(dispatches=5, budget=5, policy=REDRIVE.id)
    assert given_letter(opened(), requested(), dispatched(5), park(SPENT, REDRIVE)).state.status == "parked"


@pytest.mark.parametrize(
    ("dispatches", "more", "act"),
    [(4, 0, Act.DISPATCH), (5, 0, Act.PARK), (5, 1, Act.DISPATCH), (6, 1, Act.PARK), (6, 0, Act.PARK)],
)
def test_5_the_budget_is_the_policy_and_what_was_granted(dispatches: int, more: int, act: Act) -> None:
    """Dispatches count, never attempts."""
    letter = letter_after(requested(), dispatched(dispatches), *([granted(more)] if more else []))
    assert judge(letter, FAILED, REDRIVE, now_ms=10**9).act is act


def test_5_recurrences_and_requests_do_not_renew_the_budget() -> None:
    """Five dispatches are five dispatches, however often somebody asks again."""
    history: list[Event] = [opened()]
    for count in range(1, 6):
        history += [requested(), dispatched(count)]
        history.append(recur(given_letter(*history).state, FAILED, decided("not_retryable", lifetime=count), REDRIVE))
    assert given_letter(*history).state.status == "open"
    assert judge(given_letter(*history, requested()).state, FAILED, REDRIVE, now_ms=10**9).act is Act.PARK


@pytest.mark.parametrize(("count", "gap"), [(1, 2_000), (2, 4_000), (3, 8_000), (4, 16_000)])
def test_6_the_gaps_double(count: int, gap: int) -> None:
    """First at once, then 2, 4, 8, 16 s after the dispatch before; a backward clock waits."""
    before = [dispatched(count - 1)] if count > 1 else []
    event = dispatch(letter_after(requested(), *before), REDRIVE, generation=9, now_ms=100)
    assert (event.count, event.backoff_ms, event.not_before_ms, event.generation) == (count, gap, 100 + gap, 9)
    letter = letter_after(requested(), event)
    acts = [judge(letter, FAILED, REDRIVE, now_ms=now).act for now in (-5, 0, 99 + gap, 100 + gap)]
    assert acts == [Act.SKIP, Act.SKIP, Act.SKIP, Act.DISPATCH]


def test_6_the_first_dispatch_goes_at_once() -> None:
    """Somebody is waiting for it."""
    assert judge(WANTED, FAILED, REDRIVE, now_ms=0).act is Act.DISPATCH


@pytest.mark.parametrize(
    ("count", "delay"), [(0, 0), (1, 2_000), (7, 128_000), (8, 256_000), (9, 300_000), (1_000, 300_000)]
)
def test_the_gap_is_capped(count: int, delay: int) -> None:
    """min(300,000, 1,000 × 2^count), also for counts whose power has no end."""
    assert REDRIVE.delay_ms(count) == delay
    assert RedrivePolicy(base_delay_ms=0).delay_ms(count) == 0


def test_a_node_that_the_graph_does_not_have_is_held() -> None:
    """That will not pass by itself; but what will pass is said first."""
    lost = replace(WANTED, node=NodeId("zzz"))
    assert judge(lost, FAILED, REDRIVE, now_ms=0).act is Act.HOLD
    assert judge(replace(lost, not_before_ms=9), FAILED, REDRIVE, now_ms=0).act is Act.SKIP


def test_a_dispatch_names_policy_budget_and_generation() -> None:
    """Whatever the decision used is in the event, so that a replay needs nothing else."""
    policy = RedrivePolicy(max_dispatches=2, base_delay_ms=10)
    wanted = e.DeadLetterRetryDispatched(
        count=1,
        budget=5,
        generation=4,
        dispatched_at_ms=9,
        backoff_ms=20,
        not_before_ms=29,
        policy=policy.id,
    )
    assert dispatch(letter_after(granted(3)), policy, generation=4, now_ms=9) == wanted
    assert given_letter(opened(), granted(3), wanted).state.status == "retrying"


def test_a_root_behind_a_failed_parent_is_stuck_unless_the_parent_goes_with_it() -> None:
    """A requeue that could not start the root would only spend its budget."""
    flow = Flow([Node("a"), Node("b", after="a"), Node("c")])
    run = given(submitted(flow), claimed(), started("a"), failed("a"), ENDED[0]).state
    a, b, c = map(NodeId, "abc")
    assert stuck(run, [b]) == [b]
    assert stuck(run, [b, c]) == [b]
    assert stuck(run, [a, b, c]) == []


def test_the_redrive_policy_is_strict_and_named_by_content() -> None:
    """The numbers of the contract are its defaults; its id is in every dispatch."""
    wanted: Any = {
        "max_dispatches": 5,
        "base_delay_ms": 1_000,
        "max_delay_ms": 300_000,
        "continue_after_recurrence": True,
    }
    assert REDRIVE.document() == wanted
    assert RedrivePolicy(**wanted).id == REDRIVE.id != RedrivePolicy(max_dispatches=6).id
    assert REDRIVE.id.startswith("redrive-policy-v1-")
