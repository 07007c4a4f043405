"""What an insider can do to the file around the rows: indexes, schema, rows where nobody looks, counts of limits."""

import sqlite3
from collections.abc import Callable

import pytest

import redrive
from tests.evidence.sealed import FLOW, NOW_MS, Sealed

COPIED = "topic, state, tenant, correlation, recorded_at_ms FROM events ORDER BY position LIMIT 1"
TIMELESS = "topic, state, tenant, correlation, 'x' FROM events ORDER BY position LIMIT 1"


def hide(index: str, column: str, unique: str = "") -> Callable[[sqlite3.Connection], object]:
    """Take the last event out of an index that goes on to say that it has all."""

    def do(connection: sqlite3.Connection) -> None:
        (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(f"DROP INDEX {index}")
        connection.execute(f"CREATE {unique} INDEX {index} ON events ({column}) WHERE position < 479")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, index))

    return do


def said(*statements: str) -> Callable[[sqlite3.Connection], object]:
    """SQL statements."""
    return lambda connection: [connection.execute(statement) for statement in statements]


ATTACKS: dict[str, tuple[Callable[[sqlite3.Connection], object], str]] = {
    "a row before the first": (said(f"INSERT INTO events SELECT -5, 'y', 1, {COPIED}"), "row"),
    "a row at zero": (said(f"INSERT INTO events SELECT 0, 'y', 1, {COPIED}"), "row"),
    "a row at the least position": (said(f"INSERT INTO events SELECT {-(2**63)}, 'y', 1, {COPIED}"), "row"),
    "an unsealed row without a time": (said(f"INSERT INTO events SELECT NULL, 'x', 1, {TIMELESS}"), "row"),
    "an event hidden from its stream": (
        hide("events_stream", "originator_id, originator_version", "UNIQUE"),
        "database",
    ),
    "an event hidden from its correlation": (hide("events_correlation", "correlation"), "database"),
    "a view instead of the table": (
        said("ALTER TABLE events RENAME TO mine", "CREATE VIEW events AS SELECT * FROM mine"),
        "database",
    ),
    "a trigger that edits": (
        said("CREATE TRIGGER t AFTER INSERT ON events BEGIN UPDATE events SET tenant = 'x'; END"),
        "database",
    ),
    "a stretched lease of a limit": (said("INSERT INTO capacity VALUES ('k', 5, 0, 0)"), "agenda"),
    "somebody in line who never asked": (said("INSERT INTO waiters VALUES ('r', 'l', 0, 0, 1, 1)"), "agenda"),
    "work that nobody ordered": (
        said("INSERT INTO agenda VALUES ('x', 'run', 1, 1, 'a/b/c', '', 'x', 0, NULL)"),
        "agenda",
    ),
    "a checkpoint whose position is no number": (said("UPDATE tree_checkpoints SET position = 'x'"), "checkpoint"),
    "a tile that is no blob": (said("UPDATE tree_tiles SET hashes = hashes || x'ff' WHERE level = 0"), "row"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_lies_around_the_rows_is_looked_at(sealed: Sealed, name: str) -> None:
    """Each leaves every sealed row as it is, and is found all the same."""
    do, kind = ATTACKS[name]
    with sealed.tampering() as connection:
        do(connection)
    with sealed.open() as engine:
        report = engine.verify(views=False)
        assert (report.result, report.findings[0].kind) == ("TAMPERED", kind)


def test_a_stopped_sealer_is_not_hidden_by_a_time_to_come(sealed: Sealed) -> None:
    """The first unsealed event claims to be of tomorrow: it would be fresh for ever."""
    with sealed.open() as engine:
        engine.local.submit(FLOW, automation="later", key="1")
    sealed.sql("UPDATE events SET recorded_at_ms = ? WHERE position > 479", NOW_MS + 86_400_000)
    with sealed.open(now_ms=NOW_MS + 3_600_000) as engine:
        report = engine.verify(redrive.VerifyPolicy(freshness_ms=1_000), views=False, agenda=False)
        assert (report.result, report.unsealed) == ("STALE", 1)
        assert "from now" in report.stale[0]
