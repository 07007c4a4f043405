"""Reading for those who look back: the first event of a stream, and events that mention a name."""

from collections.abc import Iterator

from redrive.domain.event import Recorded
from redrive.ledger.mapper import shown
from redrive.ledger.recorder import COLUMNS, LogRecorder
from redrive.ledger.storage_errors import storage_errors

_CHUNK = 500


def mentions(recorder: LogRecorder, name: str, after: int, until: int) -> Iterator[Recorded]:
    """The events beyond *after* and up to *until* whose stored state holds *name*, in log order. It reads that part
    of the log, decodes only what it finds, and holds no more than a few hundred events at a time."""
    query = (
        f"SELECT {COLUMNS} FROM events WHERE position > ? AND position <= ? "
        "AND (instr(state, ?) > 0 OR state = ?) ORDER BY position LIMIT ?"  # empty: it is archived
    )
    looked_for = name.encode("utf-8", "replace")
    while True:
        with storage_errors(recorder.path):
            rows = recorder.reader().execute(query, (after, until, looked_for, b"", _CHUNK)).fetchall()
            found = [row for row in recorder.as_stored(rows) if looked_for in row[4]]
            told = recorder.as_read(found)
        yield from shown(told)
        if len(rows) < _CHUNK:
            return
        after = rows[-1][0]


def first_of(recorder: LogRecorder, stream: str) -> Recorded | None:
    """The first event of a stream, however long it is."""
    name = stream.encode("utf-8", "replace").decode()  # SQLite takes no lone surrogates
    query = f"SELECT {COLUMNS} FROM events WHERE originator_id = ? ORDER BY originator_version LIMIT 1"
    with storage_errors(recorder.path):
        rows = recorder.as_read(recorder.reader().execute(query, (name,)).fetchall())
    return shown(rows)[0] if rows else None
