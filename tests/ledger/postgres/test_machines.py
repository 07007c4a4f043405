"""Random commands: by one who is alone on PostgreSQL, and by several who do not wait for each other."""

import contextlib
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from redrive.domain.errors import InvalidValue, NotFound, Refused
from redrive.domain.identity import RunId
from tests.engine.test_state_machine import EngineMachine
from tests.ledger.chaos import ACTIONS, Chaos
from tests.ledger.child import say
from tests.ledger.postgres.rivals import Rival
from tests.ledger.world import World
from tests.processes.workshop import running

MOST = 40
TOGETHER = [action for action in ACTIONS if action not in (Chaos.restart, Chaos.stick)]  # these two must be alone


class PostgresMachine(EngineMachine):
    """The same machine; the fixtures of this folder say where its log lies."""


PostgresMachine.TestCase.settings = settings(
    max_examples=2, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TestPostgres = PostgresMachine.TestCase


def anything(chaos: Chaos, seed: int, steps: int) -> int:
    """Try anything; how often it was decided again because a rival was quicker."""
    dice = random.Random(seed)
    for step in range(steps):
        with contextlib.suppress(Refused, NotFound, InvalidValue, ZeroDivisionError):
            dice.choice(TOGETHER)(chaos, dice.randrange(1_000))
        if step % 10 == 9:  # what others submitted
            chaos.runs += [RunId(e.stream) for e in chaos.world.log() if e.topic == "run.submitted"][:5]
    conflicts = chaos.world.ledger.committer.conflicts
    chaos.world.ledger.close()
    return conflicts


def anything_in_a_process(path: str, seed: int, steps: int) -> None:
    """The same, and say it."""
    say(anything(Chaos(Path(path)), seed, steps))


def check(path: Path, conflicts: Sequence[int]) -> None:
    """The agenda is what the log says, no version and no position is missing, and a state is its events."""
    assert sum(conflicts) > 0, "nobody ever met anybody"
    world = World(path)
    world.check()
    assert [event.position for event in world.log()] == list(range(1, len(world.log()) + 1))
    for run in {RunId(event.stream) for event in world.log() if event.topic == "run.submitted"}:
        assert world.in_memory(run) == world.ledger.run_state(None, run)
    world.ledger.close()


def test_four_threads_try_anything(tmp_path: Path) -> None:
    """Each with an engine of its own, on the few runs of one log."""
    conflicts: list[int] = []
    while not any(conflicts) and len(conflicts) < MOST:  # until somebody has met somebody
        worlds = {len(conflicts) + n: Chaos(tmp_path / "log.db") for n in range(4)}
        with contextlib.ExitStack() as threads:
            for seed, chaos in worlds.items():
                act = partial(anything, chaos, seed, 60)
                threads.enter_context(running(lambda act=act: conflicts.append(act())))  # type: ignore[misc]
    check(tmp_path / "log.db", conflicts)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_four_processes_try_anything(tmp_path: Path, seed: int) -> None:
    """For longer."""
    path = tmp_path / "log.db"
    World(path).ledger.close()
    conflicts: list[int] = []
    while not any(conflicts) and len(conflicts) < MOST:
        numbers = range(len(conflicts), len(conflicts) + 4)
        rivals = [Rival(anything_in_a_process, str(path), 100 * seed + n, 250) for n in numbers]
        conflicts += [count for rival in rivals for count in rival.rest()]
        assert [rival.process.exitcode for rival in rivals] == [0] * 4
    check(path, conflicts)
