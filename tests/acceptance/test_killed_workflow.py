"""Real workflows, killed with -9 three times, end with one success per node."""

import random
from pathlib import Path

import pytest

from redrive.domain.dead_letter import events as dl
from redrive.domain.event import Recorded
from redrive.domain.records import PolicyRegistered
from redrive.domain.run import events as e
from tests.acceptance.killing import DATA, Command, successes
from tests.engine.model import check_log, check_views

pytestmark = [
    pytest.mark.long,
    pytest.mark.acceptance,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real inputs is not there"),
]
CUTANDRUN = DATA / "cutandrun-dirt02-001.json"


def length_of_a_quiet_run(folder: Path) -> int:
    """How long the log of the same run is when nobody kills it (the same dice fall, in less time)."""
    folder.mkdir()
    command = Command(folder, CUTANDRUN, failure_rate=0.2, time_scale=0.001)
    assert command.finish() == 0
    with command.open() as engine:
        return engine.ledger.last_position()


def every_decision_has_its_inputs(events: list[Recorded]) -> None:
    """The failure, the numbers and the dice are in the event, the policy's body is in the log."""
    policies = {event.event.policy for event in events if isinstance(event.event, PolicyRegistered)}
    ended = [event.event for event in events if isinstance(event.event, (e.AttemptFailed, e.AttemptInterrupted))]
    assert ended
    for event in ended:
        assert event.decision.policy in policies
        assert 0 <= event.decision.draw < 1
        assert event.decision.number <= event.decision.max_attempts


def test_a_real_workflow_killed_three_times_succeeds_once_per_node(tmp_path: Path) -> None:
    """Three seeded log positions between 10 % and 90 %, each while an attempt runs."""
    length, dice = length_of_a_quiet_run(tmp_path / "quiet"), random.Random(7)
    command = Command(tmp_path, CUTANDRUN, failure_rate=0.2)
    for position in sorted(round(length * dice.uniform(0.1, 0.9)) for _ in range(3)):
        command.kill_at(position)
    assert command.finish() == 0
    with command.open() as engine:
        events = [event for batch in engine.ledger.replay() for event in batch]
        assert sorted(successes(engine).values()) == [1] * 120
        assert sum(isinstance(event.event, e.ClaimAbandoned) for event in events) == 3
        every_decision_has_its_inputs(events)
        check_log(engine)
        check_views(engine)


@pytest.mark.long
def test_a_real_workflow_is_redriven_through_its_dead_letters(tmp_path: Path) -> None:
    """So many failures that automatic attempts do not suffice; each dead letter is resolved by a redrive."""
    command = Command(tmp_path, DATA / "srasearch-chameleon-10a-003.json", failure_rate=0.55, time_scale=0.00001)
    assert command.finish() == 0
    with command.open() as engine:
        events = [event.event for batch in engine.ledger.replay() for event in batch]
        opened = {event.dead_letter for event in events if isinstance(event, dl.DeadLetterOpened)}
        assert opened
        assert {letter.status for letter in engine.local.dead_letters().items} == {"resolved"}
        assert any(isinstance(event, e.RunRequeued) and event.cause == "redrive" for event in events)
        assert engine.local.counts().runs == {"completed": 1}
        check_log(engine)
        check_views(engine)
