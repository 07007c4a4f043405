"""What a fold must leave: what the aggregates say, whatever the batches, and however often an event comes."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redrive.domain.dead_letter.state import SETTLED
from redrive.domain.event import UnknownEvent
from redrive.domain.flow import Flow, Node
from redrive.domain.run.state import NodeStatus, Run
from redrive.processes import operations
from redrive.projections import fold
from redrive.projections import view as view_module
from redrive.projections.batch import Batch
from redrive.projections.graphs import Graphs
from redrive.projections.queries import Queries
from redrive.projections.view import View
from tests.projections.effect_plant import EffectPlant
from tests.projections.plant import ACME, FAILURES, Plant, contents, default_policy_of, policy

SEEDS = range(4)


def _folded(plant: Plant) -> View:
    view = View(plant.ledger, None)
    view.catch_up()
    return view


@pytest.mark.parametrize("seed", SEEDS)
def test_runs_stand_where_the_aggregates_say(tmp_path: Path, seed: int) -> None:
    """Status, due time, successes after resets, pauses and claims of random lives."""
    plant = Plant(tmp_path / "ops.db", seed)
    plant.live(200)
    queries = Queries(_folded(plant), None)
    for _, id_ in plant.runs:
        row, run = queries.run(id_), plant.run(id_)
        assert (row.status, row.due_ms, row.succeeded) == (run.status, run.due_ms, run.succeeded)
        assert (row.generation, row.epoch, row.finished_at_ms) == (run.generation, run.epoch, run.finished_at_ms)
        assert row.pause_requested == run.pause_requested
        assert (row.worker is None) == (run.claim is None)
        assert row.lease_expires_ms == (run.claim.expires_at_ms if run.claim else None)
        assert row.attempts == sum(node.lifetime for node in run.nodes.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_backoffs_are_those_of_the_aggregates(tmp_path: Path, seed: int) -> None:
    """A node waits in the view exactly when it waits in its run."""
    plant = Plant(tmp_path / "ops.db", seed)
    plant.live(200)
    rows = _folded(plant).rows("SELECT run_id, node, due_ms, reason FROM backoffs ORDER BY run_id, node")
    assert rows == sorted(waiting for _, id_ in plant.runs for waiting in _waiting(plant.run(id_)))


def _waiting(run: Run) -> list[tuple[str, str, int, str]]:
    return [(run.id, node, due, run.nodes[node].due_reason) for node, due in run.waiting.items()]


@pytest.mark.parametrize("seed", SEEDS)
def test_dead_letters_stand_where_the_aggregates_say(tmp_path: Path, seed: int) -> None:
    """Status, budget, recurrences, and how many of a run are unsettled."""
    plant = Plant(tmp_path / "ops.db", seed)
    plant.live(200)
    queries = Queries(_folded(plant), None)
    for _, id_ in plant.runs:
        letters = [plant.letter(dl) for dl in plant.run(id_).dead_letters.values()]
        assert queries.run(id_).open_letters == sum(dl.status not in SETTLED for dl in letters)
        for dl in letters:
            row = queries.dead_letter(dl.id)
            assert (row.status, row.dispatches, row.budget_granted) == (dl.status, dl.dispatches, dl.granted)
            assert (row.recurrences, row.superseded, row.settled) == (dl.recurrences, dl.superseded, dl.settled)
            assert (row.fingerprint, row.not_before_ms) == (dl.fingerprint, dl.not_before_ms)
            assert row.held == (dl.held.why if dl.held else None)


@pytest.mark.parametrize("seed", SEEDS)
def test_succeeded_nodes_are_known_one_by_one(tmp_path: Path, seed: int) -> None:
    """The bits that a later reset subtracts from are those of the nodes that have an output."""
    plant = Plant(tmp_path / "ops.db", seed)
    plant.live(200)
    rows = dict(_folded(plant).rows("SELECT run_id, succeeded_bits FROM runs"))
    for _, id_ in plant.runs:
        nodes = plant.run(id_).nodes.values()
        bits = sum(1 << n for n, node in enumerate(nodes) if node.status is NodeStatus.SUCCEEDED)
        assert int(rows[id_] or "0", 16) == bits


@pytest.mark.parametrize("kind", [Plant, EffectPlant])
@given(steps=st.lists(st.integers(1, 60), min_size=1, max_size=6), chunk=st.integers(1, 50), seed=st.integers(0, 9_999))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_batches_leave_no_trace(
    tmp_path_factory: pytest.TempPathFactory, kind: type[Plant], steps: list[int], chunk: int, seed: int
) -> None:
    """Folded live in small pieces, or anew in one: the same rows in every table."""
    plant = kind(tmp_path_factory.mktemp("plant") / "ops.db", seed)
    with View(plant.ledger, None) as live, pytest.MonkeyPatch.context() as patch:
        patch.setattr(view_module, "CHUNK", chunk)
        for some in steps:
            plant.live(some)
            live.catch_up()
        patch.undo()
        with View(plant.ledger, None) as anew:
            assert contents(live) == contents(anew)
    plant.ledger.close()


def test_events_that_come_twice_change_nothing(plant: Plant, view: View) -> None:
    """Whoever delivers them, in whatever pieces."""
    plant.live(150)
    once = contents(view)
    for batch in plant.ledger.replay(0, None, 7):
        view.fold(batch)
        view.fold(batch[3:])
    assert contents(view) == once


def test_runs_that_begin_in_a_batch_are_not_looked_for(plant: Plant) -> None:
    """Their rows, and what they wait for, can only be in memory; what began before the batch is looked for."""
    plant.live(150)
    asked: list[str] = []
    connection = sqlite3.connect(":memory:", isolation_level=None)
    fold.create(connection)
    connection.set_trace_callback(asked.append)
    batch, events = Batch(connection, Graphs()), plant.ledger.read(0, 10_000)
    fold.fold(batch, events)
    assert batch.runs
    assert not [query for query in asked if "FROM runs" in query]
    fold.fold(Batch(connection, Graphs()), [event for event in events if event.version > 1][-1:])
    assert [query for query in asked if "FROM runs" in query]


def test_events_that_leave_a_hole_are_read_from_the_log(plant: Plant, view: View) -> None:
    """A listener that missed something does not make the view miss it."""
    plant.live(100)
    events = plant.ledger.read(0, 10_000)
    view.fold(events[40:50])
    assert view.status().lag == 0
    with View(plant.ledger, None) as anew:
        assert contents(view) == contents(anew)


def test_events_are_folded_as_they_are_told(plant: Plant, view: View) -> None:
    """A view that is fed by a listener never has to read the log."""
    leave = plant.ledger.subscribe(view.fold)
    plant.live(100)
    leave()
    assert view.status().lag == 0


def test_what_is_not_understood_is_listed_and_ends_what_is_said(plant: Plant, view: View) -> None:
    """The stream of an unknown event shows where it stood before; all others go on."""
    run, other = (plant.submit(Flow([Node("a")])) for _ in range(2))
    _append_unknown(plant, run, 2)
    plant.do(operations.cancelling(other, default_policy_of), reason="enough")
    queries = Queries(view, ACME)
    assert not queries.run(run).readable
    assert queries.run(other).status == "cancelled"
    assert queries.counts().unknown == {"run.teleported": 1}
    assert view.rows("SELECT topic FROM unknown_events") == [("run.teleported",)]


def _append_unknown(plant: Plant, stream: str, version: int) -> None:
    writer = plant.ledger.recorder.writer
    row = (stream, version, "run.teleported/7", b'{"id": "x1", "at": 5}', str(ACME), stream, 5)
    writer.execute(
        "INSERT INTO events (originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        row,
    )
    assert isinstance(plant.ledger.stream(stream)[-1].event, UnknownEvent)


def test_a_reset_subtracts_the_successes_it_undoes(plant: Plant, view: View) -> None:
    """a, then b, then c, beside d: recovering from b leaves what a and d did, and nothing else."""
    run = plant.submit(Flow([Node("a"), Node("b", after=["a"]), Node("c", after=["b"], retry=policy(1)), Node("d")]))
    for attempt in plant.claim():
        plant.succeed(attempt)
    plant.succeed(plant.start(plant.claims[0])[0])
    plant.fail(plant.start(plant.claims[0])[0])
    assert Queries(view, ACME).run(run).succeeded == 3
    plant.do(operations.recovering(run, ["b"]), reason="b was wrong")
    view.catch_up()
    assert view.rows("SELECT succeeded, succeeded_bits, status FROM runs") == [(2, "9", "queued")]


def test_counts_follow_every_change(plant: Plant, view: View) -> None:
    """Runs and dead letters by status, events by topic, attempts, retries, takeovers: as a count would say."""
    plant.live(250)
    counts = Queries(view, None).counts()
    assert counts.runs == dict(view.rows("SELECT status, count(*) FROM runs GROUP BY 1"))
    assert counts.dead_letters == dict(view.rows("SELECT status, count(*) FROM dead_letters GROUP BY 1"))
    assert sum(counts.events.values()) == plant.ledger.last_position()
    sums = view.rows("SELECT sum(attempts), sum(retries), sum(takeovers) FROM runs")
    assert sums == [(counts.attempts, counts.retries, counts.takeovers)]


def test_retries_count_backoffs_and_immediate_ones(plant: Plant, view: View) -> None:
    """Two nodes fail once: one waits, the other is ready again at once."""
    plant.submit(Flow([Node("a", retry=policy(3)), Node("b", retry=policy(3, delay_ms=0))]))
    for attempt in plant.claim():
        plant.fail(attempt, FAILURES[0])
    assert Queries(view, ACME).counts().retries == 2
