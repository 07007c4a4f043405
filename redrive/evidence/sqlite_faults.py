"""What is wrong with a log file that its rows do not show: another schema, or an index that says other than its table.

Verifying reads the table of events by position; whoever decides finds streams by index. An insider can make the two
differ (``PRAGMA writable_schema``), or put a view or a trigger where a ledger has none.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from redrive.ledger.schema import statements

_CHECKED = ("events", "agenda", "capacity", "waiters", "tree_checkpoints", "meta")
_OBJECTS = "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL"


def faults(connection: sqlite3.Connection) -> Iterator[str]:
    """What is wrong, in words, the schema first. What the schema is not fit for is not looked at."""
    wrong = list(_of_schema(connection))
    yield from wrong
    if wrong:
        return
    for table in _CHECKED:
        said = connection.execute(f"PRAGMA integrity_check('{table}')").fetchone()[0]
        if said != "ok":
            yield f"the table {table} and its indexes do not agree: {said}"


def _of_schema(connection: sqlite3.Connection) -> Iterator[str]:
    expected, found = _expected(), {row[0]: row[1:] for row in connection.execute(_OBJECTS)}
    for name, made in expected.items():
        if name not in found and made[0] != "trigger":  # those that stop honest mistakes stop nobody who means it
            yield f"the {made[0]} {name} is gone"
        elif name in found and found[name] != made:
            yield f"the {made[0]} {name} is not as a ledger makes it"
    for name, (kind, _) in found.items():
        if name not in expected and kind in ("trigger", "view"):
            yield f"there is a {kind} {name!r}, which no ledger makes"


def _expected() -> dict[str, tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as fresh:
        for statement in statements():
            fresh.execute(statement)
        return {row[0]: row[1:] for row in fresh.execute(_OBJECTS)}
