"""The hard cases, one test each; where another file has more about a case, its test here is the short form.

Unknown event types have a file of their own beside this one. Views that are fed each event twice are in
tests/projections; processes that really die are in tests/processes.
"""

import itertools
from typing import Any

import pytest

from redrive import DeadLetterId, NotRunning, RunId, StaleAttempt
from redrive.domain.dead_letter import events as dl
from redrive.domain.run import events as e
from redrive.ledger.committer import Committer
from tests.processes.redrives import ONCE, request
from tests.processes.workshop import ANA, FINAL, MODES, TIMEOUT, Shop, beside, chain, policy, running


class Crash(BaseException):
    """The process is gone."""


def work_to_the_end(shop: Shop) -> None:
    """One node fails for good once, is redriven, and the run completes."""
    run = shop.submit(chain("a", "b", retry=policy(2, delay_ms=50)), key="k")
    for _ in range(20):
        shop.engine.tick()
        claim = shop.acme.claim(worker="w", start=True)
        for attempt in claim.attempts if claim else ():
            if shop.node(run).lifetime < 3:
                shop.acme.fail_attempt(attempt, TIMEOUT)
            else:
                shop.acme.complete_attempt(attempt)
        for letter in shop.acme.dead_letters(status="open").items:
            shop.acme.request_retry(DeadLetterId(letter.id), **ANA)
        shop.now += 5_000_000
        if shop.run_status(run) == "completed":
            return
    raise AssertionError("it never completed")


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("step", range(1, 12))
def test_crash_between_any_two_writes(shop: Shop, monkeypatch: pytest.MonkeyPatch, step: int, *, late: bool) -> None:
    """Before or after each commit: the log is sound, and the same work goes on to the end."""
    count = itertools.count(1)
    commit = Committer._commit

    def crashing(self: Committer, last: Any) -> None:
        if next(count) != step:
            return commit(self, last)
        if late:
            commit(self, last)
        raise Crash

    monkeypatch.setattr(Committer, "_commit", crashing)
    with pytest.raises(Crash):
        work_to_the_end(shop)
    monkeypatch.undo()
    shop.reopen()
    shop.check()
    work_to_the_end(shop)
    assert [event.node for event in shop.facts(e.AttemptSucceeded)] == ["a", "b"]


def test_two_sweeps_at_once(shop: Shop) -> None:
    """From two engines on one log: each dead letter is dispatched once."""
    request(shop, *(shop.letter(ONCE) for _ in range(8)))
    other = Shop(shop.path)
    other.now = shop.now

    def both() -> None:
        other.engine.sweep()

    with running(both):
        shop.engine.sweep()
    other.engine.close()
    assert len(shop.facts(dl.DeadLetterRetryDispatched)) == len(shop.facts(e.RunRequeued)) == 8


def test_a_zombie_executor(shop: Shop) -> None:
    """It comes back after its run was taken, failed, and was redriven: nothing that it says counts."""
    zombie = shop.attempt(ONCE)
    shop.now += 10_000_000
    shop.engine.tick()
    shop.acme.request_retry(shop.letter_of(zombie.run_id), **ANA)
    live = shop.claim().attempts[0]
    for report in (shop.acme.complete_attempt, lambda a: shop.acme.fail_attempt(a, FINAL)):
        with pytest.raises((NotRunning, StaleAttempt, Exception), match="epoch"):
            report(zombie)
    assert shop.acme.complete_attempt(live).status == "completed"


def test_a_handler_that_kills_its_process(shop: Shop) -> None:
    """Simulated: each claim is of a process that is gone. Three attempts, one dead letter, no endless loop."""
    from tests.processes.test_ticker import a_dead_process

    a_dead_process(shop)
    run = shop.submit(beside("a", retry=policy(3)))
    for _ in range(6):
        shop.acme.claim(worker="w", start=True)
        shop.engine.tick()
    assert (shop.run_status(run), len(shop.facts(e.AttemptInterrupted))) == ("failed", 3)
    assert len(shop.facts(dl.DeadLetterOpened)) == 1


