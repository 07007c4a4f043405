"""Outcomes that nobody knows: reconcilers and operators find out, and nothing is sent blindly."""

from typing import Any

import pytest

from redrive import (
    AttemptError,
    Cause,
    DidNotHappen,
    EffectCall,
    Happened,
    KeyReused,
    NotAllowed,
    RetryUnavailable,
    StillUnknown,
)
from redrive.domain.effect import events as e
from tests.engine.conftest import Found
from tests.engine.outworld import DECLINED, OPERATION, PAY, Till, lost, refusing
from tests.processes.workshop import ANA, nothing_written


def test_a_reclaimed_intent_is_unknown_in_the_same_transaction(till: Till) -> None:
    """Nobody sees a run without its holder and an effect that is still being sent."""
    standing = lost(till)
    reclaimed = next(event for event in till.log() if event.topic == "run.claim-abandoned")
    unknown = next(event for event in till.log() if event.topic == "effect.outcome-unknown")
    assert unknown.causation == Cause("event", reclaimed.event_id)
    assert till.effect(standing.id).status == "unknown"


def test_what_happened_is_not_sent_again(till: Till, found: Found) -> None:
    """The reconciler's receipt is the effect's; it was asked for the try that was lost."""
    found.answer = Happened({"charge": 9, "token": "t"})
    standing = lost(till)
    assert till.pay(till.again()) == {"charge": 9, "token": "[redacted]"}
    assert [(call.effect_id, call.try_number) for call in found.asked] == [(standing.id, 1)]
    assert not till.world.done


def test_what_did_not_happen_is_sent_again(till: Till, found: Found) -> None:
    """As the next try, with the same idempotency key."""
    found.answer = DidNotHappen("not there")
    standing = lost(till)
    assert till.pay(till.again()) == {"charge": 1}
    assert [event.try_number for event in till.facts(e.EffectIntended)] == [1, 2]
    assert dict(till.world.done) == {standing.id: 1}


def test_a_corrected_request_may_follow_what_did_not_happen(till: Till, found: Found) -> None:
    """The reconciler is asked for what was really sent."""
    found.answer = DidNotHappen()
    lost(till)
    till.pay(till.again(), request={"amount": 6})
    assert found.asked[0].request == PAY["request"]


def test_what_happened_does_not_answer_another_request(till: Till, found: Found) -> None:
    """The corrected payment was not made."""
    found.answer = Happened({"charge": 9})
    lost(till)
    with refusing(KeyReused):
        till.pay(till.again(), request={"amount": 6})


@pytest.mark.parametrize(
    "answer", [StillUnknown("asleep"), None, "yes", True, RuntimeError("down"), Happened, object()]
)
def test_a_reconciler_that_cannot_tell_ends_the_attempt(till: Till, found: Found, answer: Any) -> None:
    """Still unknown, raising, rubbish: nothing is sent, and a dead letter waits for an operator."""
    found.answer = answer
    lost(till)
    till.fail_in(till.again(), till.world.pay)
    assert till.letters() == [("tool_effect", "open")]
    (letter,) = till.acme.dead_letters().items
    assert (letter.failure_class, letter.verdict) == ("outcome_unknown", "not_retryable")
    assert not till.world.done


def test_without_a_reconciler_it_stays_unknown(till: Till) -> None:
    """For this operation there is none."""
    attempt = till.paying(3)
    till.fail_in(attempt, till.world.pay_and_break, operation="other")
    assert till.letters() == [("tool_effect", "open")]
    with refusing(NotAllowed, "no reconciler"):
        till.acme.reconcile_effect(till.effects()[0].id, **ANA)


def test_an_async_reconciler_is_asked_too(till: Till, found: Found) -> None:
    """By sync and async callers."""

    async def look(_call: EffectCall) -> Any:
        return Happened(1)

    till.engine.services.reconcilers[OPERATION] = look  # type: ignore[index]
    lost(till)
    assert till.pay(till.again()) == 1


def test_a_slow_reconciler_says_nothing_about_a_newer_try(till: Till, found: Found) -> None:
    """While it looked, somebody else found out, sent again, and that try was lost too: it must not be sent thrice."""
    standing = lost(till)
    second = till.again()

    def look(_call: EffectCall) -> DidNotHappen:
        found.answer = StillUnknown()
        till.acme.reconcile_effect(standing.id, "did_not_happen", **ANA)
        till.acme.effect_unknown(till.begun(second), "lost again")
        return DidNotHappen("it was not there when I looked")

    till.engine.services.reconcilers[OPERATION] = look  # type: ignore[index]
    with refusing(AttemptError):
        till.pay(second)
    assert (till.effect(standing.id).status, till.effect(standing.id).tries) == ("unknown", 2)


def test_an_older_success_ends_a_newer_try(till: Till, found: Found) -> None:
    """Try 1 happened after all while try 2 was sent: final; the failure of try 2 changes nothing."""
    found.answer = DidNotHappen()
    first = lost(till)
    second = till.again()
    till.acme.reconcile_effect(first.id, **ANA)
    newer = till.begun(second)
    till.acme.effect_succeeded(first, {"charge": 1})
    till.acme.effect_failed(newer, DECLINED)
    assert till.effect(first.id).status == "succeeded"
    assert till.pay(second) == {"charge": 1}


def test_the_options_of_an_unknown_effect_change_with_what_is_found(till: Till, found: Found) -> None:
    """No retry, no grant while nobody knows; once it did not happen, the retry is offered and sends."""
    standing = till.begun(attempt := till.paying())
    till.fail(attempt)
    letter = till.the_letter()
    for command in (till.acme.request_retry, lambda id_, **who: till.acme.grant_retries(id_, 1, **who)):
        nothing_written(till, RetryUnavailable, lambda command=command: command(letter, **ANA))  # type: ignore[misc]
    found.answer = DidNotHappen()
    till.acme.reconcile_effect(standing.id, **ANA)
    till.acme.request_retry(letter, **ANA)
    assert till.pay(till.again()) == {"charge": 1}
    assert till.status(letter) == "resolved"


@pytest.mark.parametrize(
    ("outcome", "status"), [("succeeded", "resolved"), (" Did-Not-Happen ", "open"), ("still_unknown", "open")]
)
def test_an_operator_says_what_became_of_it(till: Till, outcome: str, status: str) -> None:
    """With a reason; a success resolves its dead letters and answers the next attempt."""
    standing = till.begun(attempt := till.paying())
    till.fail(attempt)
    till.acme.reconcile_effect(standing.id, outcome, receipt={"seen": 1}, **ANA)
    assert till.status(till.the_letter()) == status
    (event,) = till.facts(e.EffectReconciled)
    assert (event.by, event.why) == ("operator", ANA["reason"])


def test_what_is_known_is_not_reconciled(till: Till) -> None:
    """Nor a try that is no longer the last."""
    standing = till.begun(attempt := till.paying())
    nothing_written(till, NotAllowed, lambda: till.acme.reconcile_effect(standing.id, "succeeded", **ANA))
    nothing_written(till, NotAllowed, lambda: till.acme.reconcile_effect(standing.id, **ANA))
    till.acme.effect_unknown(standing, "lost")
    again = lambda: till.acme.reconcile_effect(standing.id, "did_not_happen", try_number=2, **ANA)  # noqa: E731
    nothing_written(till, NotAllowed, again)
    till.acme.complete_attempt(attempt)
