"""Golden logs: a log that an earlier version wrote opens, is understood to the last event, and goes on."""

import shutil
from pathlib import Path

import pytest

import redrive
from redrive import Disposition, EffectId, Failure, Status, UnknownEvent, Worker
from tests.ledger.write_golden import LOGS, TENANT
from tests.stores import placed

GOLDEN = sorted(LOGS.glob("*.db"))
HANDLERS = {name: lambda attempt: {"done": attempt.node} for name in ("fetch", "check", "mail")}


@pytest.fixture(params=GOLDEN, ids=lambda path: path.stem)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a golden log."""
    return Path(shutil.copy(request.param, tmp_path / "golden.db"))


def test_there_is_a_golden_log() -> None:
    """Else the tests below would prove nothing."""
    assert GOLDEN


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
