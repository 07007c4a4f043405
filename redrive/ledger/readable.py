"""The log as those read it who only ask: the whole of it, or the prefix up to a moment of the past."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from redrive.domain.event import Recorded
from redrive.domain.identity import RunId, Tenant
from redrive.domain.run.state import Run
from redrive.ledger.capacity import Capacity


class ReadableLog(Protocol):
    """What queries need of the log; ``now_ms`` is the moment they are asked about."""

    @property
    def id(self) -> str:
        """Which log this is."""

    @property
    def path(self) -> str:
        """Where it lies, for messages."""

    def now_ms(self) -> int:
        """What "now" means in what is derived: remaining times, what is due."""

    def event_id_at(self, position: int) -> str | None:
        """The id of the event at *position*, None when there is none."""

    def replay(self, after: int = 0, until: int | None = None, batch: int = 256) -> Iterator[list[Recorded]]:
        """The log beyond position *after*, batch by batch."""

    def correlated(self, correlation: str, after: int, limit: int) -> list[Recorded]:
        """At most *limit* events with this correlation beyond position *after*, in log order."""

    def at_positions(self, positions: Sequence[int]) -> list[Recorded]:
        """The events at these positions, in log order."""

    def stream(self, stream: str) -> list[Recorded]:
        """All events of a stream."""

    def run_state(self, tenant: Tenant | None, id_: RunId, until: int | None = None) -> Run:
        """The run as the log tells it. Raises NotFound."""

    def capacity(self) -> Capacity:
        """What is in use of the limits."""
