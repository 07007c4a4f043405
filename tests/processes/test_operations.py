"""What people decide: allowed, refused, or nothing happened; by whom and why is in every event."""

from collections.abc import Callable
from typing import Any

import pytest

from redrive import (
    BudgetSpent,
    DeadLetterId,
    InvalidValue,
    NotAllowed,
    NotFound,
    Principal,
    RunId,
)
from tests.processes.redrives import ONCE, exhaust, two_letters
from tests.processes.workshop import ANA, Shop, nothing_written

RUN_COMMANDS = ("pause", "resume", "cancel", "recover")
LETTER_COMMANDS = ("request_retry", "ignore", "abandon", "resolve", "reopen")
STATUSES = ("open", "retry_requested", "retrying", "parked", "resolved", "ignored", "abandoned")
UNSETTLED = {"open", "retry_requested", "retrying", "parked"}
ALLOWED = {
    "request_retry": {"open"},
    "ignore": UNSETTLED,
    "abandon": UNSETTLED,
    "resolve": UNSETTLED,
    "reopen": {"resolved", "ignored", "abandoned"},
}


def letter_that_is(shop: Shop, status: str) -> DeadLetterId:
    """A dead letter in this status."""
    if status == "parked":
        letter = exhaust(shop)
        shop.engine.sweep()
        return letter
    letter = shop.letter(ONCE)
    if status == "retry_requested":
        shop.acme.pause(run_of(shop, letter), **ANA)
    steps = {"resolved": "resolve", "ignored": "ignore", "abandoned": "abandon"}
    if status != "open":
        getattr(shop.acme, steps.get(status, "request_retry"))(letter, **ANA)
    assert shop.status(letter) == status
    return letter


def run_of(shop: Shop, letter: DeadLetterId) -> RunId:
    """Its run."""
    return RunId(shop.acme.dead_letter(letter).run_id)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("command", LETTER_COMMANDS)
def test_commands_on_a_dead_letter(shop: Shop, command: str, status: str) -> None:
    """Each is one event of that dead letter, with actor and reason; where it does not fit, nothing is written."""
    letter = letter_that_is(shop, status)
    call = getattr(shop.acme, command)
    refusal = BudgetSpent if (command, status) == ("request_retry", "parked") else NotAllowed
    if status not in ALLOWED[command]:
        nothing_written(shop, refusal, lambda: call(letter, **ANA))
        return
    before = len(shop.engine.ledger.stream(letter))
    call(letter, **ANA)
    event = shop.engine.ledger.stream(letter)[before]
    assert (event.actor, event.reason) == (Principal("human", "ana"), ANA["reason"])


@pytest.mark.parametrize("status", STATUSES)
def test_a_grant(shop: Shop, status: str) -> None:
    """Open and parked go on; what is on its way keeps going; what is settled is refused."""
    letter = letter_that_is(shop, status)
    if status not in UNSETTLED:
        nothing_written(shop, NotAllowed, lambda: shop.acme.grant_retries(letter, 2, **ANA))
        return
    shop.acme.grant_retries(letter, 2, **ANA)
    assert shop.acme.dead_letter(letter).budget_granted == 2
    assert shop.status(letter) == ("retry_requested" if status == "retry_requested" else "retrying")


@pytest.mark.parametrize("n", [0, 101, True, 1.5, "2"])
def test_a_grant_of_an_impossible_number_is_refused(shop: Shop, n: Any) -> None:
    """1 to 100."""
    letter = shop.letter()
    nothing_written(shop, InvalidValue, lambda: shop.acme.grant_retries(letter, n, **ANA))


def stopped(shop: Shop, verb: str) -> RunId:
    """A queued run that was paused or cancelled."""
    run = shop.submit()
    getattr(shop.acme, verb)(run, **ANA)
    return run


def completed(shop: Shop) -> RunId:
    """A completed run."""
    claim = shop.begin()
    shop.acme.complete_attempt(claim.attempts[0])
    return claim.run_id


RUNS: dict[str, Callable[[Shop], RunId]] = {
    "queued": lambda shop: shop.submit(),
    "running": lambda shop: shop.begin().run_id,
    "paused": lambda shop: stopped(shop, "pause"),
    "blocked": lambda shop: two_letters(shop, "pause_for_review")[0],
    "failed": lambda shop: two_letters(shop, "fail_run")[0],
    "completed": completed,
    "cancelled": lambda shop: stopped(shop, "cancel"),
}
FITS = {
    "pause": set(RUNS) - {"completed", "cancelled"},
    "resume": {"paused"},
    "cancel": set(RUNS) - {"completed", "cancelled"},
    "recover": {"blocked", "failed"},
}


