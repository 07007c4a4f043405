"""Spread: near the head of the line, nobody left out, nobody starving."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrive.domain.spread import rotated, turn_of

LINES = st.integers(0, 40).map(lambda size: list(range(size)))
KS, NS, TURNS = st.integers(1, 8), st.integers(1, 5), st.integers(0, 2**33)


@pytest.mark.parametrize(
    ("turn", "k", "n", "expected"),
    [
        (0, 3, 1, "abcdef"),
        (1, 3, 1, "bcadef"),
        (2, 3, 1, "cabdef"),
        (3, 3, 1, "abcdef"),
        (1, 2, 2, "cdabef"),
        (2, 3, 2, "efabcd"),
        (1, 2, 5, "fabcde"),
        (1, 9, 6, "abcdef"),
        (7, 1, 1, "abcdef"),
        (5, 9, 1, "fabcde"),
        (8, 9, 1, "cdefab"),
        (4, 9, 2, "cdefab"),
    ],
)
def test_the_order_of_a_turn(turn: int, k: int, n: int, expected: str) -> None:
    """It begins at one of the first k blocks of n; the line beyond these is as it was."""
    assert "".join(rotated("abcdef", turn, k=k, n=n)) == expected


@given(LINES, TURNS, KS, NS)
def test_nobody_is_left_out_and_the_first_is_near_the_head(line: list[int], turn: int, k: int, n: int) -> None:
    """Everybody is in the order, once; who is tried first stands among the first n times k; within a block the oldest
    comes first; and without a spread nothing changes."""
    order = rotated(line, turn, k=k, n=n)
    assert sorted(order) == line
    assert all(place < n * k for place in order[:1])
    assert order[:n] == sorted(order[:n]) or len(line) < n * k
    assert k > 1 or order == line


@given(st.lists(LINES.filter(bool), min_size=8, max_size=30), TURNS, KS, NS)
def test_each_kth_turn_begins_at_the_head(lines: list[list[int]], turn: int, k: int, n: int) -> None:
    """However the line grows and shrinks between them."""
    at_head = [rotated(line, turn + number, k=k, n=n)[0] == 0 for number, line in enumerate(lines)]
    assert all(any(at_head[start : start + k]) for start in range(len(at_head) - k + 1))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=120), KS)
def test_nobody_starves(steps: list[tuple[int, int]], k: int) -> None:
    """Four claimants take one at a time, in any order, and others arrive meanwhile: nobody is passed by more than k - 1
    turns of each."""
    line, arriving = list(range(6)), itertools.count(6)
    counts, passed = [0] * 4, dict.fromkeys(line, 0)
    for claimant, arrivals in steps:
        line += [next(arriving) for _ in range(arrivals)]
        if not line:
            continue
        taken = rotated(line, turn_of(f"w{claimant}", counts[claimant]), k=k)[0]
        counts[claimant] += 1
        if line.index(taken) > 0:
            passed[line[0]] = passed.get(line[0], 0) + 1
        line.remove(taken)
    assert max(passed.values()) <= 4 * (k - 1)


def test_those_who_begin_together_begin_apart() -> None:
    """By their names: eight workers do not all try for the same."""
    assert len({turn_of(f"worker-{number}", 0) % 8 for number in range(8)}) > 3
