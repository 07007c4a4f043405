"""The agenda on a server: what the commands of one commit change of it goes there in two statements, not in one for
each row."""

import contextlib
from collections.abc import Iterator

from redrive.domain.identity import RunId
from redrive.ledger.agenda import UPSERT, Agenda
from redrive.ledger.agenda_rows import AgendaRow
from redrive.ledger.database import Connection
from redrive.ledger.postgres.appending import CREATED

_REMOVE_ALL = "DELETE FROM agenda WHERE subject = ANY (?::text[])"
_PUT_ALL = (
    f"INSERT INTO agenda SELECT subject, kind, due, {CREATED.replace('?4', 'created')}, tenant, needs, run, after, "
    "holder FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::bigint[], "
    f"?::text[]) AS rows (subject, kind, due, created, tenant, needs, run, after, holder) {UPSERT}"
)


class GatheringAgenda(Agenda):
    """Through the connection that writes."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, CREATED)
        self._gathering = False
        self._removed: set[str] = set()
        self._rows: dict[str, dict[str, AgendaRow]] = {}

    @contextlib.contextmanager
    def gathered(self) -> Iterator[None]:
        """What is changed within is written at the end, unless it ends with an error."""
        self._gathering = True
        try:
            yield
            self._write()
        finally:
            self._gathering = False
            self._removed.clear()
            self._rows.clear()

    def put(self, row: AgendaRow) -> None:
        """Write a row."""
        if self._gathering:
            self._rows.setdefault(row.subject, {})[row.needs] = row
        else:
            super().put(row)

    def remove(self, subject: str) -> None:
        """Take a subject off."""
        if self._gathering:
            self._rows.pop(subject, None)
            self._removed.add(subject)
        else:
            super().remove(subject)

    def arm(self, run: RunId, redrivable: bool) -> None:
        """Make the dead letters of a run due, or not: those that were put so far, too."""
        self._write()
        super().arm(run, redrivable)

    def _write(self) -> None:
        rows = [row for of in self._rows.values() for row in of.values()]
        if self._removed:
            self._connection.execute(_REMOVE_ALL, ([*self._removed],))
        if len(rows) == 1:
            super().put(rows[0])
        elif rows:
            self._connection.execute(_PUT_ALL, [*map(list, zip(*rows, strict=True))])
        self._removed.clear()
        self._rows.clear()
