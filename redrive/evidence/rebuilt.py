"""Views and agenda against the log: built anew beside the live ones, and compared row by row."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Any

from redrive.domain.errors import StorageError
from redrive.evidence.report import Compared
from redrive.forensics.checkpoints import ViewCheckpoints, erasures_of
from redrive.forensics.positions import Position
from redrive.forensics.prefix import LogPrefix
from redrive.forensics.private import private_folder
from redrive.ledger.agenda import Agenda
from redrive.ledger.agenda_log import agenda_by_the_log
from redrive.ledger.capacity import Capacity
from redrive.ledger.capacity_log import capacity_by_the_log
from redrive.ledger.database import Connection
from redrive.ledger.ledger import LogLedger
from redrive.ledger.limit_book import LimitBook
from redrive.ledger.storage_errors import storage_errors
from redrive.projections.view import View

EQUAL, DIFFERENT, SKIPPED = "equal", "different", "skipped"
_MISSING = "no row"


def views_compared(ledger: LogLedger, live: View) -> Compared:
    """Fold the log anew into a temporary file, up to where the live view stands, and compare them row by row; on the
    way, each view checkpoint that would be used for a question about the past. Raises StorageError."""
    live.catch_up()
    if live.path is None:
        return Compared(state=SKIPPED, detail="the views are in memory")
    erasures = erasures_of(ledger)  # what is folded before one differs from what is folded after
    with private_folder(live.path) as folder:
        position = live.copy_to(str(folder / "live.db"))  # one moment of the view, whoever goes on folding into it
        kept = ViewCheckpoints(ledger, live)
        difference, moments = _first_difference(ledger, folder, position, kept)
    if difference is not None and (erasures is None or erasures_of(ledger) != erasures):
        raise StorageError("a key was destroyed meanwhile: verify again")
    if difference is not None:
        return Compared(state=DIFFERENT, detail=difference)
    more = f", {moments} view checkpoint(s) on the way" if moments else ""
    return Compared(state=EQUAL, detail=f"{position:,} events folded anew{more}; full-text indexes checked")


def _first_difference(ledger: LogLedger, folder: Path, position: int, kept: ViewCheckpoints) -> tuple[str | None, int]:
    """What differs first between the log and the copy of the live view, or a view checkpoint; and how many of these
    were compared."""
    prefix = LogPrefix(ledger, Position(asked="", position=position, recorded_at_ms=0, occurred_at_ms=0))
    copy, moments = folder / "checkpoint.db", 0
    with View(prefix, str(folder / "views.db")) as fresh:
        for stop in [known for known in kept.positions() if known < position]:
            if kept.copy_nearest(stop, copy) != stop:  # nobody would use it, or it has gone since
                continue
            prefix.until, moments = stop, moments + 1
            if (found := _compared_with(fresh, copy)) is not None:
                return f"view checkpoint at {stop}: {found}", moments
        prefix.until = position
        return _compared_with(fresh, folder / "live.db"), moments


def _compared_with(fresh: View, copy: Path) -> str | None:
    """In what the view in the file *copy* differs from one that was folded up to where it stands."""
    fresh.catch_up()
    with closing(sqlite3.connect(str(copy))) as connection, closing(sqlite3.connect(str(fresh.path))) as built:
        return _difference(connection, built) or _fault(connection)


def agenda_compared(ledger: LogLedger) -> Compared:
    """What the agenda holds, and what the log says it must hold, at one moment. Streams that this version cannot
    read are left alone."""
    committer = ledger.committer
    with committer.under_lock(), storage_errors(ledger.path), ledger.recorder.snapshot() as connection:
        kept = Agenda(connection).rows()
        expected = agenda_by_the_log(committer, connection)
        subjects = {row.subject for row in kept} - {row.subject for row in expected}
        unreadable = {subject for subject in subjects if _is_unreadable(ledger, subject)}
        difference = _capacity_difference(ledger, connection)
    found = {(row.subject, row.needs): row for row in kept if row.subject not in unreadable}
    wanted = {(row.subject, row.needs): row for row in expected}
    wrong = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
    if wrong:
        return Compared(state=DIFFERENT, detail=f"{len(wrong)} row(s) of the agenda, that of {wrong[0][0]} first")
    if difference is not None:
        return Compared(state=DIFFERENT, detail=difference)
    return Compared(state=EQUAL, detail=f"{len(wanted)} rows")


def _is_unreadable(ledger: LogLedger, subject: str) -> bool:
    """Whether there is such a stream, but not one that this version can read in full."""
    return ledger.recorder.head(subject) > 0 and ledger.committer.states.readable(subject) is None


def _capacity_difference(ledger: LogLedger, connection: Connection) -> str | None:
    """What is kept about limits, against what the log says is in use, and who waits."""
    kept, expected = Capacity(connection, LimitBook(), 0), capacity_by_the_log(ledger.committer, connection)
    waiters = [row for row in kept.waiters() if not _is_unreadable(ledger, row.run)]
    rows = kept.rows()
    wrong = [f"limit {row.limit_key}" for row in rows if not expected.agrees(row)]
    wrong += [f"limit {key}" for key in {row.limit_key for row in expected.rows} - {row.limit_key for row in rows}]
    wrong += [f"run {row.run} in line" for row in {*waiters} ^ {*expected.waiters}]
    return f"what is kept about limits: {len(wrong)} row(s), that of {min(wrong)} first" if wrong else None


def _difference(live: sqlite3.Connection, built: sqlite3.Connection) -> str | None:
    """The first row in which two views differ, in words."""
    objects = _objects(built)
    if _objects(live) != objects:
        return "its tables or triggers are others"
    texts = _texts(built)
    for table in (name for kind, name in objects if kind == "table" and name not in texts):
        for one, other in zip_longest(_rows(live, table), _rows(built, table), fillvalue=_MISSING):
            if one != other:
                return f"table {table}: {_told(one)} where the log gives {_told(other)}"
    return None


def _objects(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """The schema without indexes: one more is somebody's own, and what any of them holds is checked by itself. Nor are
    the tables within full-text indexes told: what these hold depends on how many events were folded at a time."""
    query = "SELECT type, name, sql FROM sqlite_master WHERE type <> 'index' AND name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
    found = {(kind, name): sql or "" for kind, name, sql in connection.execute(query).fetchall()}
    shadows = tuple(f"{name}_" for name in _texts(connection))
    return {(kind, name): sql for (kind, name), sql in found.items() if kind != "table" or not name.startswith(shadows)}


def _texts(connection: sqlite3.Connection) -> list[str]:
    """The names of the full-text indexes."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%' ORDER BY name"
    return [name for (name,) in connection.execute(query)]


def _fault(view: sqlite3.Connection) -> str | None:
    """What is wrong with a view whose rows are right: queries find them by indexes, and by full text."""
    try:
        said = view.execute("PRAGMA integrity_check(1)").fetchone()[0]
        for name in _texts(view) if said == "ok" else ():
            view.execute(f'INSERT INTO "{name}" ("{name}", rank) VALUES (\'integrity-check\', 1)')
    except sqlite3.DatabaseError as error:
        said = f"an index does not agree with its table ({error})"
    return None if said == "ok" else str(said)


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
    order = ", ".join(str(n + 1) for n in range(len(columns)))
    try:
        yield from connection.execute(f'SELECT * FROM "{table}" ORDER BY {order}')
    except sqlite3.DatabaseError as error:
        raise StorageError(f"the view cannot be read: {error}") from error


def _told(row: object) -> str:
    text = row if isinstance(row, str) else repr(row)
    return text if len(text) <= 200 else text[:199] + "…"
