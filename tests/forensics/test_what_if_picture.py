"""The picture of a what-if: its scale of time."""

from itertools import pairwise

import pytest

from redrive.forensics.what_if.bounds import Bounds
from redrive.forensics.what_if.load_plot import _across, _times
from redrive.forensics.what_if.report import LoadPoint
from tests.forensics.incidents import BEGIN_MS


def points(count: int, bucket_ms: int) -> list[LoadPoint]:
    """Buckets of time in which nothing happened."""
    none = Bounds(low=0, high=0)
    return [
        LoadPoint(
            at_ms=BEGIN_MS + n * bucket_ms, retries_recorded=0, retries=none, dead_letters_recorded=0,
            dead_letters=none,
        )
        for n in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 37, 60])
@pytest.mark.parametrize("bucket_ms", [1_000, 15_000, 60_000, 3_600_000])
def test_times_stand_where_buckets_begin(count: int, bucket_ms: int) -> None:
    """Each once, equally far from each other: what is between buckets is no place to read a value from."""
    load = points(count, bucket_ms)
    shown = [part for part in _times(load, _across(load, bucket_ms), 100, bucket_ms) if "<text" in part]
    places = [float(part.split('"')[1]) for part in shown]
    gaps = {round(after - before, 0) for before, after in pairwise(places)}
    assert 2 <= len(shown) <= 7
    assert max(gaps) - min(gaps) <= 1
    assert len({part.partition(">")[2] for part in shown}) == len(shown)
