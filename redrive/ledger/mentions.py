"""Events that mention a name anywhere in what is stored of them: for what no index answers."""

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
        "AND instr(state, CAST(? AS BLOB)) > 0 ORDER BY position LIMIT ?"
    )
    while True:
        with storage_errors(recorder.path):
            rows = recorder.reader().execute(query, (after, until, name, _CHUNK)).fetchall()
        yield from shown(rows)
        if len(rows) < _CHUNK:
            return
        after = rows[-1][0]
