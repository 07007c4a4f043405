"""What this process has at hand of what falls due: runs and dead letters that it wrote itself, and whose states are in
memory as they stand in the log, as long as nobody else writes to them."""

from collections.abc import Iterable
from heapq import heappop, heappush

from redrive.domain.dead_letter.state import REDRIVING
from redrive.domain.identity import Tenant
from redrive.domain.run.state import QUEUED
from redrive.ledger.agenda_rows import AgendaRow
from redrive.ledger.states import States

MOST = 20_000  # beyond it all are forgotten: it is only a preference
_WAITING = {QUEUED, *REDRIVING}
_Item = tuple[int, int, str, str]


class AtHand:
    """By when they are due. All use is under the writer's lock."""

    def __init__(self, states: States) -> None:
        self._states = states
        self._lines: dict[str, list[_Item]] = {"run": [], "dead_letter": []}

    def note(self, rows: Iterable[AgendaRow]) -> None:
        """This process wrote these rows of the agenda."""
        for row in rows:
            if (line := self._lines.get(row.kind)) is not None and row.due_ms is not None:
                if len(line) >= MOST:
                    line.clear()
                heappush(line, (row.due_ms, row.created, row.subject, row.tenant))

    def take(self, kind: str, tenant: Tenant | None, now_ms: int, most: int) -> dict[str, _Item]:
        """Up to *most* subjects that are due, the oldest first, as far as they are found near the head. Each is told
        once, until it is noted again or put back."""
        line, owner = self._lines[kind], None if tenant is None else str(tenant)
        found: dict[str, _Item] = {}
        others: list[_Item] = []
        while line and line[0][0] <= now_ms and len(found) < most and len(others) < 4 * most:
            item = heappop(line)
            state = self._states.known(item[2])
            if state is not None and state.status in _WAITING:
                if owner is None or item[3] == owner:
                    found[item[2]] = item
                else:
                    others.append(item)
        self.put_back(kind, others)
        return found

    def put_back(self, kind: str, items: Iterable[_Item]) -> None:
        """They are still to be told."""
        for item in items:
            heappush(self._lines[kind], item)
