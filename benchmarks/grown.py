"""Logs of a million events in seconds: the engine writes some lifecycles, the others are copies under other ids, later.

Ids that follow from other ids (those of dead letters) are made again, so that every rule still decides as recorded.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import redrive
from benchmarks.logs import fill
from benchmarks.measure import open_log
from redrive.domain.identity import NodeId, RunId, dead_letter_id_of

BLOCK = 10_000
_KEPT = ("flow.registered/%", "policy.registered/%")
_NAMED = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\"[0-9a-f]{20}(?:[0-9a-f]{4})?\"|\b1800\d{9}\b")
_ROWS = (
    "SELECT originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms FROM events "
    "WHERE topic NOT LIKE ? AND topic NOT LIKE ? ORDER BY position"
)
_INSERT = (
    "INSERT INTO events (originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_LETTERS = (
    "SELECT originator_id, correlation, tenant, json_extract(state, '$.data.node') FROM events "
    "WHERE topic LIKE 'dead-letter.opened/%'"
)
Row = tuple[str, int, str, bytes, str, str, int]


def grow(path: Path, events: int, write: Callable[[redrive.Engine, int], None] = fill) -> None:
    """Make a log of at least *events* events of finished lifecycles: of the failing job, or of what else *write*
    writes."""
    with open_log(path) as engine:
        write(engine, min(events, BLOCK))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -262144")
    rows: list[Row] = connection.execute(_ROWS, _KEPT).fetchall()
    letters = connection.execute(_LETTERS).fetchall()
    (count, begun, ended) = connection.execute(
        "SELECT count(*), min(recorded_at_ms), max(recorded_at_ms) FROM events"
    ).fetchone()
    number = 0
    while count < events:
        number += 1
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT, _copied(rows, letters, number, (ended - begun + 1) * number))
        connection.execute("COMMIT")
        count += len(rows)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _copied(rows: list[Row], letters: list[tuple[str, str, str, str]], number: int, later_ms: int) -> Iterator[Row]:
    """The rows under other ids, *later_ms* later."""
    runs = {row[5] for row in rows}
    new = {old: f"{number:08x}{old[8:]}" for old in runs}
    for letter, run, tenant, node in letters:
        new[letter] = dead_letter_id_of(redrive.Tenant.parse(tenant), RunId(new[run]), NodeId(node))
    swaps = {old.encode(): fresh.encode() for old, fresh in new.items()}
    head = b'"%04x' % number

    def swapped(match: re.Match[bytes]) -> bytes:
        text = match.group()
        if text[:1] == b'"':
            return head + text[5:]
        if len(text) == 36:
            return swaps.get(text, text)
        return b"%d" % (int(text) + later_ms)

    for stream, version, topic, state, tenant, correlation, at in rows:
        yield new[stream], version, topic, _NAMED.sub(swapped, state), tenant, new[correlation], at + later_ms
