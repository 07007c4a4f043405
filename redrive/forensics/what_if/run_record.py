"""What the log holds of one run: read once, and decoded as far as somebody asks."""

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from redrive.domain.event import Recorded
from redrive.ledger.database import Row
from redrive.ledger.mapper import shown
from redrive.ledger.storage_errors import storage_errors

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

PAGE = 5_000
_COUNT = "SELECT count(*) FROM events WHERE originator_id = ?"


class RunRecord:
    """Every event of a run, of its effects, dead letters and compensations, up to position *until*."""

    def __init__(self, ledger: "LogLedger", run: str, until: int) -> None:
        self.run = run
        self._ledger, self._until = ledger, until
        self._rows: list[Row] = []
        self._decoded: list[Recorded] = []
        self._known: dict[int, Recorded] = {}
        after, page = 0, ledger.correlated_rows(run, 0, PAGE)
        while page:
            self._rows += page
            after = page[-1][0]
            page = ledger.correlated_rows(run, after, PAGE) if len(page) == PAGE else []

    @cached_property
    def whole(self) -> bool:
        """Whether all of the run's stream is in it: nothing there belongs to something else."""
        with storage_errors(self._ledger.path):
            (count,) = self._ledger.recorder.reader().execute(_COUNT, (self.run,)).fetchone()
        return bool(count == sum(row[1] == self.run for row in self._rows))

    def before(self, position: int) -> list[Recorded]:
        """The events before *position*."""
        decoded, rows = self._decoded, self._rows
        end = len(decoded)
        while end < len(rows) and rows[end][0] < position:
            end += 1
        while len(decoded) < end and (recorded := self._known.get(rows[len(decoded)][0])) is not None:
            decoded.append(recorded)
        decoded += shown(rows[len(decoded) : end])
        if not decoded or decoded[-1].position < position:
            return [*decoded]
        return [recorded for recorded in decoded if recorded.position < position]

    def is_known(self, events: Iterable[Recorded]) -> None:
        """These of its *events* were decoded already."""
        self._known = {recorded.position: recorded for recorded in events}

    def events(self) -> list[Recorded]:
        """All of them."""
        return self.before(self._until + 1)
