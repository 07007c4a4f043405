"""Golden logs: a log that an earlier version wrote opens, is understood to the last event, and goes on."""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

import redrive
from redrive import Disposition, EffectId, Failure, Status, UnknownEvent, Worker
from redrive.domain.event import CATALOGUE
from redrive.ledger.schema import SCHEMA_VERSION
from tests.ledger.golden_story import OTHER
from tests.ledger.write_golden import LOGS, TENANT
from tests.stores import placed

GOLDEN = sorted(LOGS.glob("*.db"))
NEWEST = LOGS / "schema-3.db"
OF_LOGS = {"anchor-recorded", "key-destroyed", "records-archived", "shards-recorded", "tenant-placed"}
"""What needs other files beside the log, and has tests with them."""
HANDLERS = {name: lambda attempt: {"done": attempt.node} for name in ("fetch", "check", "mail")}


@pytest.fixture(params=GOLDEN, ids=lambda path: path.stem)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a golden log."""
    return Path(shutil.copy(request.param, tmp_path / "golden.db"))


def test_there_is_a_golden_log() -> None:
    """Else the tests below would prove nothing."""
    assert GOLDEN


def asked(log: Path, query: str) -> list[str]:
    """What an SQLite file says, past redrive."""
    with closing(sqlite3.connect(f"file:{log}?mode=ro&immutable=1", uri=True)) as connection:
        return [str(row[0]) for row in connection.execute(query)]


@pytest.mark.sqlite_only
def test_whoever_changes_the_tables_leaves_a_golden_log_of_the_new_ones() -> None:
    """Else what was written just before the next change would be untested."""
    assert asked(NEWEST, "PRAGMA user_version") == [str(SCHEMA_VERSION)]
    assert {version for log in GOLDEN for version in asked(log, "PRAGMA user_version")} == {"1", "2", "3"}


@pytest.mark.sqlite_only
def test_whoever_adds_an_event_leaves_a_golden_log_with_it() -> None:
    """In every version that is still written, but for those about whole logs."""
    today = {key for key, cls in CATALOGUE.items() if cls.__module__.startswith("redrive.")}
    kept = {topic for log in GOLDEN for topic in asked(log, "SELECT DISTINCT topic FROM events")}
    assert {key.partition(".")[2].partition("/")[0] for key in today - kept} == OF_LOGS


@pytest.mark.sqlite_only
def test_an_older_log_is_still_sealed_as_it_was(tmp_path: Path) -> None:
    """The tree that an older version wrote is the one that its bytes say."""
    log = shutil.copy(NEWEST, tmp_path / "golden.db")
    with redrive.open(f"sqlite:///{log}") as engine:
        report = engine.verify()
        assert (report.result, report.unsealed, report.finding_count) == ("SELF-CONSISTENT", 0, 0)


def test_what_else_happened_stands_where_it_stood(tmp_path: Path) -> None:
    """Every kind of disposition, compensation and effect."""
    log = Path(shutil.copy(NEWEST, tmp_path / "golden.db"))
    with redrive.open(placed(log)) as engine:
        other = engine.for_tenant(OTHER)
        letters = Counter(letter.status for letter in other.dead_letters().items)
        effects = {effect.key: effect.status for effect in other.effects().items}
        assert other.counts().runs == {"awaiting_approval": 1, "blocked": 5, "completed": 4, "failed": 1}
        assert [compensation.status for compensation in other.compensations().items] == ["cancelled", "cancelled"]
    assert effects == {"done": "succeeded", "undone": "failed", "forbidden": "withheld", "pay": "succeeded"}
    assert letters == {
        "open": 4, "resolved": 3, "linked_to_compensation": 2, "abandoned": 1, "ignored": 1, "retry_requested": 1,
    }  # fmt: skip


def test_every_event_of_an_older_log_is_understood(log: Path) -> None:
    """By its class of today, with an upcaster where it changed; none is unknown or damaged."""
    with redrive.open(placed(log)) as engine:
        events = [recorded for batch in engine.ledger.replay() for recorded in batch]
    assert len(events) > 50
    assert not [recorded for recorded in events if isinstance(recorded.event, UnknownEvent)]


def test_an_older_log_shows_the_same_runs(log: Path) -> None:
    """Its views are folded anew by the code of today."""
    with redrive.open(placed(log)) as engine:
        acme = engine.for_tenant(TENANT)
        stands = {run.key: run.status for run in acme.runs().items}
    assert stands["completed"] == Status.COMPLETED
    assert stands["cancelled"] == Status.CANCELLED
    assert stands["paused"] == Status.PAUSED
    assert stands["failing"] == Status.BLOCKED


def test_the_agenda_of_an_older_log_is_the_one_its_events_say(log: Path) -> None:
    """What is due is neither lost nor invented by the new version."""
    with redrive.open(placed(log)) as engine:
        assert engine.ledger.agenda_rows() == engine.ledger.agenda_from_log()


def test_an_older_log_goes_on(log: Path) -> None:
    """Its runs are finished, its dead letters retried, by the code of today."""
    with redrive.open(placed(log)) as engine:
        acme = engine.for_tenant(TENANT)
        acme.resume(acme.runs(status="paused").items[0].run_id, actor="ana", reason="back")
        for letter in acme.dead_letters(status="open", source="node").items:
            acme.request_retry(letter.id, actor="ana", reason="the key was rotated")
        engine.tick()
        Worker(acme, HANDLERS, name="w2", tick_ms=100).run_until_idle()
        nightly = {run.key for run in acme.runs(automation="nightly").items} - {"cancelled"}
        assert nightly == {run.key for run in acme.runs(automation="nightly", status="completed").items}
        assert not acme.dead_letters(status=Disposition.OPEN, source="node").items


def test_an_older_log_takes_new_failures(log: Path) -> None:
    """Recurrences are appended to streams that the older version began."""
    with redrive.open(placed(log)) as engine:
        acme = engine.for_tenant(TENANT)
        letter = acme.dead_letters(status="open", source="node").items[0]
        acme.request_retry(letter.id, actor="ana", reason="try")
        claim = next(c for c in acme.claim_many(10, worker="w2", start=True) if c.run_id == letter.run_id)
        attempt = next(a for a in claim.attempts if a.node == letter.node)
        acme.fail_attempt(attempt, Failure("provider_auth", "401 again", final=True))
        assert acme.dead_letter(letter.id).recurrences == 1


def test_effects_and_limits_of_an_older_log_stand_where_they_stood(log: Path) -> None:
    """What was done is answered by its receipt; what is unknown is reconciled; limits hold."""
    with redrive.open(placed(log)) as engine:
        acme = engine.for_tenant(TENANT)
        effects = {effect.key: effect for effect in acme.effects().items}
        if effects:
            assert {key: effect.status for key, effect in effects.items()} == {
                "done": "succeeded", "failed": "failed", "lost": "unknown", "made-good": "unknown",
            }  # fmt: skip
            acme.reconcile_effect(EffectId(effects["lost"].id), "did_not_happen", actor="ana", reason="asked the bank")
            assert [(limit.scope, limit.name) for limit in engine.limits()] == [("provider", "bank")]
        assert engine.ledger.capacity_from_log() is not None
