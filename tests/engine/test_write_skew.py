"""Without its guard every race is lost: either nonsense is in the log, or the log itself stops it, by a unique index.

The guard is taken away (the lock is taken after the decision; nobody compares what was read) and the tests of races are
run: who began first then writes last, what it decided before it could know.
"""

from pathlib import Path

import pytest

from redrive import StorageError
from tests.engine import test_decision_races, test_effect_races
from tests.engine.turns import Race, Turn, races_of, two_tills

RACES = [*races_of(test_effect_races), *races_of(test_decision_races)]
ONLY_GUARDED = {
    "a retry and a reconciliation",
    "an intent and a compensation",
    "an intent and the approval of its compensation",
    "a retry and a cancel",
    "a grant and a cancel",
    "a retry and the completion of its run",
    "an ignore and the start of an attempt",
    "two claims under a limit of one total",
    "two claims under a limit of one tenant:acme/billing/prod",
    "two claims under a limit of one resource:db",
    "two claims under a limit of one provider:bank",
    "a claim and the limit that stops it",
}
"""What the two write have no stream in common: without a guard, nothing would stop it."""

pytestmark = pytest.mark.sqlite_only  # on PostgreSQL: tests/ledger/postgres/test_ahead.py


def outcome(race: Race, path: Path, order: tuple[str, ...]) -> str:
    """What became of it without a guard: "kept", "wrong", or "stopped" by the log itself."""
    with two_tills(path) as (till, other):
        try:
            race.test(till, other, Turn(order, guarded=False), **race.values)
        except AssertionError:
            return "wrong"
        except StorageError as error:
            return "stopped" if "UNIQUE" in str(error) else str(error)
    return "kept"


@pytest.mark.parametrize("race", RACES, ids=str)
def test_without_its_guard_a_race_is_lost(race: Race, tmp_path: Path) -> None:
    """In one order at least; and wrongly, where the two write to different streams."""
    outcomes = {outcome(race, tmp_path / f"{'-'.join(order)}.db", order) for order in race.orders}
    assert outcomes <= {"kept", "wrong", "stopped"}
    assert outcomes != {"kept"}
    assert ("wrong" in outcomes) is (str(race) in ONLY_GUARDED)


def test_the_races_that_only_the_guard_saves_are_among_them() -> None:
    """The list above names races that exist."""
    assert {str(race) for race in RACES} >= ONLY_GUARDED
