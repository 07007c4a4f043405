"""Histories under faults: whatever happens, what was acknowledged is there, once, and everything settles."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from redrive.faults.disk import scratch
from redrive.faults.kinds import IN_FILES, MEANINGS, Kind
from redrive.faults.simulator import Simulated, simulate, simulations
from redrive.faults.world import World
from tests.engine.model import check_log

MOST_SEEDS = 60
STRIKES_AT = {Kind.TWO_SWEEPS: 5, Kind.DUPLICATE_REPORT: 10, Kind.REORDERED_REPORT: 10, Kind.LOST_ANSWER: 8}
"""The first seeds in which faults strike that are rare when they are alone; others strike soon."""
CROWD = 4


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One folder for all: in memory, where there is such a place."""
    with scratch() as found:
        yield found


def broken(done: Simulated) -> str:
    """What a failing test should say: how to see it again."""
    return f"redrive simulate --seed {done.seed} --steps {done.steps}: {done.problems}\n" + "\n".join(done.trace)


@pytest.mark.parametrize("first", range(0, 20, 5))
def test_whatever_fails_nothing_is_lost(folder: Path, first: int) -> None:
    """A slice of the ten thousand."""
    for seed in range(first, first + 5):
        done = simulate(seed, folder=folder)
        assert done.problems == (), broken(done)


@pytest.mark.parametrize("seed", [4_770, 5_105, 7_340, 28_113, 35_937, 72_954, 103_221])
def test_what_was_broken_once_holds(folder: Path, seed: int) -> None:
    """Seeds that led to a mistake, of redrive or of the simulator."""
    done = simulate(seed, folder=folder)
    assert done.problems == (), broken(done)


@pytest.mark.long
@pytest.mark.parametrize("first", range(1_000, 1_200, 50))
def test_more_of_the_ten_thousand(first: int) -> None:
    """The same, two hundred times."""
    for done in simulations(range(first, first + 50)):
        assert done.problems == (), broken(done)


@pytest.mark.long
def test_long_histories_hold_too() -> None:
    """Three hundred steps each."""
    for done in simulations(range(20_000, 20_008), 300):
        assert done.problems == (), broken(done)


@pytest.mark.parametrize("seed", range(40, 45))
def test_the_oracles_of_the_other_tests_agree(folder: Path, seed: int) -> None:
    """Every invariant of any log, and each decision made again."""

    def inspect(world: World) -> None:
        engine = world.processes[-1].engine
        assert engine is not None
        check_log(engine)

    simulate(seed, folder=folder, inspect=inspect)


@pytest.mark.parametrize("kind", IN_FILES)
def test_every_kind_of_fault_strikes(folder: Path, kind: Kind) -> None:
    """Alone, too, and nothing is lost by it."""
    for seed in range(STRIKES_AT.get(kind, 0), MOST_SEEDS):
        done = simulate(seed, kinds=[kind], folder=folder)
        assert done.problems == (), broken(done)
        assert set(done.injected) <= {kind}
        if done.injected:
            return
    pytest.fail(f"{kind} never struck")


def test_without_faults_every_answer_is_clear(folder: Path) -> None:
    """Nothing strikes, and no command is left without an answer."""
    done = simulate(1, kinds=(), folder=folder)
    assert (done.problems, done.injected.total(), done.commands["failed"]) == ((), 0, 0)
    assert done.commands["acknowledged"] > 30


def test_a_crowd_of_writers(folder: Path) -> None:
    """Some seeds have sixty-four processes."""
    done = simulate(CROWD, folder=folder)
    assert done.writers == 64
    assert done.problems == (), broken(done)


def test_every_kind_has_a_meaning() -> None:
    """The documentation lists them."""
    assert set(MEANINGS) == set(Kind)
