"""The dispatch: together or not at all, racing whoever else decides."""

from collections.abc import Iterator
from typing import Any

import pytest

from redrive import Engine, RedrivePolicy, StorageError, SweepReport
from redrive.domain.dead_letter import events as dl
from redrive.domain.dead_letter.judge import Act
from redrive.domain.run import events as e
from redrive.ledger.committer import Committer
from redrive.ledger.recorder import LogRecorder
from tests.processes.redrives import AGAIN, ONCE, acts, request, two_letters
from tests.processes.workshop import ANA, MODES, Shop, running


def test_7_all_due_dead_letters_of_a_run_go_together(shop: Shop) -> None:
    """One requeue with both roots, one dispatch each, in one commit; the requests are the cause."""
    run, a, b = two_letters(shop)
    request(shop, a, b)
    commits = shop.engine.ledger.committer.commits
    assert acts(shop.engine.sweep()) == [Act.DISPATCH, Act.DISPATCH]
    assert shop.engine.ledger.committer.commits == commits + 1
    (requeued,) = shop.facts(e.RunRequeued)
    assert (requeued.cause, requeued.roots, requeued.reset_count, requeued.generation) == ("redrive", ("a", "b"), 2, 2)
    sent = shop.facts(dl.DeadLetterRetryDispatched)
    assert [(event.count, event.generation, event.backoff_ms) for event in sent] == [(1, 2, 2000)] * 2
    assert {event.policy for event in sent} == {RedrivePolicy().id}
    assert {shop.status(a), shop.status(b), shop.run_status(run)} == {"retrying", "queued"}


@pytest.mark.parametrize("failing_insert", [1, 2, 3])
def test_7_a_dispatch_is_whole_or_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch, failing_insert: int) -> None:
    """Whatever the storage refuses, nothing of it is there; the next look decides afresh."""
    run, a, b = two_letters(shop)
    request(shop, a, b)
    before = shop.engine.ledger.last_position()
    break_append(monkeypatch, failing_insert)
    with pytest.raises(StorageError):
        shop.engine.sweep()
    assert (shop.engine.ledger.last_position(), shop.run_status(run)) == (before, "blocked")
    monkeypatch.undo()
    shop.check()
    assert acts(shop.engine.sweep()) == [Act.DISPATCH, Act.DISPATCH]


def break_append(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let the append fail: before its rows, after them, or at the commit."""
    insert = LogRecorder.insert

    def failing_insert(*arguments: Any, **more: Any) -> None:
        if step == 2:
            insert(*arguments, **more)
        raise StorageError("no space left on device")

    def failing_commit(self: Committer, last: Any) -> None:
        raise StorageError("no space left on device")

    if step == 3:
        monkeypatch.setattr(Committer, "_commit", failing_commit)
    else:
        monkeypatch.setattr(LogRecorder, "insert", failing_insert)


def test_7_one_whose_backoff_still_holds_stays_behind(shop: Shop) -> None:
    """Each honours its own due time; the run is requeued for the other alone."""
    run, a, b = two_letters(shop)
    request(shop, a)
    shop.engine.sweep()
    shop.fail_again(AGAIN)
    request(shop, b)
    assert [act.node for act in shop.engine.sweep().acted] == ["b"]
    assert [event.roots for event in shop.facts(e.RunRequeued)] == [("a",), ("b",)]
    assert (shop.run_status(run), shop.status(a)) == ("queued", "retrying")


@pytest.mark.parametrize("mode", MODES)
def test_7_of_two_dead_letters_only_the_retried_runs_again(shop: Shop, mode: str) -> None:
    """Under each terminal mode: the other's failure stays, and the run ends where that mode puts it."""
    run, a, b = two_letters(shop, mode)
    shop.acme.request_retry(a, **ANA)
    (attempt,) = shop.claim().attempts
    shop.acme.complete_attempt(attempt)
    assert (attempt.node, shop.status(a), shop.status(b)) == ("a", "resolved", "open")
    assert shop.run_status(run) == ("failed" if mode == "fail_run" else "blocked")
    assert shop.node(run, "b").status == "failed"
    shop.acme.request_retry(b, **ANA)
    shop.acme.complete_attempt(shop.claim().attempts[0])
    assert shop.run_status(run) == "completed"


def test_7_a_dead_letter_that_opens_after_a_request_is_not_dispatched_with_it(shop: Shop) -> None:
    """Nobody asked for it."""
    run, a, b = two_letters(shop)
    request(shop, a)
    shop.engine.sweep()
    assert (shop.status(a), shop.status(b), shop.node(run, "b").status) == ("retrying", "open", "failed")


@pytest.mark.parametrize("first", ["ignore", "sweep"])
def test_an_ignore_that_races_a_dispatch(shop: Shop, first: str) -> None:
    """What landed first stands: an ignored one is not dispatched, a dispatched one runs on, though ignored."""
    letter = shop.letter(ONCE)
    request(shop, letter)
    if first == "ignore":
        shop.acme.ignore(letter, **ANA)
        assert shop.engine.sweep() == SweepReport()
        return
    shop.engine.sweep()
    shop.acme.ignore(letter, **ANA)
    shop.acme.complete_attempt(shop.claim().attempts[0])
    assert (shop.status(letter), shop.topics(letter)[-1]) == ("ignored", "superseded")


def test_an_ignore_between_the_look_and_the_decision_stands(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of due dead letters was read before; the decision reads the state itself."""
    letter = shop.letter(ONCE)
    request(shop, letter)
    sweeping = shop.engine.ledger.sweeping

    def look_then_ignore(*asked: Any) -> Iterator[Any]:
        for page in sweeping(*asked):
            shop.acme.ignore(letter, **ANA)
            yield page

    monkeypatch.setattr(shop.engine.ledger, "sweeping", look_then_ignore)
    assert shop.engine.sweep() == SweepReport()
    assert (shop.status(letter), shop.facts(e.RunRequeued)) == ("ignored", [])


def test_two_sweeps_at_once_dispatch_once(shop: Shop) -> None:
    """Whoever comes second finds the run queued."""
    request(shop, *(shop.letter(ONCE) for _ in range(5)))
    with running(lambda: void(shop.engine)), running(lambda: void(shop.engine)):
        void(shop.engine)
    assert len(shop.facts(dl.DeadLetterRetryDispatched)) == len(shop.facts(e.RunRequeued)) == 5


def void(engine: Engine) -> None:
    """Sweep."""
    engine.sweep()
