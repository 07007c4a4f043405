"""Room: the slots that the workers of several logs share, so that each log gets its turn."""

import threading
import time
from collections.abc import Callable

PATIENCE_S = 1.0
"""For so long a slot is kept for whom it was offered to; a log that cannot be read keeps none from the others."""


class Room:
    """*slots* for *workers* (numbered from 0). Who finds none free stands in line; each slot that becomes free is
    offered to the first in line before whoever freed it may take it again."""

    def __init__(self, slots: int, workers: int, offer: Callable[[int], None]) -> None:
        self._slots, self._offer = slots, offer
        self._held = [0] * workers
        self._line: dict[int, float | None] = {}
        self._lock = threading.Lock()

    def take(self, worker: int, running: int) -> int:
        """How many attempts *worker* may have running after its turn; *running* go on. Until ``settle`` nobody else is
        given these slots."""
        with self._lock:
            if (usable := self._usable(worker, running)) > 0:
                self._line.pop(worker, None)
                self._held[worker] = max(self._held[worker], running + usable)
            return running + usable

    def look(self, worker: int, running: int) -> int:
        """What ``take`` would give now; nothing is taken."""
        with self._lock:
            return running + self._usable(worker, running)

    def settle(self, worker: int, running: int) -> None:
        """The turn is over: what *worker* did not use is offered to those in line."""
        with self._lock:
            self._held[worker] = running
            free = self._slots - sum(self._held)
            offered = [one for one in list(self._line)[: max(0, free)] if one != worker]
            now = time.monotonic()
            for one in offered:
                self._line[one] = self._line[one] or now
        for one in offered:
            self._offer(one)

    def leave(self, worker: int) -> None:
        """*worker* works no more."""
        with self._lock:
            self._line.pop(worker, None)
        self.settle(worker, 0)

    def _usable(self, worker: int, running: int) -> int:
        """How many slots *worker* may take; it stands in line when there is none."""
        free = self._slots - sum(self._held) + self._held[worker] - running
        usable = max(0, free - self._ahead_of(worker))
        if not usable:
            self._line.setdefault(worker, None)
        return usable

    def _ahead_of(self, worker: int) -> int:
        """How many stand in line before *worker*, without those that did not come when they were called."""
        ahead = 0
        for one, called in self._line.items():
            if one == worker:
                break
            ahead += called is None or time.monotonic() - called < PATIENCE_S
        return ahead
