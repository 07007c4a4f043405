"""What may touch the columns that somebody watches: nothing else changes them, and what nobody can read counts."""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import redrive
from redrive.domain.event import Recorded, UnknownEvent
from redrive.domain.run.events import RunBlocked
from redrive.forensics.invariants.touching import WRITES
from redrive.ledger.mapper import is_read, shown
from redrive.projections import fold
from redrive.projections.batch import Batch
from redrive.projections.graphs import Graphs
from redrive.projections.queues import RUNS
from tests.forensics.fate import Fate, Life
from tests.forensics.test_first import flips
from tests.ledger.world import put_raw
from tests.ledger.write_golden import LOGS
from tests.stores import log_url

GOLDEN = sorted(LOGS.glob("*.db"))
BLOCKED = "SELECT 1 FROM runs WHERE status = 'blocked' AND attempts < 99"
STATE = (
    b'{"id":"b","at":1,"actor":["system","x",null],"reason":null,"cause":null,"engine":"","data":{"finished_at_ms":1}}'
)


def changes(engine: redrive.Engine) -> Iterator[tuple[Recorded, set[str]]]:
    """Each event, and the columns of runs that it changes."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        fold.create(connection)
        batch = Batch(connection, Graphs())
        for recorded in (event for events in engine.ledger.replay() for event in events):
            before = {id_: dict(row) for id_, row in batch.runs.items()}
            fold.fold(batch, (recorded,))
            rows = [(row, before.get(id_, {})) for id_, row in batch.runs.items()]
            yield recorded, {name for row, was in rows for name in row if name not in was or row[name] != was[name]}


def declared(recorded: Recorded) -> frozenset[str]:
    """What an event may change."""
    event = recorded.event
    return (
        frozenset(RUNS.columns) if isinstance(event, UnknownEvent) else WRITES.get(type(event), frozenset(RUNS.columns))
    )


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_an_event_changes_no_other_column(golden: Path, tmp_path: Path) -> None:
    """In logs of every version: what is declared is enough."""
    shutil.copy(golden, tmp_path / "log.db")
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        for recorded, changed in changes(engine):
            assert changed <= declared(recorded), recorded.topic


@pytest.mark.parametrize("seed", range(4))
def test_nor_does_it_in_a_world_of_failures(seed: int, tmp_path: Path) -> None:
    """With dead letters that are dispatched, recur and are resolved."""
    fate = Fate(seed=seed, rate=0.6, graph={"a": (), "b": ("a",)}, retries=2, runs=3)
    with Life(fate, tmp_path / "log.db").live() as engine:
        for recorded, changed in changes(engine):
            assert changed <= declared(recorded), recorded.topic


def test_what_nobody_can_read_ends_what_a_row_says(tmp_path: Path) -> None:
    """Also where an event of its topic would change nothing that is watched."""
    path = tmp_path / "log.db"
    with Life(Fate(seed=3, rate=0.0, graph={"a": ()}, runs=2), path).live() as engine:
        last = engine.ledger.at_positions([engine.ledger.last_position()])[0].recorded_at_ms
        damaged, sound = [run.run_id for run in engine.local.runs().items]
        put_raw(str(path), damaged, "run.lease-renewed/1", b'{"id":1}', at_ms=last)
        put_raw(str(path), damaged, RunBlocked.STORED_AS, STATE, at_ms=last)
        assert flips(engine.first(BLOCKED)) == []
        assert engine.local.run(damaged).status == "completed"
        put_raw(str(path), sound, RunBlocked.STORED_AS, STATE, at_ms=last)
        assert len(flips(engine.first(BLOCKED))) == 1


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_what_is_read_is_what_can_be_decoded(golden: Path, tmp_path: Path) -> None:
    """Of every event, also when its bytes are cut short."""
    shutil.copy(golden, tmp_path / "log.db")
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        for row in (row for rows in engine.ledger.rows() for row in rows):
            assert is_read(row) == (shown([row])[0].event.__class__.__name__ != "UnknownEvent")
            assert not is_read((*row[:4], row[4][:-1], *row[5:]))
