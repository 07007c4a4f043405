"""Load over time: retries and dead letters, recorded beside counterfactual."""

from collections.abc import Sequence

from redrive.forensics.what_if.bounds import Amounts, Bounds
from redrive.forensics.what_if.extent import BUCKETS
from redrive.forensics.what_if.report import LoadPoint


def load_points(recorded: Amounts, same: Amounts, low: Amounts, high: Amounts, width_ms: int) -> tuple[LoadPoint, ...]:
    """Load and dead letters by bucket; dead letters are counted up. What is the *same* in both counts in both; *low*
    and *high* are what the runs that differ come to."""
    buckets = sorted({*recorded.load, *recorded.opened, *high.load, *high.opened, *same.load})
    if not buckets:
        return ()
    points, least, most, told = [], 0, 0, 0
    for bucket in _filled(buckets):
        told += recorded.opened[bucket]
        least += same.opened[bucket] + low.opened[bucket]
        most += same.opened[bucket] + high.opened[bucket]
        shared = same.load[bucket]
        points.append(
            LoadPoint(
                at_ms=bucket * width_ms,
                retries_recorded=recorded.load[bucket],
                retries=Bounds(low=shared + low.load[bucket], high=shared + high.load[bucket]),
                dead_letters_recorded=told,
                dead_letters=Bounds(low=least, high=most),
            )
        )
    return tuple(points)


def _filled(buckets: Sequence[int]) -> Sequence[int]:
    """Every bucket from the first to the last, unless there is a hole of years."""
    first, last = buckets[0], buckets[-1]
    return range(first, last + 1) if last - first <= 20 * BUCKETS else buckets