def test_clock_backwards(shop: Shop) -> None:
    """Nothing alive is reclaimed, nothing is due early, and recorded times never fall."""
    claim = shop.begin(beside("a", "b", retry=policy(delay_ms=50)))
    shop.acme.fail_attempt(claim.attempts[0], TIMEOUT)
    shop.now -= 900_000
    assert shop.engine.tick().reclaimed == []
    assert shop.acme.start_attempts(claim) == []
    shop.acme.complete_attempt(claim.attempts[1])
    assert shop.acme.claim(worker="w") is None
    shop.now += 900_050
    shop.acme.complete_attempt(shop.claim().attempts[0])
    times = [event.recorded_at_ms for event in shop.log()]
    assert times == sorted(times)


def test_a_clock_that_was_ahead_when_a_run_was_queued(shop: Shop) -> None:
    """By the clocks that are right it is not due yet, though one of its nodes has waited long enough."""
    run = shop.submit(beside("a", "b", retry=policy(3, delay_ms=50)))
    claim = shop.acme.claim(worker="w")
    assert claim is not None
    attempt = shop.acme.start_attempt(claim, "a")
    shop.acme.pause(run, **ANA)
    shop.acme.fail_attempt(attempt, TIMEOUT)
    shop.now += 4_000
    shop.acme.resume(run, **ANA)
    shop.now -= 3_900
    assert shop.acme.claim(worker="w") is None
    shop.now += 3_900
    assert {attempt.node for attempt in shop.claim().attempts} == {"a", "b"}
    shop.check()


def test_the_same_report_three_times_before_and_after_restart(shop: Shop) -> None:
    """One event, one answer."""
    attempt = shop.attempt()
    answers = [shop.acme.fail_attempt(attempt, FINAL) for _ in range(3)]
    shop.reopen()
    answers += [shop.acme.fail_attempt(attempt, FINAL) for _ in range(3)]
    assert all(answer == answers[0] for answer in answers)
    assert (len(shop.facts(e.AttemptFailed)), len(shop.facts(dl.DeadLetterOpened))) == (1, 1)


def test_success_before_the_failure_it_answers(shop: Shop) -> None:
    """The attempt succeeded; a failure of it that comes later opens nothing."""
    attempt, _ = shop.begin(beside("a", "b")).attempts
    shop.acme.complete_attempt(attempt)
    with pytest.raises(StaleAttempt):
        shop.acme.fail_attempt(attempt, FINAL)
    assert not shop.facts(dl.DeadLetterOpened)


def test_equal_keys_in_two_tenants(shop: Shop) -> None:
    """Two runs, two dead letters; each tenant has its own."""
    letters = set()
    for tenant in (shop.acme, shop.engine.local):
        run = tenant.submit(ONCE, automation="nightly", key="k")
        (claim,) = tenant.claim_many(1, worker="w", start=True)
        tenant.fail_attempt(claim.attempts[0], FINAL)
        letters.add((run, tenant.dead_letters().items[0].id))
    assert len({run for run, _ in letters}) == len({letter for _, letter in letters}) == 2


def test_cancel_during_backoff(shop: Shop) -> None:
    """It never returns: not when the backoff ends, not by a late report, not by a recover."""
    attempt = shop.attempt(beside("a", retry=policy(delay_ms=50)))
    shop.acme.fail_attempt(attempt, TIMEOUT)
    shop.acme.cancel(attempt.run_id, **ANA)
    shop.now += 1_000
    shop.engine.tick()
    assert shop.acme.claim(worker="w") is None
    with pytest.raises(Exception, match="cannot requeue"):
        shop.acme.recover(attempt.run_id, **ANA)


