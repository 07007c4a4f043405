"""The floor that the benchmarks replay on PostgreSQL: what the engine wrote, all of it, and nothing else."""

from pathlib import Path

import pytest

import redrive
from benchmarks import postgres_floor as floor
from benchmarks.failing_job import carry_on, submit, take, tenant_of
from redrive.ledger.database import Row
from tests.stores import log_url, outside

EVENTS = (
    "SELECT originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms FROM events "
    "WHERE position > ? ORDER BY position"
)
AGENDA = "SELECT subject, kind, due_ms, tenant, needs, run, not_before_ms, holder FROM agenda ORDER BY subject, needs"


def halfway(engine: redrive.Engine, runs: int) -> None:
    """Runs that wait for their second attempt, and one that is claimed; many in one commit."""
    acme = tenant_of(engine)
    with engine.batch() as batch:
        for _ in range(runs):
            batch.add(submit, acme)
    for _ in range(runs - 1):
        carry_on(acme, take(acme))
    take(acme)


def tables(path: Path, after: int) -> tuple[list[Row], list[Row]]:
    """The events beyond a position, and the agenda."""
    with outside(path) as connection:
        return connection.execute(EVENTS, (after,)).fetchall(), connection.execute(AGENDA).fetchall()


def test_the_floor_writes_what_the_engine_wrote(tmp_path: Path) -> None:
    """The same rows in the same order, in as many commits, whatever was written before."""
    pieces = floor.record(log_url(tmp_path / "engine.db"), halfway, 5)
    redrive.open(log_url(tmp_path / "floor.db")).close()
    floor.replay(log_url(tmp_path / "floor.db"), pieces)
    events, agenda = tables(tmp_path / "floor.db", 0)
    written, due = tables(tmp_path / "engine.db", 0)
    assert events == written[-floor.inserts(pieces) :]
    assert agenda == [row for row in due if row[5] in {event[0] for event in events}]
    assert floor.commits(pieces) == 1 + 2 * 4 + 1


def test_a_transaction_that_wrote_may_not_be_undone() -> None:
    """A floor without it would be too light."""
    begun, write = ("BEGIN", ()), ("INSERT INTO agenda VALUES (?)", (1,))
    assert floor.that_write([[begun, ("SELECT 1", ())], [("ROLLBACK", ())]]) == []
    with pytest.raises(AssertionError, match="undone"):
        floor.that_write([[begun, write], [("ROLLBACK", ())]])
