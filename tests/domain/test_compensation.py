"""Compensations: proposed with a dead letter, chosen and approved by operators, run under a lease."""

from collections.abc import Callable
from typing import Any

import pytest

from redrive.domain.compensation import events as e
from redrive.domain.compensation.rules import approve, cancel, choose, complete, expire, fail, propose, run_again, start
from redrive.domain.effect.request import Compensation
from redrive.domain.errors import InvalidValue, NotAllowed, StaleEpoch
from redrive.domain.event import Event
from tests.domain.effect_facts import (
    AT_ONCE,
    COMPENSATION,
    COMPENSATIONS,
    OTHER_RECEIPT,
    PLAN,
    RECEIPT,
    approved,
    asked,
    intended,
    intended_outside,
    proposed,
    run_done,
    run_failed,
    run_started,
)
from tests.domain.facts import BROKEN, LETTER, RUN, TIMEOUT
from tests.domain.given import fact, given_compensation, given_effect

AT: dict[str, Any] = {"now_ms": 7}
START: dict[str, Any] = {"worker": "w2", "lease_ms": 50, "holder": None}
ALL = sorted(COMPENSATIONS)
RUNNING = COMPENSATIONS["running"]


def test_it_is_proposed_as_the_effect_described_it() -> None:
    """For the dead letter of its effect, within its run or outside."""
    inside = given_effect(intended(request=asked(compensation=PLAN))).state
    event = propose(inside, COMPENSATION, LETTER, **AT)
    assert (event.plan, event.run, event.node, event.effect_key) == (PLAN, RUN, "a", "k")
    outside = given_effect(intended_outside().model_copy(update={"request": asked(compensation=PLAN)})).state
    assert propose(outside, COMPENSATION, LETTER, **AT).run is None


def test_a_chosen_one_waits_for_approval() -> None:
    """Unless it needs none."""
    given_compensation(proposed()).when(choose, **AT).then(e.CompensationApprovalRequested)
    given_compensation(proposed(AT_ONCE)).when(choose, **AT).then(fact(e.CompensationApproved, approved_at_ms=7))


ONLY: list[tuple[Callable[..., Any], dict[str, Any], str, type[Event]]] = [
    (choose, AT, "proposed", e.CompensationApprovalRequested),
    (approve, AT, "awaiting_approval", e.CompensationApproved),
    (start, {**AT, **START}, "approved", e.CompensationStarted),
    (run_again, AT, "failed", e.CompensationApproved),
]


@pytest.mark.parametrize(("rule", "values", "status", "event"), ONLY)
@pytest.mark.parametrize("at", ALL)
def test_each_step_follows_from_one_status(
    rule: Callable[..., Any], values: dict[str, Any], status: str, event: type[Event], at: str
) -> None:
    """A required approval is never skipped; what is final stays."""
    when = given_compensation(*COMPENSATIONS[at]).when(rule, **values)
    if at == status:
        when.then(event)
    else:
        when.then_refused(NotAllowed, f"it is {at.replace('_', ' ')}")


@pytest.mark.parametrize("at", ALL)
def test_what_is_not_final_can_be_cancelled(at: str) -> None:
    """An approval is denied so; what runs is disowned: its report is refused."""
    when = given_compensation(*COMPENSATIONS[at]).when(cancel, "no")
    if at in ("completed", "cancelled"):
        when.then_refused(NotAllowed, f"it is {at}")
    else:
        assert when.then(fact(e.CompensationCancelled, why="no")).state.status == "cancelled"


def test_each_run_raises_the_epoch() -> None:
    """Reports of an older one are told apart."""
    again = given_compensation(*COMPENSATIONS["failed"], approved())
    after = again.when(start, **START, **AT).then(fact(e.CompensationStarted, epoch=2, expires_at_ms=57)).state
    assert (after.status, after.worker, after.failure, after.due_ms) == ("running", "w2", None, 57)


