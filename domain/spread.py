"""Spread: claimants who decide at the same moment do not all try for the very oldest.

Where decisions are optimistic, all but one of those who try for the same run decide in vain. So each takes its turn
among the first *k* places of the line: a claimant that asks for *n* runs begins at one of the *k* blocks of *n*.

Two bounds hold, whatever comes and goes in the line meanwhile. **Near the head**: who is taken first stands among the
first *n* × *k*. **Nobody starves**: of *k* turns in a row one begins at the head, so that who stands there is passed
by at most *k* − 1 turns of each claimant before that claimant takes it.
"""

from collections.abc import Sequence
from typing import TypeVar
from zlib import crc32

T = TypeVar("T")


def turn_of(key: str, count: int) -> int:
    """The turn of who is known by *key*, for the time number *count*: those who begin together begin apart."""
    return crc32(key.encode()) + count


def rotated(line: Sequence[T], turn: int, *, k: int, n: int = 1) -> list[T]:
    """*line*, the oldest first, in the order in which the claimant of *turn* tries for *n* of it: from its block of the
    first *k* on, then from the head. With *k* 1, as it is."""
    first = line[: k * n]
    blocks = max(1, -(-len(first) // n))
    begin = turn % k % blocks * n  # first by k: however the line grows and shrinks, each k-th turn begins at the head
    return [*first[begin:], *first[:begin], *line[k * n :]]
