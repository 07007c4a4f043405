"""Who is expected: waiters that somebody alive looked for just now, and could start if only there were room.

Whoever looks for work says which runs limits alone kept from it. Others, who cannot execute those, leave them what is
freed next: else the one who frees a slot, and claims again at once, would pass an older waiter for as long as its own
work lasts. It is a hint with an end: it does not come from the log, and nothing but a moment is lost with it. Who is
not looked for (no worker has its handler, or that worker is gone) is not expected, and costs nobody anything.
"""

import json
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from redrive.domain.identity import RunId, Tenant
from redrive.ledger.agenda_rows import ANY
from redrive.ledger.capacity_rows import Line
from redrive.ledger.database import Connection

EXPECTED_MS = 2_000
OFTEN_MS = 1_000
SELDOM_MS = 5_000
FORGOTTEN_MS = 60_000
_PUT = (
    "INSERT INTO expected VALUES (?, ?, ?) ON CONFLICT (run) DO UPDATE SET "
    "asked_ms = excluded.asked_ms, until_ms = excluded.until_ms"
)


class Expectation(NamedTuple):
    """A run that is looked for: its *place* (due, created) for one handler, in the line of a limit, which holds it
    back when it is *blocking*; a line without a limit's key stands for the queue of all that is due."""

    run: RunId
    line: Line
    place: tuple[int, int]
    blocking: bool

    def is_for(self, tenant: Tenant | None, handlers: Container[str] | None) -> bool:
        """Whether a worker that sees *tenant* (None: all) and has *handlers* (None: any) could execute it itself."""
        visible = tenant is None or self.line.tenant == str(tenant)
        return visible and (handlers is None or self.line.needs == ANY or self.line.needs in handlers)


def expected_for_ms(gap_ms: int | None) -> int:
    """How long a run stays expected that was looked for again after *gap_ms* (None: for the first time): beyond the
    next look of whoever looks often, and not at all for one that is too busy to look."""
    if gap_ms is None or gap_ms <= OFTEN_MS:
        return EXPECTED_MS
    return 2 * gap_ms if gap_ms <= SELDOM_MS else 0


class Expected:
    """The table, through one connection, as of one time; what lies in the future (a clock was set back) is void."""

    def __init__(self, connection: Connection, now_ms: int) -> None:
        self._connection, self._now_ms = connection, now_ms
        self._found: list[Expectation] | None = None

    def all(self) -> list[Expectation]:
        """Where those stand that are looked for and due now; read once."""
        if self._found is None:
            now = self._now_ms
            fresh = "e.asked_ms BETWEEN ? AND ? AND e.until_ms > ?"
            values = (now - 2 * SELDOM_MS, now, now, now)
            waiting = self._connection.execute(
                "SELECT w.run, w.line, w.due_ms, w.created, w.blocking FROM expected e INDEXED BY expected_asked "
                f"CROSS JOIN waiters w WHERE w.run = e.run AND {fresh} AND w.due_ms <= ?",
                values,
            )
            self._found = [
                Expectation(RunId(run), Line(*json.loads(line)), (due, created), bool(blocking))
                for run, line, due, created, blocking in waiting
            ]
            queued = self._connection.execute(
                "SELECT a.subject, a.tenant, a.needs, a.due_ms, a.created FROM expected e INDEXED BY expected_asked "
                f"CROSS JOIN agenda a WHERE a.subject = e.run AND {fresh} "
                "AND a.kind || '' = 'run' AND a.due_ms + 0 <= ?",
                values,  # by subject: what is computed keeps SQLite from an index that would give it the whole queue
            )
            self._found += [
                Expectation(RunId(run), Line("", tenant, needs), (due, created), False)
                for run, tenant, needs, due, created in queued
            ]
        return self._found

    def stale(self, runs: Iterable[RunId]) -> list[RunId]:
        """Those of *runs* that are not expected, or only for a while that is half over."""
        return [run for run in dict.fromkeys(runs) if not self._is_fresh(run)]

    def put(self, runs: Sequence[RunId]) -> None:
        """Expect *runs* from now on; those that nobody looked for in a long time are forgotten."""
        now = self._now_ms
        self._connection.execute(
            "DELETE FROM expected INDEXED BY expected_asked WHERE asked_ms < ?", (now - FORGOTTEN_MS,)
        )
        for run in runs:
            row = self._row(run)
            gap = now - row[0] if row and row[0] <= now else None
            self._connection.execute(_PUT, (run, now, now + expected_for_ms(gap)))

    def remove(self, run: str) -> None:
        """Expect a run no longer."""
        self._connection.execute("DELETE FROM expected WHERE run = ?", (run,))

    def _is_fresh(self, run: RunId) -> bool:
        row = self._row(run)
        return row is not None and row[0] <= self._now_ms and 2 * (self._now_ms - row[0]) < row[1] - row[0]

    def _row(self, run: RunId) -> tuple[int, int] | None:
        query = "SELECT asked_ms, until_ms FROM expected WHERE run = ?"
        row: tuple[int, int] | None = self._connection.execute(query, (run,)).fetchone()
        return row
