"""Places in the log by other names: by time, by event, and where the clocks of those who wrote stepped back."""

from base64 import b64encode
from collections.abc import Iterator
from typing import NamedTuple

from redrive.domain.errors import StorageError
from redrive.ledger.mapper import event_id_of, shown
from redrive.ledger.recorder import COLUMNS, LogRecorder
from redrive.ledger.storage_errors import storage_errors

_CHUNK = 2_000
_ARCHIVED = "SELECT position, tenant FROM archived JOIN events USING (position) WHERE event_id = ?"


class Times(NamedTuple):
    """When an event was written, and when it happened by the clock of whoever wrote it."""

    position: int
    recorded_at_ms: int
    occurred_at_ms: int


def at_or_before(recorder: LogRecorder, position: int) -> int:
    """The last position that holds an event and is no larger than *position*; 0 when there is none."""
    query = "SELECT position FROM events WHERE position <= ? ORDER BY position DESC LIMIT 1"
    with storage_errors(recorder.path):
        found = recorder.reader().execute(query, (position,)).fetchone()
    return int(found[0]) if found else 0


def recorded_by(recorder: LogRecorder, ms: int) -> int:
    """The end of the longest prefix of the log in which nothing was recorded after *ms*.

    The running maximum first exceeds *ms* at the first event that does, whether or not the times ever go backwards
    elsewhere: so this looks for that event, in log order, and stops there. (A binary search would be right only in a
    log whose times never go back, which takes as long a look to know: half a second in a million events.)
    """
    query = "SELECT position FROM events WHERE recorded_at_ms > ? ORDER BY position LIMIT 1"
    with storage_errors(recorder.path):
        found = recorder.reader().execute(query, (ms,)).fetchone()
    return at_or_before(recorder, int(found[0]) - 1 if found else 2**62)


def position_of_event(recorder: LogRecorder, id_: str, tenant: str | None) -> int | None:
    """Where the event with this id stands; None when there is none, or only another tenant's."""
    query = "SELECT position, state, tenant FROM events WHERE instr(state, ?) > 0"
    with storage_errors(recorder.path):
        for position, state, owner in recorder.reader().execute(query, (id_.encode("utf-8", "replace"),)):
            if event_id_of(state) == id_ and tenant in (None, owner):
                return int(position)
        kept = recorder.reader().execute(_ARCHIVED, (id_,)).fetchone()
    return int(kept[0]) if kept and tenant in (None, kept[1]) else None


def covered_by(recorder: LogRecorder, text: str) -> list[int]:
    """The positions that the checkpoints cover whose root begins with *text*, in hex or in base64; in order."""
    with storage_errors(recorder.path):
        found = recorder.reader().execute("SELECT position, root FROM tree_checkpoints ORDER BY position")
        return [
            int(position)
            for position, root in found
            if root.hex().startswith(text.lower()) or b64encode(root).decode().startswith(text)
        ]


def times(recorder: LogRecorder, after: int, until: int) -> Iterator[Times]:
    """The times of the events beyond *after*, up to *until*, in log order."""
    while rows := recorder.rows_after(after, _CHUNK, until):
        for event in shown(rows):
            yield Times(event.position, event.recorded_at_ms, event.occurred_at_ms)
        after = rows[-1][0]


def times_at(recorder: LogRecorder, position: int) -> Times:
    """The times of the event at *position*; of position 0, which stands before all events, 0. Raises StorageError."""
    if position == 0:
        return Times(0, 0, 0)
    with storage_errors(recorder.path):
        query = f"SELECT {COLUMNS} FROM events WHERE position = ?"
        rows = recorder.as_read(recorder.reader().execute(query, (position,)).fetchall())
    if not rows:
        raise StorageError(f"{recorder.path}: the log holds no event at position {position} any more")
    event = shown(rows)[0]
    return Times(position, event.recorded_at_ms, event.occurred_at_ms)