def test_a_run_ends_well_or_badly() -> None:
    """The report of the run that is under way."""
    given_compensation(*RUNNING).when(complete, 1, RECEIPT, **AT).then(fact(e.CompensationCompleted, epoch=1))
    bad = given_compensation(*RUNNING).when(fail, 1, BROKEN, outcome_unknown=True, **AT)
    assert bad.then(fact(e.CompensationFailed, failure=BROKEN)).state.outcome_unknown


def test_the_identical_report_again_is_no_news() -> None:
    """The acknowledgement was lost."""
    given_compensation(*COMPENSATIONS["completed"]).when(complete, 1, RECEIPT, **AT).then()
    given_compensation(*COMPENSATIONS["failed"]).when(fail, 1, BROKEN, outcome_unknown=False, **AT).then()


def test_another_report_of_an_ended_run_is_refused() -> None:
    """Its outcome is known."""
    completed, failed = (given_compensation(*COMPENSATIONS[at]) for at in ("completed", "failed"))
    completed.when(complete, 1, OTHER_RECEIPT, **AT).then_refused(NotAllowed)
    completed.when(fail, 1, BROKEN, outcome_unknown=False, **AT).then_refused(NotAllowed)
    failed.when(complete, 1, RECEIPT, **AT).then_refused(NotAllowed)
    failed.when(fail, 1, TIMEOUT, outcome_unknown=False, **AT).then_refused(NotAllowed)


AGAIN = (*RUNNING, run_failed(unknown=True), approved(), run_started(2))


@pytest.mark.parametrize("epoch", [0, 1, 3])
def test_the_report_of_another_run_is_stale(epoch: int) -> None:
    """A zombie says nothing about the run that is under way."""
    given_compensation(*AGAIN).when(complete, epoch, RECEIPT, **AT).then_refused(StaleEpoch)
    given_compensation(*AGAIN).when(fail, epoch, BROKEN, outcome_unknown=True, **AT).then_refused(StaleEpoch)


@pytest.mark.parametrize("after", [(run_failed(unknown=True),), (run_failed(unknown=True), approved())])
def test_a_success_after_the_lease_is_a_fact(after: tuple[Event, ...]) -> None:
    """Nobody knew; now somebody does. It need not be run again."""
    given_compensation(*RUNNING, *after).when(complete, 1, RECEIPT, **AT).then(e.CompensationCompleted)


def test_a_failure_after_the_lease_changes_nothing() -> None:
    """It failed already, as far as anybody knew."""
    given_compensation(*RUNNING, run_failed(unknown=True)).when(
        fail, 1, TIMEOUT, outcome_unknown=False, **AT
    ).then_refused(NotAllowed)


@pytest.mark.parametrize(("now", "events"), [(99, 0), (100, 1), (10**9, 1)])
def test_a_run_whose_worker_is_gone_is_unknown(now: int, events: int) -> None:
    """From the moment its lease ends."""
    found = given_compensation(*RUNNING).when(expire, now_ms=now).result
    assert [type(event) for event in found] == [e.CompensationFailed] * events
    assert all(isinstance(event, e.CompensationFailed) and event.outcome_unknown for event in found)


@pytest.mark.parametrize("at", [at for at in ALL if at != "running"])
def test_only_a_run_can_expire(at: str) -> None:
    """Anything else has no lease."""
    given_compensation(*COMPENSATIONS[at]).when(expire, now_ms=10**9).then()


def test_a_completed_run_is_final() -> None:
    """Also for the next epoch's worker."""
    given_compensation(*RUNNING, run_done()).when(start, **START, **AT).then_refused(NotAllowed)


@pytest.mark.parametrize(
    "values",
    [{"operation": ""}, {"operation": 7}, {"target": 7}, {"request": float("nan")}, {"requires_approval": 1}],
)
def test_a_description_is_checked_when_it_is_made(values: dict[str, Any]) -> None:
    """Not when the effect has failed."""
    with pytest.raises(InvalidValue):
        Compensation(**{"operation": "undo", **values})
