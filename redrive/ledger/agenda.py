"""The agenda: what has a due time, written in the append transaction: a row per run (per handler that can go on with
it, while it is queued) or dead letter, and one each for a run's timed waits and for its approvals that may expire.

It can be rebuilt from the log, because each row is a function of aggregate states. Claims, sweeps and ticks read
it in the order (due, created), so that they never scan what is not due.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Any

from redrive.domain.identity import RunId, Tenant
from redrive.domain.ports import START, Due, DueKey
from redrive.ledger.agenda_rows import ANY, AgendaRow
from redrive.ledger.database import Connection
from redrive.ledger.mapper import tenant_named

Allowed = Callable[[str, int], int | None]
TIMERS = ("timed_wait", "expiry")


_FIRST_NEEDS = (
    "SELECT needs FROM agenda INDEXED BY agenda_queue "
    "WHERE kind = 'run' AND tenant = ? AND needs >= ? ORDER BY needs LIMIT 1"
)
_NEXT_NEEDS = _FIRST_NEEDS.replace(">=", ">")
UPSERT = "ON CONFLICT (subject, needs) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in AgendaRow._fields if name not in ("subject", "needs")
)
_PUT = f"INSERT INTO agenda VALUES (?1, ?2, ?3, {{}}, ?5, ?6, ?7, ?8, ?9) {UPSERT}"


class Agenda:
    """The agenda's table, through one connection. *created_as* is what is written as the fourth value of a row, the
    position of the stream's first event."""

    def __init__(self, connection: Connection, created_as: str = "?4") -> None:
        self._connection = connection
        self._put = _PUT.format(created_as)

    def replace_all(self, rows: Sequence[AgendaRow]) -> None:
        """Write the whole table anew."""
        self._connection.execute("DELETE FROM agenda")
        for row in rows:
            self.put(row)

    def put(self, row: AgendaRow) -> None:
        """Write a row."""
        self._connection.execute(self._put, row)

    def remove(self, subject: str) -> None:
        """Take a subject off."""
        self._connection.execute("DELETE FROM agenda WHERE subject = ?", (subject,))

    def arm(self, run: RunId, redrivable: bool) -> None:
        """Make the dead letters of a run due, or not, because the run may be requeued, or not."""
        self._connection.execute(
            "UPDATE agenda SET due_ms = CASE WHEN ? <> 0 THEN not_before_ms END WHERE run = ? AND kind = 'dead_letter'",
            (redrivable, run),
        )

    def claimable(
        self,
        tenant: Tenant | None,
        handlers: Container[str] | None,
        now_ms: int,
        limit: int,
        without: Container[str] = (),
        after: DueKey = START,
    ) -> list[Due]:
        """Due queued runs, the oldest first, that a worker with *handlers* (None: any) may execute, beyond *after*;
        none of the tenants *without*. Fewer than *limit*: there are no more."""
        if handlers is None and not without:
            return list(islice(each_once(self._all_due(tenant, now_ms, limit, after)), limit))
        groups = [
            self._connection.execute(
                "SELECT subject, tenant, due_ms, run, holder, created FROM agenda INDEXED BY agenda_queue "
                "WHERE kind = 'run' AND tenant = ? AND needs = ? AND due_ms <= ? AND (due_ms, created) > (?, ?) "
                "ORDER BY due_ms, created LIMIT ?",
                (owner, needs, now_ms, *after, limit),
            )
            for owner, needs in self.groups(tenant, handlers, without)
        ]
        merged = merge(*groups, key=lambda row: (row[2], row[5]))
        return list(islice(each_once(due_of(row) for row in merged), limit))

    def groups(
        self, tenant: Tenant | None, handlers: Container[str] | None, without: Container[str]
    ) -> list[tuple[str, str]]:
        """The tenants, but those *without*, and handlers whose runs a worker with *handlers* may execute."""
        return [
            (owner, needs)
            for owner, needs in self._groups(tenant)
            if owner not in without and (handlers is None or needs == ANY or needs in handlers)
        ]

    def claimable_run(self, run: RunId, now_ms: int) -> list[Due]:
        """The run itself, when it is queued and due."""
        rows = self._connection.execute(
            "SELECT subject, tenant, due_ms, run, holder, created FROM agenda "
            "WHERE subject = ? AND kind = 'run' AND +due_ms <= ? LIMIT 1",  # +: SQLite would go through all that is due
            (run, now_ms),
        )
        return [due_of(row) for row in rows]

    def next_of_run(self, run: RunId) -> int | None:
        """When the run, a timed wait of it, or a dispatch of it, is due."""
        query = (
            "SELECT min(due_ms) FROM (SELECT due_ms FROM agenda WHERE subject = ? AND kind IN ('run', 'timed_wait') "
            "UNION ALL SELECT due_ms FROM agenda WHERE run = ? AND kind = 'dead_letter') AS dues"
        )
        due: int | None = self._connection.execute(query, (run, run)).fetchone()[0]
        return due

    def _groups(self, tenant: Tenant | None) -> list[tuple[str, str]]:
        """The distinct (tenant, needs) of queued runs, found by seeking from one to the next."""
        found: list[tuple[str, str]] = []
        owner = self._tenant_after("") if tenant is None else str(tenant)
        while owner is not None:
            query, needs = _FIRST_NEEDS, ""
            while row := self._connection.execute(query, (owner, needs)).fetchone():
                query, needs = _NEXT_NEEDS, row[0]
                found.append((owner, needs))
            owner = self._tenant_after(owner) if tenant is None else None
        return found

    def _tenant_after(self, tenant: str) -> str | None:
        row = self._connection.execute(  # (tenant, needs) > (?, ?) would read every row of the group that was seen
            "SELECT tenant FROM agenda INDEXED BY agenda_queue "
            "WHERE kind = 'run' AND tenant > ? ORDER BY tenant LIMIT 1",
            (tenant,),
        ).fetchone()
        return row[0] if row else None

    def _all_due(self, tenant: Tenant | None, now_ms: int, limit: int, after: DueKey) -> Iterator[Due]:
        """Due queued runs beyond *after*, one row after the other, read in parts: a run may have many rows."""
        most = limit + 8
        while True:
            rows = list(self._rows_due("run", tenant, now_ms, most, after))
            yield from rows
            if len(rows) < most:
                return
            after = rows[-1].place  # where other rows of the same run may stand: it is known

    def due(self, kind: str, tenant: Tenant | None, now_ms: int, limit: int, after: DueKey = START) -> list[Due]:
        """What of *kind* is due, the oldest first, beyond *after*."""
        return list(self._rows_due(kind, tenant, now_ms, limit, after))

    def _rows_due(self, kind: str, tenant: Tenant | None, now_ms: int, limit: int, after: DueKey) -> Iterator[Due]:
        where, values = ("", []) if tenant is None else ("AND tenant = ? ", [str(tenant)])
        rows = self._connection.execute(
            "SELECT subject, tenant, due_ms, run, holder, created FROM agenda INDEXED BY agenda_due "
            f"WHERE kind = ? AND due_ms <= ? AND (due_ms, created) > (?, ?) {where}ORDER BY due_ms, created LIMIT ?",
            (kind, now_ms, *after, *values, limit),
        )
        return map(due_of, rows)

    def dead_letters(self, run: RunId, now_ms: int) -> dict[str, int]:
        """The dead letters of *run* that are due, each with its ``created``, by which they are in order."""
        rows = self._connection.execute(
            "SELECT subject, created FROM agenda INDEXED BY agenda_letters "
            "WHERE run = ? AND kind = 'dead_letter' AND due_ms <= ? ORDER BY created",
            (run, now_ms),
        )
        return dict(rows.fetchall())

    def compensations(self, tenant: Tenant | None, operations: Container[str], now_ms: int) -> list[tuple[str, Tenant]]:
        """The compensations that may be run now and that a host with *operations* can run, the oldest first."""
        where, values = ("", []) if tenant is None else ("AND tenant = ? ", [str(tenant)])
        rows = self._connection.execute(
            "SELECT subject, tenant, needs FROM agenda INDEXED BY agenda_due "
            f"WHERE kind = 'compensation' AND due_ms <= ? {where}ORDER BY due_ms, created",
            (now_ms, *values),
        )
        return [(subject, tenant_named(owner)) for subject, owner, needs in rows if needs in operations]

    def holders(self, tenant: Tenant | None, kind: str = "lease") -> dict[str, list[str]]:
        """The runs that are claimed (or the compensations that run: *kind* compensating), by the process of each."""
        where, values = ("", []) if tenant is None else ("AND tenant = ? ", [str(tenant)])
        rows = self._connection.execute(
            "SELECT holder, subject FROM agenda "
            f"WHERE kind = ? AND due_ms IS NOT NULL AND holder IS NOT NULL {where}ORDER BY subject",
            [kind, *values],
        )
        found: dict[str, list[str]] = {}
        for holder, subject in rows:
            found.setdefault(holder, []).append(subject)
        return found

    def claimed_runs(self) -> list[RunId]:
        """All runs that are claimed."""
        return [RunId(row[0]) for row in self._connection.execute("SELECT subject FROM agenda WHERE kind = 'lease'")]

    def claimed(self, runs: Sequence[RunId]) -> set[RunId]:
        """Those of *runs* that are claimed."""
        if not runs:
            return set()
        marks = ", ".join("?" * len(runs))
        query = f"SELECT subject FROM agenda WHERE subject IN ({marks}) AND kind = 'lease'"
        return {RunId(row[0]) for row in self._connection.execute(query, runs)}

    def next_timer_ms(self, tenant: Tenant | None) -> int | None:
        """When the next timed wait ends, or the next approval expires."""
        dues = [self._next_of_kind(kind, tenant) for kind in TIMERS]
        return min((due for due in dues if due is not None), default=None)

    def _next_of_kind(self, kind: str, tenant: Tenant | None) -> int | None:
        where, values = ("", []) if tenant is None else ("AND tenant = ?", [str(tenant)])
        row = self._connection.execute(
            "SELECT due_ms FROM agenda INDEXED BY agenda_due WHERE kind = ? AND due_ms IS NOT NULL "
            f"{where} ORDER BY due_ms LIMIT 1",
            [kind, *values],
        ).fetchone()
        return row[0] if row else None

    def next_work_ms(
        self, tenant: Tenant | None, handlers: Container[str] | None, allowed: Allowed | None = None
    ) -> int | None:
        """When the next run that *handlers* can go on with, the next timed wait, or the next dispatch, is due. That an
        approval expires is no work to wait for. *allowed* says from when on limits allow a run of a tenant that is due
        at a time."""
        found = [self._next_of_kind(kind, tenant) for kind in ("dead_letter", "timed_wait")]
        for owner, needs in self._groups(tenant):
            if handlers is None or needs == ANY or needs in handlers:
                query = "SELECT min(due_ms) FROM agenda WHERE kind = 'run' AND tenant = ? AND needs = ?"
                due = self._connection.execute(query, (owner, needs)).fetchone()[0]
                found.append(due if allowed is None or due is None else allowed(owner, due))
        return min((due for due in found if due is not None), default=None)

    def due_needs(self, tenant: Tenant | None, now_ms: int) -> list[str]:
        """The handlers that due queued runs wait for."""
        return [
            needs
            for owner, needs in self._groups(tenant)
            if needs != ANY
            and self._connection.execute(
                "SELECT 1 FROM agenda INDEXED BY agenda_queue "
                "WHERE kind = 'run' AND tenant = ? AND needs = ? AND due_ms <= ? LIMIT 1",
                (owner, needs, now_ms),
            ).fetchone()
        ]

    def rows(self) -> list[AgendaRow]:
        """The whole table, sorted: for checks and rebuilds."""
        return [AgendaRow(*row) for row in self._connection.execute("SELECT * FROM agenda ORDER BY subject, needs")]


def each_once(dues: Iterable[Due]) -> Iterator[Due]:
    """A run that several handlers can go on with, once."""
    found: set[str] = set()
    for due in dues:
        if due.subject not in found:
            found.add(due.subject)
            yield due


def due_of(row: Any) -> Due:
    """A row of the agenda as a claim sees it."""
    return Due(row[0], tenant_named(row[1]), row[2], RunId(row[3]), row[4], row[5])
