"""Histories under faults on PostgreSQL: the same code, the same questions, the faults that there are on a server."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from redrive.faults.kinds import AT_STATEMENTS, IN_FILES, ON_SERVERS, Kind
from redrive.faults.process import Process
from redrive.faults.schema import Schema, schema_on
from redrive.faults.service import SentTwiceError
from redrive.faults.simulator import simulate, simulations
from redrive.faults.world import World, engine_of
from tests.engine.model import check_log
from tests.faults import mutants
from tests.faults.mutants import MUTANTS
from tests.faults.test_simulations import broken

MOST_SEEDS = 60
CROWD = 4
OF_SERVERS = sorted(set(ON_SERVERS) - set(IN_FILES))


@pytest.fixture
def schema(postgres: str) -> Iterator[Schema]:
    """A schema for the simulations of a test."""
    with schema_on(postgres) as schema:
        yield schema


def test_whatever_fails_nothing_is_lost(postgres: str) -> None:
    """A slice."""
    for done in simulations(range(3), server=postgres):
        assert done.problems == (), broken(done)


@pytest.mark.long
def test_more_seeds(postgres: str) -> None:
    """Thirty of them."""
    for done in simulations(range(1_000, 1_030), server=postgres):
        assert done.problems == (), broken(done)


@pytest.mark.parametrize("kind", OF_SERVERS)
def test_every_fault_of_servers_strikes(schema: Schema, kind: Kind) -> None:
    """Alone, too, and nothing is lost by it."""
    for seed in range(MOST_SEEDS):
        done = simulate(seed, 20, [kind], schema=schema)
        assert done.problems == (), broken(done)
        if done.injected:
            return
    pytest.fail(f"{kind} never struck")


@pytest.mark.long
@pytest.mark.parametrize("kind", [kind for kind in AT_STATEMENTS if kind in ON_SERVERS and kind not in OF_SERVERS])
def test_every_other_fault_at_statements_strikes(schema: Schema, kind: Kind) -> None:
    """As in files; what actors do has nothing to do with the store."""
    test_every_fault_of_servers_strikes(schema, kind)


def test_the_same_seed_gives_the_same_history(schema: Schema) -> None:
    """Log, faults, answers and steps; the oracles of other tests agree."""

    def inspect(world: World) -> None:
        engine = world.processes[-1].engine
        assert engine is not None
        check_log(engine)

    assert simulate(7, 40, schema=schema, inspect=inspect) == simulate(7, 40, schema=schema)


@pytest.mark.long
def test_a_crowd_of_writers_has_room(schema: Schema) -> None:
    """In files it is sixty-four; a server has no room for their connections."""
    done = simulate(CROWD, schema=schema)
    assert done.writers == 16
    assert done.problems == (), broken(done)


@pytest.mark.long
@pytest.mark.parametrize("mutant", [mutants.agenda_forgotten, mutants.gate_off, mutants.blind_retry])
def test_what_is_broken_is_found(postgres: str, monkeypatch: pytest.MonkeyPatch, mutant: mutants.Mutant) -> None:
    """Here, too."""
    mutant(monkeypatch)
    kinds = [Kind.LOST_ACKNOWLEDGEMENT] if mutant is mutants.blind_retry else ON_SERVERS
    found = (problem for done in simulations(range(MOST_SEEDS), 60, kinds, postgres) for problem in done.problems)
    assert any(re.search(MUTANTS[mutant], problem) for problem in found)


def test_an_effect_that_is_sent_twice_ends_a_simulation_and_not_the_next(schema: Schema) -> None:
    """Amid a transaction of another process, whose locks are gone with it."""

    def send_twice(process: Process) -> None:
        engine_of(process).ledger.recorder.begin()
        raise SentTwiceError("twice")

    def spoil(world: World) -> None:
        world.processes[0].run(send_twice)

    with pytest.raises(SentTwiceError):
        simulate(1, 5, (), schema=schema, inspect=spoil)
    assert simulate(1, 5, (), schema=schema).problems == ()


def test_nothing_is_left_on_the_server(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of simulations that were interrupted."""
    monkeypatch.setattr("redrive.faults.schema.PREFIX", "redrive_simulation_left_")
    endless = simulations(range(100), 5, server=postgres)
    next(endless)
    endless.close()
    with psycopg.connect(postgres) as dba:
        left = dba.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'redrive_simulation_left_%'")
        assert left.fetchone() == (0,)
