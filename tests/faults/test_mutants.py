"""The oracles can fail: an engine that lacks one of its safeguards is found out by a few seeds."""

import re
from collections.abc import Callable

import pytest

from redrive.faults.kinds import ALL, Kind
from redrive.faults.simulator import simulations
from tests.faults import mutants
from tests.faults.mutants import MUTANTS

MOST_SEEDS = 80
QUICK = (mutants.agenda_forgotten, mutants.gate_off, mutants.version_check_off)
SLOW = [mutant for mutant in MUTANTS if mutant not in QUICK]


def finds(mutant: Callable[[pytest.MonkeyPatch], None]) -> None:
    """A seed finds it, and says the right thing."""
    kinds = [Kind.LOST_ACKNOWLEDGEMENT] if mutant is mutants.blind_retry else ALL
    with pytest.MonkeyPatch.context() as patch:
        mutant(patch)
        for done in simulations(range(MOST_SEEDS), kinds=kinds):
            if any(re.search(MUTANTS[mutant], problem) for problem in done.problems):
                return
    pytest.fail(f"{MOST_SEEDS} seeds do not find that {mutant.__doc__}")


@pytest.mark.parametrize("mutant", QUICK)
def test_what_is_broken_is_found(mutant: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Those that show at once."""
    finds(mutant)


@pytest.mark.long
@pytest.mark.parametrize("mutant", SLOW)
def test_what_is_hardly_broken_is_found(mutant: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Those that need a little luck."""
    finds(mutant)


def test_nothing_is_found_where_nothing_is_broken() -> None:
    """The patches are gone, and so is what they found."""
    assert [done.problems for done in simulations(range(5))] == [()] * 5
