"""Views and agenda against the log: built anew beside the live ones, and compared row by row."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Any

from redrive.domain.errors import StorageError
from redrive.evidence.report import Compared
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
from redrive.projections.view_state import ViewState

EQUAL, DIFFERENT, SKIPPED = "equal", "different", "skipped"
_MISSING = "no row"


def views_compared(ledger: LogLedger, live: View) -> Compared:
    """Fold the log anew into a temporary file, up to where the live view stands, and compare them row by row."""
    live.catch_up()
    if live.path is None:
        return Compared(state=SKIPPED, detail="the views are in memory")
    with closing(sqlite3.connect(f"{Path(live.path).absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("BEGIN")  # one moment of the view, whoever goes on folding into it
        position = ViewState.of(connection).position
        with (
            private_folder(live.path) as folder,
            View(ledger, str(folder / "views.db"), until=position) as fresh,
        ):
            fresh.catch_up()
            with closing(sqlite3.connect(str(fresh.path))) as built:
                difference = _difference(connection, built)
    if difference is None:
        return Compared(state=EQUAL, detail=f"{position} events folded anew; full-text indexes not compared")
    return Compared(state=DIFFERENT, detail=difference)


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
        return Compared(state=DIFFERENT, detail=f"{len(wrong)} row(s), that of {wrong[0][0]} first")
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
    wrong = [f"limit {row.limit_key}" for row in {*kept.rows()} ^ {*expected.rows}]
    wrong += [f"run {row.run} in line" for row in {*waiters} ^ {*expected.waiters}]
    return f"what is kept about limits: {len(wrong)} row(s), that of {min(wrong)} first" if wrong else None


def _difference(live: sqlite3.Connection, built: sqlite3.Connection) -> str | None:
    """The first row in which two views differ, in words."""
    tables = _tables(built)
    if _tables(live) != tables:
        return "the tables are others"
    for table in tables:
        for one, other in zip_longest(_rows(live, table), _rows(built, table), fillvalue=_MISSING):
            if one != other:
                return f"table {table}: {_told(one)} where the log gives {_told(other)}"
    return None


def _tables(connection: sqlite3.Connection) -> dict[str, str]:
    """Every table but full-text indexes: what these hold depends on how many events were folded at a time."""
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    tables: dict[str, str] = dict(connection.execute(query).fetchall())
    indexes = tuple(name for name, sql in tables.items() if sql.upper().startswith("CREATE VIRTUAL"))
    return {name: sql for name, sql in tables.items() if not name.startswith(indexes or ("\n",))}


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
