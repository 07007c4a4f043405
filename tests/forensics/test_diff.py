"""Diffs, row by row, against a comparison that a child could make."""

import itertools
from typing import Any

import pytest

import redrive
from redrive.projections.fold import TABLES
from redrive.projections.view import View
from tests.forensics.answers import single_steps
from tests.projections.plant import ACME, GLOBEX

Rows = dict[tuple[str, tuple[Any, ...]], tuple[Any, ...]]


def rows_of(view: View) -> Rows:
    """Every row, by table and key."""
    found: Rows = {}
    for table in TABLES:
        names = list(table.columns)
        for row in view.rows(f"SELECT {', '.join(names)} FROM {table.name}"):
            found[table.name, tuple(row[names.index(name)] for name in table.key)] = row
    return found


def stepped(engine: redrive.Engine) -> list[Rows]:
    """All rows at every position."""
    return [rows_of(view) for view in single_steps(engine)]


def naive(states: list[Rows], start: int, end: int) -> dict[tuple[str, tuple[Any, ...]], int]:
    """The rows that differ, each with the last position at which it became something else."""
    keys = states[start].keys() | states[end].keys()
    differing = [key for key in keys if states[start].get(key) != states[end].get(key)]
    return {
        key: max(n for n in range(start + 1, end + 1) if states[n].get(key) != states[n - 1].get(key))
        for key in differing
    }


def test_a_diff_is_what_a_comparison_finds(engine: redrive.Engine) -> None:
    """Every row, its values before and after, and the event that changed it last."""
    states = stepped(engine)
    last = len(states) - 1
    for start, end in itertools.combinations(sorted({0, 1, 20, last // 2, last - 3, last}), 2):
        found = engine.diff(start, end, limit=10_000)
        assert {(one.table, one.key): one.event.position for one in found.changes} == naive(states, start, end)
        assert found.total == len(found.changes)
        for one in found.changes:
            old, new = states[start].get((one.table, one.key)), states[end].get((one.table, one.key))
            assert one.change == ("added" if old is None else "removed" if new is None else "changed")
            names = next(list(table.columns) for table in TABLES if table.name == one.table)
            olds, news = old or [None] * len(names), new or [None] * len(names)
            expected = [three for three in zip(names, olds, news, strict=True) if three[1] != three[2]]
            assert [(column.column, column.old, column.new) for column in one.columns] == expected


def test_the_event_responsible_is_told(engine: redrive.Engine) -> None:
    """As the log has it."""
    for one in engine.diff(0, "now", tables=["runs", "effects"]).changes:
        event = engine.ledger.at_positions([one.event.position])[0]
        assert (one.event.event_id, one.event.topic) == (event.event_id, event.topic)
        assert one.table in ("runs", "effects")


def test_a_diff_is_filtered_and_limited(engine: redrive.Engine) -> None:
    """By tenant, by run, by number; what is cut off is counted."""
    every = engine.diff(0, "now")
    run = next(one for one in every.changes if one.table == "runs").key[0]
    of_run = engine.diff(0, "now", run=str(run))
    assert {{c.column: c.new for c in one.columns}["run_id"] for one in of_run.changes} == {run}
    mine = engine.diff(0, "now", tenant=ACME)
    assert {one.tenant for one in mine.changes} == {str(ACME)}
    assert mine.total + engine.diff(0, "now", tenant=GLOBEX).total <= every.total
    few = engine.diff(0, "now", limit=3)
    assert (few.changes, few.total) == (every.changes[:3], every.total)
    assert every.footing.position == every.end.position


def test_nothing_differs_where_nothing_happened(engine: redrive.Engine) -> None:
    """From a moment to itself."""
    assert engine.diff(20, 20).changes == ()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"start": 30, "end": 20}, "end: 20"),
        ({"start": 0, "end": 9, "tables": ["rums"]}, "table: 'rums'"),
        ({"start": 0, "end": 9, "limit": 0}, "limit: 0"),
        ({"start": 0, "end": 9, "run": 7}, "run: 7"),
    ],
    ids=str,
)
def test_what_makes_no_diff_is_refused(engine: redrive.Engine, given: dict[str, Any], says: str) -> None:
    """With what would be accepted."""
    with pytest.raises(redrive.InvalidValue, match=says):
        engine.diff(**given)
