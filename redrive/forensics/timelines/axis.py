"""A time axis that leaves out what is long and empty: piecewise linear, with a break for each long gap."""

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

MOST_BREAKS = 12
LONG = 8
"""A gap is long when it lasts more than this many times what all shorter gaps last together."""

DAY_MS = 86_400_000
_NICE = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
         600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000, DAY_MS)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Break:
    """A gap that is drawn shorter than it was: from *begin_ms* to *end_ms*, between *left* and *right*."""

    begin_ms: int
    end_ms: int
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Axis:
    """Times as places from 0 to *width*; *breaks* is where time was left out."""

    times: tuple[int, ...]
    places: tuple[float, ...]
    breaks: tuple[Break, ...]
    width: float

    def place(self, ms: int) -> float:
        """Where a time lies; what is before or after the axis lies at its ends."""
        times, places = self.times, self.places
        n = bisect_right(times, ms)
        if n == 0:
            return 0.0
        if n == len(times):
            return places[-1]
        share = (ms - times[n - 1]) / (times[n] - times[n - 1])
        return places[n - 1] + share * (places[n] - places[n - 1])

    def ticks(self, least: float) -> list[tuple[float, int]]:
        """Places and round times, at least *least* apart, none within a break; a piece without one has its begin."""
        found: list[tuple[float, int]] = []
        for begin, end in self._pieces():
            for place, at in self._ticks_within(begin, end, least):
                if not found or place - found[-1][0] >= least:
                    found.append((place, at))
        return found

    def _pieces(self) -> list[tuple[int, int]]:
        edges = [self.times[0], *(ms for one in self.breaks for ms in (one.begin_ms, one.end_ms)), self.times[-1]]
        return list(zip(edges[::2], edges[1::2], strict=True))

    def _ticks_within(self, begin: int, end: int, least: float) -> list[tuple[float, int]]:
        left, right = self.place(begin), self.place(end)
        scale = (right - left) / (end - begin) if end > begin else 0.0
        days = max(1, math.ceil(least / (scale * DAY_MS))) if scale else 1
        step = next((nice for nice in _NICE if nice * scale >= least), days * DAY_MS)
        round_times = range(begin + -begin % step, end + 1, step)
        return [(self.place(at), at) for at in round_times] or [(left, begin)]


def axis_of(times: Iterable[int], *, width: float, broken: float) -> Axis:
    """The axis of *width* on which these times lie; each break is *broken* wide."""
    known = sorted(set(times)) or [0]
    gaps = _long_gaps(known, min(MOST_BREAKS, int(width / (2 * broken))))
    kept = known[-1] - known[0] - sum(known[n + 1] - known[n] for n in gaps)
    scale = (width - broken * len(gaps)) / kept if kept else 0.0
    points, places, breaks, here = [known[0]], [0.0], [], 0.0
    for n in sorted(gaps):
        here += (known[n] - points[-1]) * scale
        breaks.append(Break(known[n], known[n + 1], here, here + broken))
        points += [known[n], known[n + 1]]
        places += [here, here + broken]
        here += broken
    points.append(known[-1])
    places.append(here + (known[-1] - points[-2]) * scale if kept else width)
    return Axis(*_distinct(points, places), tuple(breaks), width)


def _long_gaps(times: list[int], most: int) -> set[int]:
    """The gaps to break, by the index of the time before them."""
    by_length = sorted(range(len(times) - 1), key=lambda n: times[n] - times[n + 1])  # the longest first, stable
    rest = times[-1] - times[0]
    found = 0
    for count, n in enumerate(by_length[:most], 1):
        gap = times[n + 1] - times[n]
        rest -= gap
        if 0 < LONG * rest < gap:
            found = count
    return set(by_length[:found])


def _distinct(points: list[int], places: list[float]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Each time once, at its first place."""
    kept: dict[int, float] = {}
    for point, place in zip(points, places, strict=True):
        kept.setdefault(point, place)
    return tuple(kept), tuple(kept.values())


def lasting(ms: int) -> str:
    """``250 ms``, ``1.5 s``, ``2 min 5 s``, ``3 h 20 min``, ``5 d 2 h``: two units at most, rounded down."""
    if ms < 1_000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms // 100 / 10:g} s"
    units = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))
    first = next(n for n, (unit, _) in enumerate(units) if ms >= unit)
    told = [f"{ms // units[first][0]} {units[first][1]}"]
    if first + 1 < len(units) and (rest := ms % units[first][0] // units[first + 1][0]):
        told.append(f"{rest} {units[first + 1][1]}")
    return " ".join(told)
