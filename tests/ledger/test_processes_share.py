"""Several processes on one file: nothing is lost, nothing is done twice."""

from collections import Counter
from pathlib import Path

from redrive.domain.run.events import RunClaimed
from redrive.domain.run.state import Status
from tests.ledger.child import Child
from tests.ledger.world import World
from tests.stores import location_of


def test_three_processes_share_one_log(tmp_path: Path) -> None:
    """Each submits, and works on whatever is due; runs fail once and are retried, by anybody."""
    path = tmp_path / "log.db"
    children = [Child("share", location_of(path), name, 12) for name in "abc"]
    for child in children:
        child.hear()
    for child in children:
        child.tell()
    said = [line for child in children for line in child.rest()]
    assert [child.process.exitcode for child in children] == [0, 0, 0]
    submitted = [line["submitted"] for line in said if "submitted" in line]
    claims = Counter((line["claimed"], line["epoch"]) for line in said if "claimed" in line)
    assert len(set(submitted)) == 36

    world = World(path)
    logged = [(e.stream, e.event.epoch) for e in world.log() if isinstance(e.event, RunClaimed)]
    assert Counter(logged) == claims == Counter(set(logged)), "what was won was logged, by one of them"
    for run in submitted:
        assert [epoch for stream, epoch in logged if stream == run] == [1, 2]
        assert world.in_memory(run).status is Status.COMPLETED
    assert [e.position for e in world.log()] == list(range(1, world.ledger.last_position() + 1))
    world.check()
    world.ledger.close()


def test_processes_that_create_the_log_at_once_agree(tmp_path: Path) -> None:
    """Whoever comes first makes the tables; all write into the same log."""
    path = tmp_path / "log.db"
    children = [Child("share", location_of(path), name, 1) for name in "abcd"]
    for child in children:
        child.tell()
    assert [child.rest()[0] for child in children] == [{"opened": name} for name in "abcd"]
    world = World(path)
    assert len([e for e in world.log() if e.topic == "run.submitted"]) == 4
    assert len([e for e in world.log() if e.topic == "flow.registered"]) == 1
    world.check()
    world.ledger.close()