@pytest.mark.parametrize("status", RUNS)
@pytest.mark.parametrize("command", RUN_COMMANDS)
def test_commands_on_a_run(shop: Shop, command: str, status: str) -> None:
    """Their first event has the actor and the reason; where they do not fit, nothing is written."""
    run = RUNS[status](shop)
    assert shop.run_status(run) == status
    call = getattr(shop.acme, command)
    if status not in FITS[command]:
        nothing_written(shop, NotAllowed, lambda: call(run, **ANA))
        return
    before = shop.engine.ledger.last_position()
    assert call(run, **ANA) == shop.run_status(run)
    event = shop.engine.ledger.read(before)[0]
    assert (event.actor, event.reason) == (Principal("human", "ana"), ANA["reason"])


@pytest.mark.parametrize("reason", ["", " \t\n", None, 7, "x" * 4_097])
def test_a_reason_that_says_nothing_is_refused(shop: Shop, reason: Any) -> None:
    """By every command that decides something."""
    letter = shop.letter()
    run = run_of(shop, letter)
    for command in RUN_COMMANDS:
        nothing_written(shop, InvalidValue, lambda c=command: getattr(shop.acme, c)(run, actor="ana", reason=reason))  # type: ignore[misc]
    for command in LETTER_COMMANDS:
        nothing_written(shop, InvalidValue, lambda c=command: getattr(shop.acme, c)(letter, actor="ana", reason=reason))  # type: ignore[misc]
    nothing_written(shop, InvalidValue, lambda: shop.acme.grant_retries(letter, 1, actor="ana", reason=reason))


@pytest.mark.parametrize("actor", ["", " ", 7, "x" * 513])
def test_nobody_is_no_actor(shop: Shop, actor: Any) -> None:
    """Somebody decided; the log says who."""
    letter = shop.letter()
    nothing_written(shop, InvalidValue, lambda: shop.acme.ignore(letter, actor=actor, reason="x"))
    nothing_written(shop, InvalidValue, lambda: shop.acme.note_dead_letter(letter, "x", actor=actor))


def test_an_authenticated_principal_is_recorded_as_it_is(shop: Shop) -> None:
    """Kind, id, and on whose behalf."""
    bot = Principal("external", "oidc|42", on_behalf_of="ana")
    letter = shop.letter()
    shop.acme.ignore(letter, actor=bot, reason="x")
    assert shop.engine.ledger.stream(letter)[-1].actor == bot
    entry = shop.acme.history(run_of(shop, letter)).items[-1]
    assert (entry.actor, entry.on_behalf_of) == ("external:oidc|42", "ana")


def test_two_commands_in_one_millisecond_are_two_events(shop: Shop) -> None:
    """The time is no identity: not even of equal notes."""
    run = shop.submit()
    for _ in range(2):
        shop.acme.note(run, "seen", actor="ana")
    assert shop.topics(run) == ["submitted", "note-added", "note-added"]
    first, second = shop.engine.ledger.stream(run)[1:]
    assert (first.occurred_at_ms, first.event_id != second.event_id) == (second.occurred_at_ms, True)


@pytest.mark.parametrize("command", [*LETTER_COMMANDS, "grant_retries", "note_dead_letter"])
def test_a_dead_letter_of_another_run_is_refused_whole(shop: Shop, command: str) -> None:
    """Also when the command would fit; under its own run it is done."""
    letter = letter_that_is(shop, "ignored" if command == "reopen" else "open")
    other = shop.submit()
    more: dict[str, Any] = {} if command == "note_dead_letter" else {"reason": "x"}
    extra: dict[str, list[Any]] = {"grant_retries": [1], "note_dead_letter": ["x"]}
    arguments = [letter, *extra.get(command, [])]
    call = getattr(shop.acme, command)
    refused = nothing_written(shop, NotFound, lambda: call(*arguments, actor="ana", run_id=other, **more))
    assert str(refused) == f"dead letter {letter!r} was not found"
    call(*arguments, actor="ana", run_id=run_of(shop, letter), **more)


def test_not_found_and_not_yours_look_the_same(shop: Shop) -> None:
    """But for the id that was asked for."""
    letter = shop.letter()
    run, stranger = run_of(shop, letter), shop.engine.local
    for id_, missing in ((letter, "0" * 36), (run, "1" * 36)):
        calls = (stranger.ignore,) if id_ is letter else (stranger.pause, stranger.cancel, stranger.recover)
        for call in calls:
            said = [str(nothing_written(shop, NotFound, lambda c=call, i=i: c(i, **ANA))) for i in (id_, missing)]  # type: ignore[misc]
            assert said[0].replace(id_, missing) == said[1]
