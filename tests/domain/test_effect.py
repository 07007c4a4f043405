"""Effects: one durable intent before each sending, and outcomes that are facts about the world."""

from collections.abc import Callable
from typing import Any

import pytest

from redrive.domain.effect import events as e
from redrive.domain.effect.rules import (
    OUTSIDE_LEASE_MS,
    fail,
    has_passed,
    intend,
    is_done,
    is_live,
    lose,
    reconcile,
    succeed,
    withhold,
)
from redrive.domain.effect.state import Effect
from redrive.domain.errors import InFlight, InvalidValue, KeyReused, NotAllowed
from redrive.domain.event import Event
from tests.domain.effect_facts import (
    EFFECT,
    EFFECTS,
    LOST,
    OTHER_RECEIPT,
    RECEIPT,
    asked,
    done,
    found,
    intended,
    intended_outside,
    lost,
    not_done,
)
from tests.domain.facts import BROKEN, TIMEOUT, attempt, cancelled, claimed, failed, line, started, submitted, succeeded
from tests.domain.given import fact, given, given_effect

RUNNING = given(submitted(line("a", "b")), claimed(), started("a"))
SENDABLE = ("failed", "withheld")
AT: dict[str, Any] = {"now_ms": 7}


def intend_again(effect: Effect | None, digest: str = "d-1") -> e.EffectIntended:
    """The intent of the running attempt."""
    return intend(effect, EFFECT, asked(digest), RUNNING.state, attempt("a"), "w1", **AT)


def withhold_it(effect: Effect | None) -> e.EffectWithheld:
    """What the gate says to the running attempt."""
    return withhold(effect, EFFECT, asked(), RUNNING.state, attempt("a"), "no", **AT)


def test_the_first_intent_names_its_attempt() -> None:
    """What fences it: run, node, lifetime and epoch; it has no lease of its own."""
    event = intend_again(None)
    assert (event.try_number, event.lifetime, event.epoch, event.node, event.expires_at_ms) == (1, 1, 1, "a", None)


def test_an_intent_outside_runs_has_a_lease() -> None:
    """Nothing else would tell that its sender is gone."""
    event = intend(None, EFFECT, asked(), None, None, "ana", **AT)
    assert (event.run, event.node, event.expires_at_ms) == (None, None, 7 + OUTSIDE_LEASE_MS)


@pytest.mark.parametrize("status", SENDABLE)
def test_what_did_not_happen_may_be_sent_again(status: str) -> None:
    """Also a corrected request, with another digest."""
    given_effect(*EFFECTS[status]).when(intend_again, "d-2").then(
        fact(e.EffectIntended, try_number=2 if status == "failed" else 1, request=asked("d-2"))
    )


@pytest.mark.parametrize("status", sorted(EFFECTS.keys() - set(SENDABLE)))
def test_whatever_may_have_happened_is_not_sent(status: str) -> None:
    """Never blindly."""
    given_effect(*EFFECTS[status]).when(intend_again).then_refused(NotAllowed, f"it is {status}")


@pytest.mark.parametrize("status", SENDABLE)
def test_the_gate_withholds_what_would_be_sent(status: str) -> None:
    """Nothing goes out; the effect stands withheld."""
    after = given_effect(*EFFECTS[status]).when(withhold_it).then(fact(e.EffectWithheld, why="no"))
    assert after.state.status == "withheld"


@pytest.mark.parametrize(
    ("status", "error"), [("intended", InFlight), ("succeeded", NotAllowed), ("unknown", NotAllowed)]
)
def test_what_went_out_is_not_withheld(status: str, error: type[Any]) -> None:
    """It would hide what may have happened."""
    given_effect(*EFFECTS[status]).when(withhold_it).then_refused(error)


def test_a_success_answers_the_same_request() -> None:
    """Nothing is sent twice."""
    assert is_done(given_effect(*EFFECTS["succeeded"]).state, asked())


def test_a_success_does_not_answer_another_request() -> None:
    """The key names one action."""
    with pytest.raises(KeyReused):
        is_done(given_effect(*EFFECTS["succeeded"]).state, asked("d-2"))


