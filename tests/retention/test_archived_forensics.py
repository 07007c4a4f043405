"""What is asked of the past has the same answer when the states lie in an archive."""

from typing import Any

from redrive import RunId
from tests.retention.attic import Attic


def answers(attic: Attic, run: RunId, last: int) -> list[dict[str, Any]]:
    """Of one run, and of the policy that it was decided under, up to position *last*."""
    engine = attic.engine
    [failed] = [event for event in engine.ledger.stream(run) if event.event.__class__.__name__ == "AttemptFailed"]
    begun = [event.position for batch in engine.ledger.replay(until=last) for event in batch]
    reports = [
        engine.why(f"{run}.status", at=last),
        engine.timeline(run, at=last),
        engine.blast(failed.position, at=last),
        engine.blast(str(failed.event_id), at=last),
        *(engine.blast(position, at=last) for position in begun[:4]),
    ]
    return [report.model_dump(exclude={"footing"}) for report in reports]


def test_forensics_read_the_archive(attic: Attic) -> None:
    """Why, blast, timelines: of what was moved, and by what was moved."""
    run = attic.completed()
    attic.age()
    last = attic.engine.ledger.last_position()
    before = answers(attic, run, last)
    assert attic.archive().runs == 1
    assert answers(attic, run, last) == before


def test_an_archive_is_no_drift(attic: Attic) -> None:
    """That somebody archived is an input, not a decision."""
    attic.completed()
    attic.age()
    attic.archive()
    assert attic.engine.replay_check().same
