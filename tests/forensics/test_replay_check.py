"""The replay check: recorded decisions are made again, and drift is found where it begins."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive import Failure, InvalidValue
from redrive.domain.dead_letter import judge
from redrive.domain.retry_policy import Backoff
from redrive.domain.run import control
from redrive.forensics.decided_again.replay_check import ReplayReport
from tests.ledger.world import put_raw
from tests.ledger.write_golden import LOGS
from tests.processes.workshop import ANA, Shop, beside, chain, policy
from tests.stores import log_url, placed

AGAIN = Failure("provider_transient", "no answer")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose log holds retries, a dead letter, its dispatches and a recovery."""
    shop = Shop(tmp_path / "log.db")
    run = shop.submit(chain("a", "b", retry=policy(2, delay_ms=1_000)))
    for _ in range(2):
        shop.fail(*shop.claim().attempts, failure=AGAIN)
        shop.now += 1_000
    shop.acme.request_retry(shop.letter_of(run), **ANA)
    for _ in range(2):
        shop.now += 10_000
        shop.engine.sweep()
        shop.fail(*shop.claim().attempts, failure=AGAIN)
        shop.now += 1_000
        shop.fail(*shop.claim().attempts, failure=AGAIN)
    yield shop
    shop.engine.close()


def replayed(shop: Shop) -> ReplayReport:
    """What the replay check says about the whole log."""
    return shop.engine.replay_check()


def test_a_log_is_decided_again_as_it_was(shop: Shop) -> None:
    """Every command of the log is made again by the ordinary code, and nothing differs."""
    report = replayed(shop)
    assert report.same
    assert not report.differences
    assert report.events == shop.engine.ledger.last_position() == report.footing.position
    assert {"submit", "claim", "start", "fail", "request retry", "sweep"} <= report.checked.keys()


@pytest.mark.parametrize("golden", sorted(LOGS.glob("*.db")), ids=lambda path: path.stem)
def test_logs_of_older_versions_raise_no_alarm(golden: Path, tmp_path: Path) -> None:
    """Also those whose event ids do not tell which events were written together."""
    shutil.copy(golden, tmp_path / "log.db")
    with redrive.open(placed(tmp_path / "log.db")) as engine:
        assert engine.replay_check().first is None
        assert sum(engine.replay_check().checked.values()) > 40


def test_another_backoff_formula_is_caught_at_the_first_decision(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """With position, stream, node, both values, and the inputs of the decision."""
    monkeypatch.setattr(Backoff, "delay_ms", lambda _self, number: 1_500 * number)
    report = replayed(shop)
    first = report.first
    assert first is not None
    assert (first.rule, first.node, first.topic) == ("fail", "a", "run.attempt-failed")
    assert first.position == next(r.position for r in shop.log() if r.topic == "run.attempt-failed")
    assert first.fields["decision.delay_ms"] == (1_000, 1_500)
    assert first.inputs["draw"] == 0.0
    assert first.inputs["now_ms"] == first.inputs["decided_at_ms"] == 1_000_000
    assert report.differences["fail"] == 6


def test_another_judge_is_caught(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep that dispatched would park."""
    monkeypatch.setattr(judge, "budget_of", lambda _dl, _policy: 0)
    first = replayed(shop).first
    assert first is not None
    assert (first.rule, first.topic, first.recomputed_topic) == (
        "sweep", "run.requeued", "dead-letter.retry-exhausted",
    )  # fmt: skip


def test_another_settle_is_caught(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that failed would be blocked."""
    monkeypatch.setattr("redrive.domain.run.settle._stopped", _blocked)
    first = replayed(shop).first
    assert first is not None
    assert (first.rule, first.topic, first.recomputed_topic) == ("fail", "run.failed", "run.blocked")


def _blocked(_standing: object, _failed: object, now_ms: int) -> list[Any]:
    from redrive.domain.run.events import RunBlocked

    return [RunBlocked(finished_at_ms=now_ms)]


def test_another_reset_set_is_caught(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log names roots, count and digest: a set of another size, or with other nodes, differs."""
    monkeypatch.setattr(control, "dependants", lambda _children, roots: list(roots))
    first = replayed(shop).first
    assert first is not None
    assert first.topic == "run.requeued"
    assert first.fields["reset_count"] == (2, 1)
    assert "reset_digest" in first.fields


def test_a_rule_that_would_refuse_is_caught(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was allowed and would not be today is a difference, not an error."""

    def refuse(*_: object, **__: object) -> None:
        raise redrive.NotAllowed("claim", "it", "of another rule")

    monkeypatch.setattr("redrive.forensics.decided_again.commands.claim_run", refuse)
    first = replayed(shop).first
    assert first is not None
    assert first.rule == "claim"
    assert "not-allowed" in first.why


def test_only_decisions_after_a_position_are_made_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """States are read from the log as they stood there."""
    monkeypatch.setattr(Backoff, "delay_ms", lambda _self, number: 1_500)
    last = max(r.position for r in shop.log() if r.topic == "run.attempt-failed")
    report = shop.engine.replay_check(from_=last - 1)
    assert report.first is not None
    assert report.first.position == last
    assert shop.engine.replay_check(from_=last).first is None


def test_an_end_before_the_beginning_is_refused(shop: Shop) -> None:
    """Naming what is accepted."""
    with pytest.raises(InvalidValue, match="not before pos:5"):
        shop.engine.replay_check(from_=5, to=2)


def test_events_of_a_newer_version_are_passed_over_and_told(shop: Shop) -> None:
    """Their streams are left alone, all else is checked."""
    run = shop.submit(beside("x"))
    put_raw(str(shop.path), run, "run.teleported/1", b'{"id":"ff","at":1}')
    report = replayed(shop)
    assert report.same
    assert report.unknown_events == 1
    assert any("does not know" in why for why in report.given)


def test_an_empty_log_has_nothing_to_differ(tmp_path: Path) -> None:
    """No event, no decision, no difference."""
    with redrive.open(log_url(tmp_path / "empty.db")) as engine:
        report = engine.replay_check()
    assert (report.same, report.events, report.checked) == (True, 0, {})


def test_the_check_writes_nothing(shop: Shop) -> None:
    """Neither to the log nor to the states that commands decide on."""
    before = [(r.position, r.event_id) for r in shop.log()]
    replayed(shop)
    shop.check()
    assert [(r.position, r.event_id) for r in shop.log()] == before


def test_states_that_were_dropped_are_read_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long log does not fit in memory: what is not used is dropped, and comes back as it was."""
    for n in range(5):
        shop.submit(beside("x", "y"), key=str(n))
    shop.acme.claim_many(9, worker="w", start=True)
    monkeypatch.setattr("redrive.forensics.decided_again.streams.MOST_EVENTS", 1)
    assert replayed(shop).same
