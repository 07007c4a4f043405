"""The times of a log's events: a clock that went back, and events that claim to be older than an anchor before them.

A ledger records no event earlier than the one before. Where an anchor that is trusted states a time, everything that
lies beyond it in the log was recorded later.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from redrive.evidence.store import StoredRow

MOST_PLACES = 10


class Floor(NamedTuple):
    """Events beyond *position* were recorded no earlier than *at_ms*, as *name* says."""

    position: int
    at_ms: int
    name: str


class Clocks:
    """Follows the times of rows in log order."""

    def __init__(self, floors: Sequence[Floor] = ()) -> None:
        self._floors = sorted(floors)
        self._floor: Floor | None = None
        self._running_ms = 0
        self.regressions = 0
        self.regression_positions: list[int] = []

    def look(self, rows: Sequence[StoredRow | None]) -> list[tuple[int, Floor]]:
        """Which of *rows*, by their places, claim a time before the last anchor that they lie beyond."""
        times = [(row[7], row[0], n) for n, row in enumerate(rows) if row is not None and type(row[7]) is int]
        if times and times == sorted(times) and self.follow(times[0][0], times[-1][0], times[-1][1]):
            return []
        return [*self._each(times)]

    def follow(self, first_ms: int, last_ms: int, position: int) -> bool:
        """Go on by rows up to *position* whose times ascend from *first_ms* to *last_ms*; False, and nothing is done,
        where they must be looked at one by one."""
        if first_ms < self._highest(position):
            return False
        self._running_ms = last_ms
        return True

    def _highest(self, until: int) -> int:
        """No event up to this position may be recorded earlier, or it must be looked at."""
        return max([self._running_ms, *(floor.at_ms for floor in self._floors if floor.position < until)])

    def _each(self, times: Sequence[tuple[int, int, int]]) -> Iterator[tuple[int, Floor]]:
        for at_ms, position, n in times:
            while self._floors and self._floors[0].position < position:
                passed = self._floors.pop(0)
                self._floor = max(passed, self._floor or passed, key=lambda floor: floor.at_ms)
            if self._floor is not None and at_ms < self._floor.at_ms:
                yield n, self._floor
            if at_ms >= self._running_ms:
                self._running_ms = at_ms
                continue
            self.regressions += 1
            if len(self.regression_positions) < MOST_PLACES:
                self.regression_positions.append(position)
