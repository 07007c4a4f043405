"""The limits that are in force: folded from the log, read again when the log's stream of limits has moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from redrive.domain.errors import StreamReadOnly
from redrive.domain.identity import Principal, StreamId, Tenant, derived_id
from redrive.domain.limits import Limit
from redrive.domain.records import LimitRemoved, LimitSet
from redrive.ledger.database import Connection, Row
from redrive.ledger.mapper import shown
from redrive.ledger.recorder import LogRecorder

LIMITS_STREAM = StreamId(derived_id(Tenant(), "limits"))
_HEAD = "SELECT originator_version, state FROM events WHERE originator_id = ? ORDER BY originator_version DESC LIMIT 1"


class Anew(NamedTuple):
    """Where in the log, and when, a limit's bucket was last filled."""

    position: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class LimitBook:
    """The limits by key as of *version* of their stream; a version of 0: there never was one, nothing is limited.
    *set_by*: who changed each last. *head* is the last of its events as it is stored: restored and set anew, a log may
    have as many. *unknown* is the topic of an event among them that this version cannot read: the others hold."""

    version: int = 0
    head: bytes = b""
    limits: Mapping[str, Limit] = field(default_factory=dict)
    anew: Mapping[str, Anew] = field(default_factory=dict)
    set_by: Mapping[str, Principal] = field(default_factory=dict)
    unknown: str = ""

    def require_writable(self) -> None:
        """Raises StreamReadOnly when a limit was set that this version does not understand."""
        if self.unknown:
            raise StreamReadOnly(LIMITS_STREAM, self.unknown)


def book_of(recorder: LogRecorder, connection: Connection, known: LimitBook) -> LimitBook:
    """The limits as *connection* sees them: *known* when nothing was set since."""
    version, head = connection.execute(_HEAD, (LIMITS_STREAM,)).fetchone() or (0, b"")
    if (version, head) == (known.version, known.head):
        return known
    return book_from(recorder.rows_of(LIMITS_STREAM, 0, connection), version, head)


def book_from(rows: Sequence[Row], version: int, head: bytes) -> LimitBook:
    """The limits that *rows* of their stream set; *version* and *head* are those of its last event."""
    limits: dict[str, Limit] = {}
    anew: dict[str, Anew] = {}
    set_by: dict[str, Principal] = {}
    unknown = ""
    for recorded in shown(rows):
        match recorded.event:
            case LimitSet(limit=limit):
                before = limits.get(limit.key)
                if before is None or before.rate != limit.rate:
                    anew[limit.key] = Anew(recorded.position, recorded.occurred_at_ms)
                limits[limit.key] = limit
                set_by[limit.key] = recorded.actor
            case LimitRemoved(limit=key):
                limits.pop(key, None)
                anew.pop(key, None)
                set_by.pop(key, None)
            case _:
                unknown = recorded.topic
    return LimitBook(version, head, limits, anew, set_by, unknown)
