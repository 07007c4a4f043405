"""Dispositions: what an operator decides about a dead letter, and who was first."""

from collections.abc import Callable

import pytest

from redrive.domain.dead_letter import events as e
from redrive.domain.dead_letter.rules import abandon, ignore, reopen, resolve
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.errors import NotAllowed
from redrive.domain.event import Event
from redrive.domain.run.state import Run
from tests.domain.facts import (
    SETTLED,
    UNSETTLED,
    abandoned,
    claimed,
    dispatched,
    failed,
    ignored,
    letter_after,
    line,
    opened,
    requested,
    resolved,
    snoozed,
    started,
    submitted,
)
from tests.domain.given import given, given_letter


def run_after(*events: Event) -> Run:
    """A run of two nodes with this history."""
    return given(submitted(line("a", "b")), *events).state


FAILED_RUN = run_after(claimed(), started("a"), failed("a"))

CHOICES: list[tuple[Callable[[DeadLetter, Run | None], Event], str]] = [
    (ignore, "ignored"),
    (abandon, "abandoned"),
    (resolve, "resolved"),
]


@pytest.mark.parametrize(("choose", "then"), CHOICES)
@pytest.mark.parametrize("status", UNSETTLED)
def test_whatever_is_unsettled_can_be_settled(
    choose: Callable[[DeadLetter, Run | None], Event], then: str, status: str
) -> None:
    """In one event, which remembers the last attempt that had started."""
    run = run_after(claimed(), started("a"), snoozed("a", 5), started("a", lifetime=2))
    (event,) = given_letter(*letter_after(status)).when(choose, run).result
    letter = given_letter(*letter_after(status), event).state
    assert (letter.status, letter.settled, letter.settled_lifetime) == (then, True, 2)


@pytest.mark.parametrize("choose", [choose for choose, _ in CHOICES])
@pytest.mark.parametrize("status", SETTLED)
def test_what_is_settled_is_not_settled_again(choose: Callable[[DeadLetter, Run | None], Event], status: str) -> None:
    """Two operators at once: the second learns what the first decided."""
    given_letter(*letter_after(status)).when(choose, FAILED_RUN).then_refused(NotAllowed, status)


def test_a_choice_without_a_run_answers_the_known_attempts() -> None:
    """A dead letter of an imported log may outlive its run."""
    given_letter(opened(lifetime=6)).when(ignore, None).then(ignored(6))


@pytest.mark.parametrize("status", SETTLED)
def test_a_settled_one_can_be_reopened(status: str) -> None:
    """An operator may have been wrong."""
    letter = given_letter(*letter_after(status)).when(reopen).then(e.DeadLetterReopened).state
    assert (letter.status, letter.settled, letter.superseded) == ("open", False, False)


@pytest.mark.parametrize("status", UNSETTLED)
def test_what_is_not_settled_is_not_reopened(status: str) -> None:
    """Parked included: that takes a grant."""
    given_letter(*letter_after(status)).when(reopen).then_refused(NotAllowed, "reopen")


@pytest.mark.parametrize(
    ("settle", "dispatches"),
    [(ignored(), 5), (abandoned(), 5), (resolved(by_operator=True), 5), (resolved(), 0)],
)
def test_reopening_is_no_way_around_the_budget(settle: Event, dispatches: int) -> None:
    """Only a success or a grant renews it; resolving by hand and reopening does not."""
    reopened = given_letter(opened(), requested(), dispatched(5), settle).when(reopen).then(e.DeadLetterReopened)
    assert reopened.state.dispatches == dispatches
