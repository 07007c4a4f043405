"""Copying a log to another store: every event at its position, the tree and its checkpoints, archives, and the log's
identity, so that pins, bundles and proofs hold. The agenda, and what is known about limits, is written anew from the
events; what these tell nobody here, because their payloads are encrypted, is copied.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from redrive import __version__
from redrive.domain.errors import StorageError
from redrive.ledger.agenda import Agenda
from redrive.ledger.capacity import Capacity
from redrive.ledger.ledger import LogLedger
from redrive.ledger.limit_book import LimitBook
from redrive.ledger.recorder import COLUMNS
from redrive.projections.models import Model

ROWS = 1_000
_TABLES = (
    ("events", COLUMNS),
    ("tree_leaves", "leaf_index, position"),
    ("tree_tiles", "level, tile, hashes"),
    ("tree_checkpoints", "size, previous_size, position, root, note, sealed_at_ms"),
    ("archived", 'position, archive, "offset", size, digest, event_id'),
)
_ARCHIVES = "SELECT number, id, path FROM archives WHERE number > ? ORDER BY number LIMIT ?"
_QUIET: dict[str, Any] = {"clock": lambda: 0, "dice": lambda: 0.0, "engine": __version__}
_IDENTITY = "UPDATE meta SET value = ? WHERE name = 'ledger_id'"


class DatabaseCopied(Model):
    """What was copied, from where to where."""

    source: str
    target: str
    ledger_id: str
    events: int
    checkpoints: int
    last_position: int


def copy_log(source: str, target: str, *, busy_timeout_ms: int = 10_000) -> DatabaseCopied:
    """Copy the log at *source* to *target* (files, or URLs of servers), which may be there, with no event yet. Who goes
    on with the copy stops writing to the source first: they are one log by name. Raises StorageError."""
    with ExitStack() as opened:
        ledgers = [LogLedger(place, busy_timeout_ms=busy_timeout_ms, **_QUIET) for place in (source, target)]
        for ledger in ledgers:
            opened.callback(ledger.close)
        copied = _copied(*ledgers)
        ledgers[1].rebuild_agenda()
    return copied


def _copied(source: LogLedger, target: LogLedger) -> DatabaseCopied:
    """In one transaction of the target, from one moment of the source."""
    with source.committer.under_lock(), source.recorder.snapshot() as reading, target.committer.writing() as writing:
        if writing.execute("SELECT position FROM events LIMIT 1").fetchone() is not None:
            raise StorageError(f"{target.path}: the log has events; a copy goes into an empty one")
        counts = {name: _copy(reading, writing, name, columns) for name, columns in _TABLES}
        _copy_archives(reading, writing)
        _copy_what_is_due(reading, writing)
        store = reading.execute("SELECT value FROM meta WHERE name = 'key_store'").fetchone()
        if store is not None:
            writing.execute("INSERT INTO meta VALUES ('key_store', ?)", (store[0],))
        writing.execute(_IDENTITY, (source.id,))
        (last,) = reading.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
    return DatabaseCopied(
        source=source.path,
        target=target.path,
        ledger_id=source.id,
        events=counts["events"],
        checkpoints=counts["tree_checkpoints"],
        last_position=last,
    )


def _copy_what_is_due(reading: Any, writing: Any) -> None:
    Agenda(writing).replace_all(Agenda(reading).rows())
    capacity = Capacity(reading, LimitBook(), 0)
    Capacity(writing, LimitBook(), 0).replace_all(capacity.rows(), capacity.waiters())


def _copy(reading: Any, writing: Any, table: str, columns: str) -> int:
    names = columns.split(", ")
    marks = ", ".join("?" * len(names))
    count = 0
    for rows in _parts(reading, table, columns, 2 if table == "tree_tiles" else 1):
        values = ", ".join([f"({marks})"] * len(rows))
        writing.execute(f"INSERT INTO {table} ({columns}) VALUES {values}", [value for row in rows for value in row])
        count += len(rows)
    return count


def _parts(reading: Any, table: str, columns: str, keys: int) -> Iterator[list[Sequence[Any]]]:
    """The rows of a table in the order of its key, some at a time."""
    key = ", ".join(columns.split(", ")[:keys])
    after: tuple[int, ...] = (-1,) * keys
    query = f"SELECT {columns} FROM {table} WHERE ({key}) > ({', '.join('?' * keys)}) ORDER BY {key} LIMIT ?"
    while rows := reading.execute(query, (*after, ROWS)).fetchall():
        yield rows
        after = tuple(rows[-1][:keys])


def _copy_archives(reading: Any, writing: Any) -> None:
    """The numbers of archives are the database's own: what was archived names the new ones."""
    after = 0
    while rows := reading.execute(_ARCHIVES, (after, ROWS)).fetchall():
        for number, id_, path in rows:
            writing.execute("INSERT INTO archives (id, path) VALUES (?, ?)", (id_, path))
            (fresh,) = writing.execute("SELECT number FROM archives WHERE id = ?", (id_,)).fetchone()
            writing.execute("UPDATE archived SET archive = ? WHERE archive = ?", (-fresh, number))
            after = number
    writing.execute("UPDATE archived SET archive = -archive")
