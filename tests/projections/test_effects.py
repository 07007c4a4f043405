"""Effects and compensations in views: what the aggregates say, however they come."""

from pathlib import Path

import pytest

from redrive.domain.dead_letter.state import SETTLED
from redrive.domain.flow import Flow, Node
from redrive.projections.effect_queries import EffectQueries
from redrive.projections.view import View
from tests.projections.effect_plant import EffectPlant
from tests.projections.plant import ACME, contents, policy

SEEDS = range(6)


@pytest.fixture(params=SEEDS)
def lived(request: pytest.FixtureRequest, tmp_path: Path) -> EffectPlant:
    """A plant in which much has happened."""
    plant = EffectPlant(tmp_path / "ops.db", request.param)
    plant.live(300)
    return plant


def _folded(plant: EffectPlant) -> tuple[View, EffectQueries]:
    view = View(plant.ledger, None)
    return view, EffectQueries(view, None)


def test_effects_stand_where_the_aggregates_say(lived: EffectPlant) -> None:
    """Status, tries, whose the last try was, failure and receipt of random lives."""
    _, queries = _folded(lived)
    known = [lived.effect(id_) for id_ in lived.effects if lived.effect(id_).id]
    assert known
    for effect in known:
        row = queries.effect(effect.id)
        assert (row.status, row.tries, row.holder) == (effect.status, effect.tries, effect.holder)
        assert (row.run_id or "", row.node or "", row.lifetime) == (effect.run, effect.node, effect.lifetime)
        assert (row.key, row.operation, row.tenant) == (effect.key, effect.operation, str(effect.tenant))
        assert (row.expires_at_ms, row.receipt_digest) == (effect.expires_at_ms, effect.receipt_digest)
        assert (row.did_not_happen, row.dead_letters) == (effect.did_not_happen, len(effect.dead_letters))
        if row.status in ("failed", "unknown"):
            assert row.reason == (effect.failure.reason if effect.failure else None)


def test_compensations_stand_where_the_aggregates_say(lived: EffectPlant) -> None:
    """Status, runs, doubt and what they are about."""
    _, queries = _folded(lived)
    for _, id_ in lived.compensations():
        row, state = queries.compensation(id_), lived.compensation(id_)
        doubt = state.outcome_unknown and state.status != "completed"  # a late success ends it
        assert (row.status, row.tries, row.outcome_unknown) == (state.status, state.epoch, doubt)
        assert (row.effect_id, row.dead_letter, row.run_id or "") == (state.effect, state.dead_letter, state.run)
        assert row.reason == (state.failure.reason if state.failure and row.status != "completed" else None)
        assert (row.expires_at_ms is not None) == (row.status == "running")


def test_dead_letters_know_their_effects(lived: EffectPlant) -> None:
    """Which effect, which compensation; and a run counts its unsettled ones of both kinds."""
    _, queries = _folded(lived)
    for _, run in lived.runs:
        state = lived.run(run)
        ids = (*state.dead_letters.values(), *state.effect_letters.values())
        letters = [lived.letter(id_) for id_ in ids]
        assert queries.run(run).open_letters == sum(dl.status not in SETTLED for dl in letters)
        for dl in letters:
            row = queries.dead_letter(dl.id)
            assert (row.effect_id, row.effect_key, row.source) == (dl.effect, dl.effect_key, dl.source)
            assert (row.status, row.compensation_id) == (dl.status, dl.compensation)


def test_counts_follow_effects_and_compensations(lived: EffectPlant) -> None:
    """By status, as a count of the rows would say."""
    view, queries = _folded(lived)
    counts = queries.counts()
    assert counts.effects == dict(view.rows("SELECT status, count(*) FROM effects GROUP BY 1"))
    assert counts.compensations == dict(view.rows("SELECT status, count(*) FROM compensations GROUP BY 1"))


def test_events_that_come_twice_change_nothing(lived: EffectPlant) -> None:
    """Whoever delivers them, in whatever pieces; and a rebuild gives the same."""
    view, _ = _folded(lived)
    once = contents(view)
    for batch in lived.ledger.replay(0, None, 7):
        view.fold(batch)
        view.fold(batch[3:])
    assert contents(view) == once
    view.rebuild()
    assert contents(view) == once


def _append_unknown(plant: EffectPlant, stream: str, version: int) -> None:
    row = (stream, version, "effect.teleported/7", b'{"id": "x1", "at": 5}', str(ACME), stream, 5)
    plant.ledger.recorder.writer.execute(
        "INSERT INTO events (originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        row,
    )


def test_an_unknown_event_ends_what_is_said_of_an_effect(tmp_path: Path) -> None:
    """It shows where it stood before; one that begins a stream begins no row, whatever follows."""
    plant = EffectPlant(tmp_path / "ops.db")
    id_ = plant.begin("a").id
    _append_unknown(plant, id_, 2)
    _append_unknown(plant, "f" * 36, 1)
    _, queries = _folded(plant)
    assert [(one.id, one.status, one.readable) for one in queries.effects().items] == [(id_, "intended", False)]
    assert queries.counts().unknown == {"effect.teleported": 2}


def test_a_decision_is_told_with_who_and_why(tmp_path: Path) -> None:
    """An operator's outcome on the effect, the choice on the dead letter."""
    plant = EffectPlant(tmp_path / "ops.db")
    plant.submit(Flow([Node("a", retry=policy(1))]))
    id_ = plant.declined(plant.claim()[0])
    _, queries = _folded(plant)
    (letter,) = queries.dead_letters(effect=id_, source="tool-effect").items
    assert (letter.effect_key, letter.node, letter.reason) == ("inv-1", "a", "card declined")
    (proposed,) = queries.compensations(effect=id_).items
    assert (proposed.status, proposed.dead_letter, proposed.operation) == ("proposed", letter.id, "refund")
