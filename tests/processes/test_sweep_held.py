"""Held dead letters, paused runs, and what needs a look by a person."""

import pytest

from redrive import DeadLetterId, RunId, SweepReport
from redrive.domain.dead_letter import events as dl
from redrive.domain.dead_letter.judge import Act
from tests.processes.redrives import acts, request, two_letters
from tests.processes.workshop import ANA, Shop, chain, policy


def held_letter(shop: Shop) -> tuple[RunId, DeadLetterId]:
    """A dead letter behind a parent that has failed since: the sweep held it."""
    claim = shop.begin(chain("a", "b", retry=policy(1, "dead_letter")))
    shop.acme.complete_attempt(claim.attempts[0])
    shop.fail(shop.acme.start_attempt(claim, "b"))
    letter = shop.letter_of(claim.run_id, "b")
    shop.acme.recover(claim.run_id, nodes=["a"], **ANA)
    shop.fail_again()
    request(shop, letter)
    assert acts(shop.engine.sweep()) == [Act.HOLD]
    return claim.run_id, letter


def test_what_cannot_start_is_held_once(shop: Shop) -> None:
    """With the reason, for operators; the sweep does not look at it again by itself."""
    _, letter = held_letter(shop)
    (held,) = shop.facts(dl.DeadLetterHeld)
    assert "parent" in held.why
    shop.now += 1_000_000
    assert shop.engine.sweep() == SweepReport()
    assert (shop.status(letter), shop.acme.dead_letter(letter).held) == ("retry_requested", held.why)


def test_what_was_held_is_judged_again_when_its_run_changes(shop: Shop) -> None:
    """The parent was redriven, failed again; and at last succeeds with it."""
    run, letter = held_letter(shop)
    shop.acme.recover(run, nodes=["a"], **ANA)
    shop.fail_again()
    assert acts(shop.engine.sweep()) == [Act.HOLD]
    request(shop, shop.letter_of(run, "a"))
    assert set(acts(shop.engine.sweep())) >= {Act.DISPATCH}
    claim = shop.claim()
    shop.acme.complete_attempt(claim.attempts[0])
    shop.acme.complete_attempt(shop.acme.start_attempt(claim, "b"))
    assert (shop.run_status(run), shop.status(letter)) == ("completed", "resolved")


def test_what_was_held_is_judged_again_when_it_changes_itself(shop: Shop) -> None:
    """An operator's grant is a change."""
    _, letter = held_letter(shop)
    shop.acme.grant_retries(letter, 1, **ANA)
    assert len(shop.facts(dl.DeadLetterHeld)) == 2
    assert shop.engine.sweep() == SweepReport()


def test_a_note_is_no_change(shop: Shop) -> None:
    """It decides nothing."""
    run, letter = held_letter(shop)
    shop.acme.note_dead_letter(letter, "seen", actor="ana")
    shop.acme.note(run, "seen", actor="ana")
    assert shop.engine.sweep() == SweepReport()


def test_what_was_held_is_judged_again_by_a_new_engine_version(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may know better; once."""
    held_letter(shop)
    monkeypatch.setattr("redrive.opening.__version__", "99.0")
    shop.reopen()
    assert acts(shop.engine.sweep()) == [Act.HOLD]
    assert shop.engine.sweep() == SweepReport()
    assert [event.engine for event in shop.facts(dl.DeadLetterHeld)] == [shop.log()[0].engine, "99.0"]


# Pause, and what needs review


def test_a_paused_run_is_swept_after_it_is_resumed(shop: Shop) -> None:
    """A pause is accepted while the run is blocked; the request waits for the end of it."""
    run, a, _ = two_letters(shop)
    shop.acme.pause(run, **ANA)
    assert shop.acme.request_retry(a, **ANA).status == "retry_requested"
    assert shop.engine.sweep() == SweepReport()
    shop.acme.resume(run, **ANA)
    assert acts(shop.engine.sweep()) == [Act.DISPATCH]


def test_a_blocked_run_without_an_unsettled_dead_letter_needs_review(shop: Shop) -> None:
    """Nothing will bring it on by itself."""
    run, a, b = two_letters(shop)
    assert not shop.acme.run(run).needs_review
    shop.acme.ignore(a, **ANA)
    assert not shop.acme.run(run).needs_review
    shop.acme.abandon(b, **ANA)
    assert shop.acme.run(run).needs_review
    assert [entry.run_id for entry in shop.acme.queue("needs_review").items] == [run]
    shop.acme.reopen(b, **ANA)
    assert not shop.acme.run(run).needs_review


@pytest.mark.parametrize("settled", [False, True])
def test_an_unsettled_dead_letter_of_a_finished_run_needs_review(shop: Shop, *, settled: bool) -> None:
    """Nothing will redrive it; once it is settled, nobody need look."""
    run, a, b = two_letters(shop)
    shop.acme.cancel(run, **ANA)
    assert shop.acme.dead_letter(a).needs_review
    for letter in (a, b) if settled else ():
        shop.acme.ignore(letter, **ANA)
    assert shop.acme.dead_letter(a).needs_review is not settled
