"""The log up to a moment: the same reading, and nothing of what came later."""

from collections.abc import Callable, Iterator, Sequence

from redrive.domain.event import Recorded
from redrive.domain.identity import RunId, Tenant
from redrive.domain.run.state import Run
from redrive.forensics.positions import Position
from redrive.ledger.capacity import Capacity
from redrive.ledger.ledger import LogLedger

Progress = Callable[[int, int], None]
"""Called now and then, in what takes long: how many of how many events are done."""


class LogPrefix:
    """The events of *ledger* up to and including *end*. Its ``now_ms`` is the time at which the last of them was
    recorded, so that what was due then is due, whatever the time is now. ``until`` may be moved towards *end* step by
    step while a view is folded."""

    def __init__(self, ledger: LogLedger, end: Position, progress: Progress | None = None) -> None:
        self._ledger = ledger
        self._progress = progress
        self._capacity: Callable[[], Capacity] | None = None
        self.id, self.path = ledger.id, ledger.path
        self.end = end
        self.until = end.position
        self.begun = 0

    def now_ms(self) -> int:
        """When the last event of the prefix was recorded."""
        return self.end.recorded_at_ms

    def tip(self) -> tuple[int]:
        """The end of the prefix."""
        return (self.until,)

    def event_id_at(self, position: int) -> str | None:
        """The id of the event at *position*, None when there is none."""
        return self._ledger.event_id_at(position) if position <= self.end.position else None

    def replay(self, after: int = 0, until: int | None = None, batch: int = 256) -> Iterator[list[Recorded]]:
        """The prefix beyond position *after*, batch by batch."""
        last = self.until if until is None else min(until, self.until)
        for events in self._ledger.replay(after, last, batch):
            yield events
            if self._progress is not None:
                self._progress(events[-1].position - self.begun, self.end.position - self.begun)

    def correlated(self, correlation: str, after: int, limit: int) -> list[Recorded]:
        """At most *limit* events of the prefix with this correlation beyond position *after*, in log order."""
        return self._within(self._ledger.correlated(correlation, after, limit))

    def at_positions(self, positions: Sequence[int]) -> list[Recorded]:
        """The events at these positions, in log order."""
        return self._within(self._ledger.at_positions(positions))

    def stream(self, stream: str) -> list[Recorded]:
        """All events of a stream that the prefix holds."""
        return self._within(self._ledger.stream(stream))

    def run_state(self, tenant: Tenant | None, id_: RunId, until: int | None = None) -> Run:
        """The run as the prefix tells it. Raises NotFound, also for what began later."""
        last = self.end.position if until is None else min(until, self.end.position)
        return self._ledger.run_state(tenant, id_, last)

    def capacity(self) -> Capacity:
        """What was in use of the limits."""
        assert self._capacity is not None, "a prefix with a view knows"
        return self._capacity()

    def learn_capacity(self, capacity: Callable[[], Capacity]) -> None:
        """How to find out what was in use of the limits, once there is a view to ask."""
        self._capacity = capacity

    def _within(self, events: list[Recorded]) -> list[Recorded]:
        return [event for event in events if event.position <= self.end.position]
