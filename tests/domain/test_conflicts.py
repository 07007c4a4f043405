"""Conflicts: how often, and after what pause, a command is decided again."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrive import Conflict, StorageError
from redrive.domain.conflicts import MOST_MS, MOST_TRIES, pause_ms, retried

ALMOST = 1 - 2**-53


@pytest.mark.parametrize(
    ("tries", "draw", "expected"),
    [
        (1, 0.0, 0.0),
        (1, 0.5, 0.5),
        (2, 0.5, 1.0),
        (3, 0.5, 2.0),
        (6, 0.5, 16.0),
        (7, 0.5, 25.0),
        (19, 0.5, 25.0),
        (20, 0.5, None),
        (21, 0.0, None),
    ],
)
def test_the_pause_after_a_conflict(tries: int, draw: float, expected: float | None) -> None:
    """It doubles from a millisecond up to fifty; the die says how much of it is waited; twenty tries are all."""
    assert pause_ms(tries, draw) == expected


@given(st.integers(1, MOST_TRIES - 1), st.floats(0, ALMOST))
def test_a_pause_has_bounds(tries: int, draw: float) -> None:
    """Never negative, never longer than the cap, never longer than with a higher die."""
    pause, longest = pause_ms(tries, draw), pause_ms(tries, ALMOST)
    assert pause is not None
    assert longest is not None
    assert 0 <= pause <= longest <= MOST_MS


def outrun(times: int) -> tuple[Callable[[], str], list[int]]:
    """A command that others outrun so often, and how often it was tried."""
    tries: list[int] = []

    def command() -> str:
        tries.append(len(tries) + 1)
        if len(tries) <= times:
            raise Conflict(f"stream s moved, {len(tries)}")
        return "done"

    return command, tries


@pytest.mark.parametrize("times", [0, 1, 5, MOST_TRIES - 1])
def test_a_command_is_decided_again(times: int) -> None:
    """After a pause each time."""
    slept: list[float] = []
    command, tries = outrun(times)
    assert retried(command, dice=lambda: 0.5, sleep=slept.append) == "done"
    assert (len(tries), len(slept)) == (times + 1, times)
    assert slept[:3] == [0.0005, 0.001, 0.002][:times]


def test_a_conflict_without_end_goes_to_the_caller() -> None:
    """The last one; the others cost a second at the most, whatever the dice."""
    slept: list[float] = []
    command, tries = outrun(MOST_TRIES)
    with pytest.raises(Conflict, match=f"moved, {MOST_TRIES}"):
        retried(command, dice=lambda: ALMOST, sleep=slept.append)
    assert (len(tries), len(slept)) == (MOST_TRIES, MOST_TRIES - 1)
    assert sum(slept) < 1


def test_no_other_error_is_tried_again() -> None:
    """The disk is not another writer."""
    tries = []

    def command() -> None:
        tries.append(1)
        raise StorageError("the disk is full")

    with pytest.raises(StorageError):
        retried(command, dice=lambda: 0.5, sleep=lambda _: None)
    assert len(tries) == 1
