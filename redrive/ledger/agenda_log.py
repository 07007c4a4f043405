"""The agenda as the log alone says it must be, for rebuilds and checks."""

from redrive.domain.errors import PayloadLocked, StreamUnreadable
from redrive.domain.identity import RunId
from redrive.domain.run.state import Run
from redrive.ledger.agenda import Agenda
from redrive.ledger.agenda_rows import AgendaRow, rows_of
from redrive.ledger.capacity_log import rebuild_capacity
from redrive.ledger.committer import Committer
from redrive.ledger.database import Connection
from redrive.projections.logs import log

_BEGINS = " OR ".join(
    f"topic LIKE '{topic}/%'" for topic in ("run.submitted", "dead-letter.opened", "effect.%", "compensation.proposed")
)


def agenda_by_the_log(committer: Committer, connection: Connection) -> list[AgendaRow]:
    """The rows that the log gives, sorted."""
    query = f"SELECT originator_id FROM events WHERE originator_version = 1 AND ({_BEGINS})"
    committer.states.foreign_changes += 1
    streams = [row[0] for row in connection.execute(query).fetchall()]
    found = (row for stream in streams for row in rows_from_log(committer, stream))
    return sorted(found, key=lambda row: (row.subject, row.needs))


def rebuild_agenda(committer: Committer) -> int:
    """Write agenda and capacity anew in one transaction, under the writer's lock; how many rows the agenda has."""
    writer = committer.recorder.writer
    committer.recorder.begin()
    try:
        rows = agenda_by_the_log(committer, writer)
        kept = [row for row in Agenda(writer).rows() if not _is_readable(committer, row.subject)]
        Agenda(writer).replace_all([*rows, *kept])
        rebuild_capacity(committer)
        committer.recorder.commit()
    except BaseException:
        committer.recorder.rollback()
        raise
    committer.states.rows_unknown()
    return len(rows) + len(kept)


def rows_from_log(committer: Committer, stream: str) -> tuple[AgendaRow, ...]:
    """The rows of one stream; none when this version cannot read it."""

    def run_as_of_now(id_: RunId) -> Run | None:
        entry = committer.states.get(id_)
        return entry.state if entry and isinstance(entry.state, Run) else None

    committer.states.shrink()
    try:
        entry = committer.states.get(stream)
        if entry is None or entry.unknown:
            return ()
        return rows_of(entry.state, entry.created, committer.engine, run_as_of_now)
    except PayloadLocked:  # said once, for the whole log, when it was opened without its keys
        return ()
    except StreamUnreadable as error:
        log.error("agenda.unreadable", stream=stream, error=str(error))
        return ()


def _is_readable(committer: Committer, stream: str) -> bool:
    try:
        entry = committer.states.get(stream)
    except StreamUnreadable:
        return False
    return entry is None or not entry.unknown
