"""Statements that append to a log in PostgreSQL, and hear what others appended.

A transaction that goes to the server in one piece tells its positions as if nobody had written since it was begun. The
server knows how far others came meanwhile, and counts everything up by that: ``redrive.shift``, beyond
``redrive.base``. Both are nothing in a transaction that is told, under the lock, where the log ends.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from redrive.ledger.mapper import NewRow
from redrive.ledger.recorder import COLUMNS

MOST_BYTES = 4 * 1024 * 1024  # of states in one statement
MOST_NEWS = 4_000  # beyond it, every state in memory is compared with the log before it is used, one by one
_PLACE = "position, originator_id, originator_version, recorded_at_ms"
_LAST = f"SELECT {_PLACE}, {{}} FROM events ORDER BY position DESC LIMIT 1"
_STANDS = f"EXISTS (SELECT FROM events WHERE ({_PLACE}) = (?1, ?2, ?3, ?4))"
NEWS = _LAST.format(
    f"{_STANDS}, (SELECT array_agg(DISTINCT originator_id) FROM events "
    f"WHERE position BETWEEN ?1 + 1 AND ?1 + {MOST_NEWS})"
)
"""The last event of the log; whether the one that is known stands where it stood; which streams were written since."""
LAST = _LAST.format("false, NULL::text[]")
ROWS_OF_EACH = (
    f"SELECT {COLUMNS} FROM unnest(?::text[], ?::bigint[]) AS wanted (stream, after) "
    "JOIN events ON originator_id = stream AND originator_version > after ORDER BY originator_id, originator_version"
)
_SHIFT = "coalesce(nullif(current_setting('redrive.shift', true), '')::bigint, 0)"
_BASE = "coalesce(nullif(current_setting('redrive.base', true), '')::bigint, 0)"
UNMOVED = (
    "WITH new AS MATERIALIZED (SELECT DISTINCT originator_id AS stream FROM events WHERE position > ?1) "
    "SELECT position, (SELECT recorded_at_ms FROM events WHERE position = last.position), "
    f"(SELECT array_agg(stream) FROM new), 1 / CASE WHEN {_STANDS} AND NOT EXISTS "
    "(SELECT FROM new WHERE stream IN (SELECT unnest(?5::text[]))) THEN 1 ELSE 0 END "
    "FROM (SELECT position, set_config('redrive.base', ?1::bigint::text, true), "
    "set_config('redrive.shift', (position - ?1)::text, true) "
    "FROM (SELECT max(position) AS position FROM events) AS log OFFSET 0) AS last"
)
"""The last event of the log, for later statements too, with the streams that others wrote to; divides by zero, which
ends the transaction, unless the event that is known stands where it was and none of these streams is among them."""
INSERT = (
    f"INSERT INTO events SELECT ? + {_SHIFT} + n, s, v, t, st, te, c, "
    f"greatest(r, (SELECT recorded_at_ms FROM events WHERE position = {_BASE} + {_SHIFT})) "
    "FROM unnest(?::text[], ?::bigint[], ?::text[], ?::bytea[], ?::text[], ?::text[], ?::bigint[]) "
    "WITH ORDINALITY AS u (s, v, t, st, te, c, r, n)"
)
CREATED = f"?4 + CASE WHEN ?4 > {_BASE} THEN {_SHIFT} ELSE 0 END"


def portions(rows: Sequence[NewRow]) -> Iterator[tuple[int, Sequence[NewRow]]]:
    """What each ``INSERT`` inserts, with how many rows come before it: a message to the server has its bounds."""
    begun = size = 0
    for number, row in enumerate(rows):
        if size and size + len(row[3]) > MOST_BYTES:
            yield begun, rows[begun:number]
            begun, size = number, 0
        size += len(row[3])
    if rows:
        yield begun, rows[begun:]


class Place(NamedTuple):
    """The last event that is known: should another stand there, the log is not the one that was read."""

    position: int
    stream: str
    version: int
    recorded_at_ms: int


NOWHERE = Place(0, "", 0, 0)
