"""Questions about effects and compensations: filters before limits, newest first, pages that fit, one's own only."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from redrive.domain.errors import InvalidValue, NotFound
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import compensation_id_of
from redrive.projections.effect_queries import EffectQueries
from redrive.projections.view import View
from tests.projections.effect_plant import EffectPlant
from tests.projections.plant import ACME, GLOBEX, policy


@pytest.fixture
def plant(tmp_path: Path) -> EffectPlant:
    """A plant without effects."""
    return EffectPlant(tmp_path / "ops.db")


@pytest.fixture
def queries(plant: EffectPlant) -> EffectQueries:
    """What acme may ask."""
    return EffectQueries(View(plant.ledger, None), ACME)


OF_ONE = [
    ("dead_letters", {"run": "r"}, "run_id=?"),
    ("dead_letters", {"effect": "e", "status": "open"}, "effect_id=?"),
    ("effects", {"run": "r"}, "run_id=?"),
    ("compensations", {"run": "r"}, "run_id=?"),
    ("compensations", {"effect": "e"}, "effect_id=?"),
]


@pytest.mark.parametrize(("question", "named", "found_by"), OF_ONE)
def test_what_belongs_to_one_is_found_by_it(
    queries: EffectQueries, monkeypatch: pytest.MonkeyPatch, question: str, named: dict[str, str], found_by: str
) -> None:
    """It cost as much as the tenant has records; another's are still not shown."""
    plans: list[str] = []
    rows = View.rows

    def planned(view: View, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        plans.extend(row[3] for row in rows(view, f"EXPLAIN QUERY PLAN {query}", values))
        return rows(view, query, values)

    monkeypatch.setattr(View, "rows", planned)
    assert getattr(queries, question)(**named).items == ()
    assert found_by in plans[0]


WANTED: list[dict[str, Any]] = [
    {"status": "Failed"},
    {"status": ["failed", "withheld"]},
    {"automation": "rare"},
    {"node": "a"},
    {"key": "needle"},
    {"operation": "POST /mail"},
    {"target": "post office"},
    {"failure_class": "Outbox-Send"},
    {"text": "declined"},
    {"text": "need mail"},
    {"since_ms": 1_000, "until_ms": 1_001},
]


@pytest.mark.parametrize("filters", WANTED, ids=str)
def test_filters_come_before_limits(plant: EffectPlant, queries: EffectQueries, filters: dict[str, Any]) -> None:
    """The one that matches is found, however many newer ones do not."""
    plant.submit(Flow([Node("a", retry=policy(1))]), automation="rare")
    wanted = plant.declined(plant.claim()[0], "needle", operation="POST /mail", target="post office")
    plant.now += 10
    for n in range(5):
        plant.unknown(f"hay {n}")
    page = queries.effects(**filters, limit=1)
    assert ([one.id for one in page.items], page.cursor) == ([wanted], None)


COMPENSATIONS: list[dict[str, Any]] = [
    {"automation": "rare"},
    {"node": "a"},
    {"operation": "refund"},
    {"text": "needle"},
    {"until_ms": 1_001},
]


@pytest.mark.parametrize("filters", COMPENSATIONS, ids=str)
def test_compensations_are_filtered_too(plant: EffectPlant, queries: EffectQueries, filters: dict[str, Any]) -> None:
    """Also by run and by effect."""
    from tests.projections.effect_plant import UNDO

    run = plant.submit(Flow([Node("a", retry=policy(1))]), automation="rare")
    wanted = plant.declined(plant.claim()[0], "needle")
    plant.now += 10
    plant.unknown("hay", compensation=UNDO[2])
    found = [compensation_id_of(ACME, wanted)]
    assert [one.id for one in queries.compensations(**filters, limit=1).items] == found
    assert [one.id for one in queries.compensations(run=run, limit=1).items] == found
    assert [one.id for one in queries.compensations(effect=wanted, limit=1).items] == found


def test_pages_fit_together(plant: EffectPlant, queries: EffectQueries) -> None:
    """Newest first, and what begins between two pages neither repeats nor hides a row."""
    made = [plant.unknown(f"k{n}") for n in range(5)]
    first = queries.effects(limit=2)
    plant.unknown("later")
    rest = queries.effects(limit=10, cursor=first.cursor)
    assert [one.id for one in (*first.items, *rest.items)] == made[::-1]


def test_an_unknown_cursor_word_or_limit_is_an_error(plant: EffectPlant, queries: EffectQueries) -> None:
    """Also a cursor of another question."""
    for n in range(3):
        plant.unknown(f"k{n}")
    cursor = queries.effects(limit=1).cursor
    for wrong in (
        lambda: queries.effects(cursor="bm90aGluZw"),
        lambda: queries.effects(cursor=cursor, status="unknown"),
        lambda: queries.compensations(cursor=cursor),
        lambda: queries.effects(status="sent"),
        lambda: queries.compensations(status="done"),
        lambda: queries.effects(limit=1_001),
    ):
        with pytest.raises(InvalidValue):
            wrong()


def test_nobody_sees_what_is_anothers(plant: EffectPlant, queries: EffectQueries) -> None:
    """Not-found and not-yours look the same."""
    theirs = plant.unknown("k", GLOBEX)
    assert not queries.effects().items
    assert not queries.compensations().items
    assert queries.counts().effects == queries.counts().compensations == {}
    with pytest.raises(NotFound):
        queries.effect(theirs)
    with pytest.raises(NotFound):
        queries.compensation(compensation_id_of(GLOBEX, theirs))
