"""How far a what-if reaches: which events it is about, and what no course of a run can exceed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from redrive.domain.errors import InvalidValue
from redrive.domain.event import Recorded
from redrive.domain.records import FlowRegistered, LimitRemoved, LimitSet, PolicyRegistered
from redrive.domain.run.events import RunSubmitted
from redrive.forensics.positions import Asked, position_of

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

BUCKETS = 60
WIDTHS_MS = (1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000, 86_400_000, 604_800_000)


def kept_as_recorded(ledger: "LogLedger", drop: Sequence[Recorded]) -> dict[int, str]:
    """Which of the events to *drop* are kept, by position, and why: histories are those of runs."""
    kept: dict[int, str] = {}
    for r in drop:
        first = ledger.stream(r.correlation)[:1]
        if isinstance(r.event, (LimitSet, LimitRemoved)):
            kept[r.position] = f"position {r.position}: a limit was dropped, but limits are not part of the model"
        elif not first or not isinstance(first[0].event, RunSubmitted):
            kept[r.position] = f"position {r.position}: {r.topic} is of no run, and was kept as recorded"
        elif isinstance(r.event, (FlowRegistered, PolicyRegistered)):
            kept[r.position] = f"position {r.position}: what {r.topic} says was kept: runs are decided by it"
    return kept


def width_of(ledger: "LogLedger", after: int, until: int) -> int:
    """The width of a bucket of time, so that there are about 60 of them."""
    first, last = ledger.read(after, 1), ledger.at_positions([until])
    span = last[0].recorded_at_ms - first[0].recorded_at_ms if first and last else 0
    return next((width for width in WIDTHS_MS if width * BUCKETS >= span), WIDTHS_MS[-1])


def dropped_positions(ledger: "LogLedger", drop: Sequence[Asked]) -> tuple[int, ...]:
    """Where the events stand that are to be left out, each named by its position or its id. Raises InvalidValue."""
    found = {one: position_of(ledger, one).position for one in drop}
    for one, position in found.items():
        if not ledger.at_positions([position]):
            raise InvalidValue("drop", one, "the position or the id of an event of this log")
    return tuple(sorted({*found.values()}))