@pytest.mark.parametrize("mode", MODES)
def test_two_dead_letters_of_one_run_one_retried(shop: Shop, mode: str) -> None:
    """Its success resolves its own; the run ends where the other one's mode puts it."""
    claim = shop.begin(beside("a", "b", retry=policy(1, mode)))
    shop.fail(*claim.attempts)
    shop.acme.request_retry(shop.letter_of(claim.run_id, "a"), **ANA)
    shop.acme.complete_attempt(shop.claim().attempts[0])
    assert shop.status(shop.letter_of(claim.run_id, "a")) == "resolved"
    assert shop.status(shop.letter_of(claim.run_id, "b")) == "open"
    assert shop.run_status(claim.run_id) == ("failed" if mode == "fail_run" else "blocked")


@pytest.mark.parametrize("first", ["ignore", "dispatch"])
def test_ignore_racing_a_dispatch(shop: Shop, first: str) -> None:
    """An ignore that landed first stands; one that came second settles it while the run goes on."""
    letter = shop.letter(ONCE)
    request(shop, letter)
    for act in ("ignore", "dispatch") if first == "ignore" else ("dispatch", "ignore"):
        shop.acme.ignore(letter, **ANA) if act == "ignore" else shop.engine.sweep()
    assert shop.status(letter) == "ignored"
    assert len(shop.facts(e.RunRequeued)) == (0 if first == "ignore" else 1)


@pytest.mark.parametrize("first", ["failure", "success"])
def test_a_late_success_racing_a_dead_letters_opening(shop: Shop, first: str) -> None:
    """Two reports of one attempt in one commit: the first stands, the other is stale."""
    attempt, _ = shop.begin(beside("a", "b", retry=policy(1, "dead_letter"))).attempts
    with shop.engine.batch() as batch:
        fail: tuple[Any, ...] = (shop.acme.fail_attempt, attempt, FINAL)
        succeed: tuple[Any, ...] = (shop.acme.complete_attempt, attempt)
        _, late = (batch.add(*report) for report in ((fail, succeed) if first == "failure" else (succeed, fail)))
    with pytest.raises(StaleAttempt):
        late.result()
    assert len(shop.facts(dl.DeadLetterOpened)) == (1 if first == "failure" else 0)


def test_pause_racing_a_failure(shop: Shop) -> None:
    """The failure is recorded and its backoff kept; a final one wins over the pause."""
    first, second = shop.attempt(beside("a", retry=policy(delay_ms=50))), shop.attempt(ONCE)
    for attempt in (first, second):
        shop.acme.pause(attempt.run_id, **ANA)
    shop.acme.fail_attempt(first, TIMEOUT)
    shop.acme.fail_attempt(second, FINAL)
    assert (shop.run_status(first.run_id), shop.run_status(second.run_id)) == ("paused", "failed")
    assert shop.node(first.run_id).due_ms == shop.now + 50


def test_hostile_text(shop: Shop) -> None:
    """In every text that comes from outside: stored, shown, searched, and read back after a restart."""
    nasty = "'; DROP TABLE events; -- \0 \ud800 \u202e \x1b[31m <script> %s {} \\ \n" + "🦊" * 40
    run = shop.submit(beside(nasty), automation=nasty, key=nasty, input=nasty, actor=nasty)
    claim = shop.claim()
    shop.acme.fail_attempt(claim.attempts[0], ValueError(nasty))
    shop.acme.note(run, nasty, actor=nasty)
    shop.reopen()
    clean = nasty.replace("\ud800", "\ufffd")
    detail = shop.acme.show(RunId(run))
    assert (detail.automation, detail.key, detail.input, detail.nodes[0].node) == (clean,) * 4
    assert shop.acme.history(run, text="DROP TABLE").items
    assert [item.run_id for item in shop.acme.runs(automation=clean).items] == [run]


def test_views_rebuilt_equal_the_live_ones(shop: Shop) -> None:
    """The fixture compares them after every test of this file; here after a long story."""
    work_to_the_end(shop)
    request(shop, shop.letter(ONCE))
    shop.engine.sweep()
    shop.fail_again(TIMEOUT)
    shop.check()