@pytest.mark.parametrize("status", sorted(EFFECTS.keys() - {"succeeded"}))
def test_only_a_success_answers(status: str) -> None:
    """Whatever the digest."""
    assert not is_done(given_effect(*EFFECTS[status]).state, asked("d-2"))


def test_a_late_success_answers_what_its_own_try_asked() -> None:
    """Try 1 was thought lost, try 2 asks for something else: the success of try 1 is not that of try 2."""
    effect = given_effect(intended(), lost(), found("did_not_happen"), intended(2, "d-2"), done(1, late=True)).state
    assert is_done(effect, asked("d-1"))
    with pytest.raises(KeyReused):
        is_done(effect, asked("d-2"))


OUTCOMES: list[tuple[Callable[..., list[Event]], tuple[Any, ...], type[Event], str]] = [
    (succeed, (RECEIPT,), e.EffectSucceeded, "succeeded"),
    (fail, (BROKEN, None), e.EffectFailed, "failed"),
    (lose, ("lost",), e.EffectOutcomeUnknown, "unknown"),
]


@pytest.mark.parametrize(("rule", "values", "event", "then"), OUTCOMES)
@pytest.mark.parametrize("late", [False, True])
def test_the_outcome_of_an_intent_is_recorded(
    rule: Callable[..., list[Event]], values: tuple[Any, ...], event: type[Event], then: str, *, late: bool
) -> None:
    """It moves the effect, also when its attempt has passed."""
    after = given_effect(intended()).when(rule, 1, *values, late=late, **AT).then(fact(event, late=late))
    assert after.state.status == then


@pytest.mark.parametrize(("rule", "values", "_event", "_then"), OUTCOMES)
def test_the_identical_report_again_is_no_news(
    rule: Callable[..., list[Event]], values: tuple[Any, ...], _event: type[Event], _then: str
) -> None:
    """Three times, whatever happened in between."""
    once = given_effect(intended()).when(rule, 1, *values, late=False, **AT).then(fact(_event))
    once.when(rule, 1, *values, late=True, **AT).then()
    later = given_effect(*once.events, done(1, OTHER_RECEIPT))
    later.when(rule, 1, *values, late=True, **AT).then()


@pytest.mark.parametrize(("rule", "values", "_event", "_then"), OUTCOMES)
@pytest.mark.parametrize("number", [0, 2, -1])
def test_a_try_that_never_was_has_no_outcome(
    rule: Callable[..., list[Event]], values: tuple[Any, ...], _event: type[Event], _then: str, number: int
) -> None:
    """A forged or mixed-up report is refused."""
    given_effect(intended()).when(rule, number, *values, late=False, **AT).then_refused(NotAllowed, "has no try")


MOVES = [
    ((intended(), lost(), done(late=True)), "succeeded"),
    ((intended(), lost(), not_done(late=True)), "failed"),
    ((intended(), not_done(), done(late=True)), "succeeded"),
    ((intended(), done(), not_done(late=True)), "succeeded"),
    ((intended(), done(), lost(late=True)), "succeeded"),
    ((intended(), not_done(), lost(late=True)), "failed"),
    ((intended(), not_done(), intended(2), not_done(1, TIMEOUT, late=True)), "intended"),
    ((intended(), not_done(), intended(2), lost(1, late=True)), "intended"),
    ((intended(), not_done(), intended(2), done(1, late=True)), "succeeded"),
    ((intended(), lost(), found("did_not_happen"), lost(late=True)), "failed"),
    ((intended(), lost(), found("still_unknown")), "unknown"),
    ((intended(), lost(), found("succeeded", receipt=RECEIPT)), "succeeded"),
    ((intended(), lost(), found("did_not_happen"), done(late=True)), "succeeded"),
]


@pytest.mark.parametrize(("events", "then"), MOVES)
def test_an_outcome_names_its_try(events: tuple[Event, ...], then: str) -> None:
    """Anything but success from an older try changes nothing; succeeded is final."""
    assert given_effect(*events).state.status == then


def test_the_first_receipt_stays() -> None:
    """What was answered once is answered always."""
    effect = given_effect(intended(), done(), done(1, OTHER_RECEIPT)).state
    assert effect.receipt == RECEIPT.body


def test_an_older_try_is_late() -> None:
    """Whatever became of its attempt."""
    given_effect(intended(), not_done(), intended(2)).when(succeed, 1, RECEIPT, late=False, **AT).then(
        fact(e.EffectSucceeded, late=True, try_number=1)
    )


@pytest.mark.parametrize(
    ("outcome", "then"), [("succeeded", "succeeded"), ("did_not_happen", "failed"), ("still_unknown", "unknown")]
)
def test_an_unknown_outcome_can_be_found_out(outcome: str, then: str) -> None:
    """By the host's reconciler or an operator; only a success keeps a receipt."""
    when = given_effect(*EFFECTS["unknown"]).when(reconcile, outcome, RECEIPT, "looked", by_operator=True, **AT)
    body, digest = (RECEIPT.body, RECEIPT.digest) if outcome == "succeeded" else (None, None)
    after = when.then(fact(e.EffectReconciled, by="operator", try_number=1, receipt=body, receipt_digest=digest))
    assert after.state.status == then


@pytest.mark.parametrize("status", sorted(EFFECTS.keys() - {"unknown"}))
def test_what_is_known_is_not_reconciled(status: str) -> None:
    """Nobody overrules an outcome."""
    given_effect(*EFFECTS[status]).when(reconcile, "succeeded", None, "", by_operator=True, **AT).then_refused(
        NotAllowed
    )


@pytest.mark.parametrize("outcome", ["", "yes", None, 7, ["succeeded"]])
def test_an_unheard_of_outcome_is_refused(outcome: Any) -> None:
    """Guessing would send twice."""
    given_effect(*EFFECTS["unknown"]).when(reconcile, outcome, None, "", by_operator=True, **AT).then_refused(
        InvalidValue
    )


def test_what_is_known_of_an_older_try_says_nothing_of_a_newer() -> None:
    """A slow reconciler, while another found out and a second try was lost too."""
    again = given_effect(intended(), lost(), found("did_not_happen"), intended(2), lost(2))
    again.when(reconcile, "did_not_happen", None, "", by_operator=False, try_number=1, **AT).then_refused(NotAllowed)
    again.when(reconcile, "did_not_happen", None, "", by_operator=False, try_number=2, **AT).then(e.EffectReconciled)


@pytest.mark.parametrize(
    ("events", "live"),
    [
        ((), True),
        ((succeeded("a"),), False),
        ((failed("a"),), False),
        ((cancelled(),), False),
        ((failed("a"), claimed(2)), False),
        ((started("a", lifetime=2),), False),
    ],
)
def test_an_intent_lives_as_long_as_its_attempt(events: tuple[Event, ...], *, live: bool) -> None:
    """A run that is over, taken over or goes on with another attempt has let it go."""
    run = given(*RUNNING.events, *events).state
    effect = given_effect(intended()).state
    assert is_live(effect, run, now_ms=10**12) is live
    assert has_passed(effect, run) is not live


def test_an_intent_of_an_unknown_run_is_not_live() -> None:
    """An imported log may lack it."""
    assert not is_live(given_effect(intended()).state, None, now_ms=0)


@pytest.mark.parametrize(("now", "live"), [(299_999, True), (300_000, False)])
def test_an_intent_outside_runs_lives_as_long_as_its_lease(now: int, *, live: bool) -> None:
    """Expired when the time has come, as every lease."""
    assert is_live(given_effect(intended_outside()).state, None, now_ms=now) is live


@pytest.mark.parametrize("status", sorted(EFFECTS.keys() - {"intended"}))
def test_what_has_an_outcome_is_not_live(status: str) -> None:
    """Nobody sends it."""
    assert not is_live(given_effect(*EFFECTS[status]).state, RUNNING.state, now_ms=0)


def test_a_given_up_sender_outside_runs_is_late() -> None:
    """Its lease had ended: what it says now is marked."""
    assert has_passed(given_effect(intended_outside(), lost()).state, None)
    assert not has_passed(given_effect(intended_outside()).state, None)


def test_a_loss_says_why() -> None:
    """For the operator who must find out."""
    given_effect(intended()).when(lose, 1, "lost", late=False, **AT).then(fact(e.EffectOutcomeUnknown, failure=LOST))
