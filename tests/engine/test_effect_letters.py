"""What is lost, failed or withheld outside: reconcilers, dead letters, late reports, and what operators do."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from redrive import (
    AttemptError,
    Cause,
    DidNotHappen,
    EffectCall,
    EffectStanding,
    Failure,
    Happened,
    InvalidValue,
    KeyReused,
    NotAllowed,
    RetryUnavailable,
    StillUnknown,
    Withhold,
)
from redrive.domain.dead_letter import events as dl
from redrive.domain.effect import events as e
from tests.engine.outworld import PAY, TWICE, Till, refusing
from tests.processes.workshop import ANA, FINAL, TIMEOUT, beside, chain, nothing_written, policy, work

DECLINED = Failure("outbox_send", "declined")
OPERATION = PAY["operation"]


class Found:
    """What the reconciler and the gate of the shop answer; tests change it."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.asked: list[EffectCall] = []
        self.gate: Any = None

    def look(self, call: EffectCall) -> Any:
        """The reconciler."""
        self.asked.append(call)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def let_out(self, _call: EffectCall) -> Any:
        """The gate."""
        if isinstance(self.gate, BaseException):
            raise self.gate
        return self.gate


@pytest.fixture
def found() -> Found:
    """What they answer."""
    return Found()


@pytest.fixture
def till(tmp_path: Path, found: Found) -> Iterator[Till]:
    """An engine with a gate, and a reconciler for payments; everything is sound at the end."""
    till = Till(tmp_path / "log.db", gate=found.let_out, reconcilers={OPERATION: found.look})
    yield till
    till.check()
    till.engine.close()


def lost(till: Till, attempts: int = 3, **more: Any) -> EffectStanding:
    """An effect whose attempt was interrupted before anybody knew the outcome; the next may begin."""
    attempt = till.paying(attempts)
    standing = till.begun(attempt, **more)
    till.now += 2_000_000
    till.engine.tick()
    return standing


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


def test_a_timeout_of_the_attempt_loses_what_it_sends(till: Till) -> None:
    """The late success is a fact; the retry is answered by it."""
    attempt = till.paying(2)
    standing = till.begun(attempt)
    till.acme.fail_attempt(attempt, TIMEOUT)
    assert till.effect(standing.id).status == "unknown"
    till.acme.effect_succeeded(standing, {"charge": 1})
    assert till.pay(till.again()) == {"charge": 1}
    assert not till.world.done


ENDS: dict[str, Callable[[Till, Any], Any]] = {
    "failed": lambda till, attempt: till.fail(attempt),
    "completed": lambda till, attempt: till.acme.complete_attempt(attempt),
    "cancelled": lambda till, attempt: till.acme.cancel(attempt.run_id, **ANA),
}


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("end", ENDS)
def test_a_late_success_is_recorded_and_moves_no_run(till: Till, end: str, *, restart: bool) -> None:
    """Three times, before and after a restart: one event, late, and its dead letter is resolved."""
    attempt = till.paying()
    standing = till.begun(attempt)
    ENDS[end](till, attempt)
    before = till.run_status(attempt.run_id)
    assert till.letters() == [("tool_effect", "open")]
    for _ in range(3):
        till.acme.effect_succeeded(standing, {"charge": 1})
        if restart:
            till.reopen()
    assert [event.late for event in till.facts(e.EffectSucceeded)] == [True]
    assert (till.letters(), till.run_status(attempt.run_id)) == ([("tool_effect", "resolved")], before)


@pytest.mark.parametrize("end", ENDS)
def test_a_late_failure_makes_it_certain_that_nothing_happened(till: Till, end: str) -> None:
    """Three times: one event; the dead letter stays."""
    attempt = till.paying()
    standing = till.begun(attempt)
    ENDS[end](till, attempt)
    for _ in range(3):
        till.acme.effect_failed(standing, DECLINED)
    assert [event.late for event in till.facts(e.EffectFailed)] == [True]
    assert (till.effect(standing.id).status, till.letters()) == ("failed", [("tool_effect", "open")])


@pytest.mark.parametrize("verb", ["ignore", "abandon", "resolve"])
def test_a_success_after_the_operator_closed_is_noted(till: Till, verb: str) -> None:
    """A settled dead letter keeps its status; the identical report again is no event."""
    standing = till.begun(attempt := till.paying())
    till.fail(attempt)
    getattr(till.acme, verb)(till.the_letter(), **ANA)
    status = till.status(till.the_letter())
    for _ in range(3):
        till.acme.effect_succeeded(standing, 1)
    assert till.status(till.the_letter()) == status
    assert len(till.facts(dl.DeadLetterSuperseded)) == 1


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


def test_an_older_failure_says_nothing(till: Till, found: Found) -> None:
    """Within runs and outside: a newer try is under way, no dead letter opens."""
    outside = till.begun(None)
    till.acme.effect_unknown(outside, "lost")
    till.acme.reconcile_effect(outside.id, "did_not_happen", **ANA)
    till.begun(None)
    letters = len(till.letters())
    till.acme.effect_failed(outside, DECLINED)
    assert till.effect(outside.id).status == "intended"
    assert len(till.facts(dl.DeadLetterRecurred)) == 0
    assert len(till.letters()) == letters


@pytest.mark.parametrize(("tolerate", "letters"), [(False, [("tool_effect", "open")]), (True, [])])
def test_a_failed_effect_of_a_node_that_succeeded_waits_unless_tolerated(
    till: Till, *, tolerate: bool, letters: list[Any]
) -> None:
    """Of this attempt, or of the one before that the next did not repeat."""
    attempt = till.paying(2)
    till.fail_in(attempt, till.world.reject, tolerate=tolerate)
    till.acme.complete_attempt(till.again())
    assert till.letters() == letters
    nodes = [event.topic for event in till.log()]
    assert nodes[-1] == "run.completed"


def test_each_failed_effect_of_the_last_attempt_has_its_dead_letter(till: Till) -> None:
    """And the node has none; each is resolved by its own success."""
    attempt = till.paying()
    for key in ("x", "y"):
        with pytest.raises(Exception, match="declined"):
            till.pay(attempt, key, till.world.reject)
    till.pay(attempt, "z")
    till.fail(attempt)
    assert till.letters() == [("tool_effect", "open")] * 2
    till.acme.request_retry(till.acme.dead_letters().items[0].id, **ANA)
    second = till.again()
    till.pay(second, "x")
    till.acme.complete_attempt(second)
    assert sorted(status for _, status in till.letters()) == ["open", "resolved"]


def test_a_lost_effect_of_an_earlier_attempt_does_not_hide_the_nodes_failure(till: Till) -> None:
    """The last attempt failed on its own: the node's dead letter offers the retry, the effect's the reconciliation."""
    lost(till, 2)
    till.fail(till.again())
    assert sorted(till.letters()) == [("node", "open"), ("tool_effect", "open")]


def test_an_effect_and_its_namesake_of_the_tenant_have_two_dead_letters(till: Till) -> None:
    """The key is the same, the effect is not."""
    attempt = till.paying()
    for scope in ("node", "tenant"):
        with pytest.raises(Exception, match="declined"):
            till.pay(attempt, send=till.world.reject, scope=scope)
    till.fail(attempt)
    assert till.letters() == [("tool_effect", "open")] * 2
    assert {effect for dl_ in till.facts(dl.DeadLetterOpened) if (effect := dl_.effect)} == {
        f.id for f in till.effects()
    }


def test_a_cancel_opens_the_dead_letters_of_what_nobody_knows(till: Till) -> None:
    """What is being sent, and what was lost before a backoff that will never end; not what failed."""
    left, right, third = till.begin(beside("a", "b", "c", retry=TWICE)).attempts
    till.begun(left)
    till.fail_in(right, till.world.pay_and_break)
    till.fail_in(third, till.world.reject)
    till.acme.cancel(left.run_id, **ANA)
    assert till.letters() == [("tool_effect", "open")] * 2
    assert till.log()[-1].topic == "run.cancelled"


def test_the_gate_withholds(till: Till, found: Found) -> None:
    """The attempt fails with it; nothing goes out; the worker's own report is the same one."""
    found.gate = Withhold("quota used, token=abc")
    run = till.submit(beside("a", retry=policy(3)))
    work(till, {"a": till.pay})
    assert till.run_status(run) == "failed"
    (letter,) = till.acme.dead_letters().items
    assert (letter.failure_class, letter.source, letter.reason) == (
        "policy_withheld",
        "node",
        "quota used, token=[redacted]",
    )
    assert (till.effects()[0].status, till.world.done.total()) == ("withheld", 0)


def test_what_was_withheld_may_be_sent_later(till: Till, found: Found) -> None:
    """Once the gate opens, and an operator retries."""
    found.gate = Withhold("not today" * 1_000)
    with refusing(AttemptError):
        till.pay(till.paying())
    found.gate = None
    till.acme.request_retry(till.the_letter(), **ANA)
    assert till.pay(till.again()) == {"charge": 1}


def test_the_gate_does_not_hide_what_was_done(till: Till, found: Found) -> None:
    """The stored receipt is no sending."""
    attempt = till.paying()
    till.pay(attempt)
    found.gate = Withhold("no more")
    assert till.pay(attempt) == {"charge": 1}


@pytest.mark.parametrize(
    ("gate", "error"),
    [(RuntimeError("down"), RuntimeError), (False, InvalidValue), ("no", InvalidValue), (Withhold, InvalidValue)],
)
def test_a_gate_that_does_not_answer_lets_nothing_out(
    till: Till, found: Found, gate: Any, error: type[Exception]
) -> None:
    """Raising, rubbish: no event, no call."""
    found.gate = gate
    attempt = till.paying()
    nothing_written(till, error, lambda: till.pay(attempt))
    nothing_written(till, error, lambda: till.begun(attempt))
    assert not till.world.done


def test_outside_runs_a_failure_opens_its_dead_letter_at_once(till: Till) -> None:
    """No attempt will end; the same again is a recurrence; a success resolves it."""
    for _ in range(2):
        with pytest.raises(Exception, match="declined"):
            till.acme.effect("k", send=till.world.reject, **PAY)
    assert till.letters() == [("tool_effect", "open")]
    assert len(till.facts(dl.DeadLetterRecurred)) == 1
    with refusing(RetryUnavailable, "no run"):
        till.acme.request_retry(till.the_letter(), **ANA)
    till.acme.effect("k", send=till.world.pay, **PAY)
    assert till.letters() == [("tool_effect", "resolved")]


def test_outside_runs_the_lease_ends_after_five_minutes(till: Till) -> None:
    """By the tick, not before; what its sender says then is late."""
    standing = till.begun(None)
    assert [row.due_ms for row in till.engine.ledger.agenda_rows()] == [till.now + 300_000]
    till.now += 299_999
    assert not till.engine.tick().lost_effects
    till.now += 1
    assert till.engine.tick().lost_effects == [standing.id]
    assert till.letters() == [("tool_effect", "open")]
    till.acme.effect_succeeded(standing, 1)
    assert (till.letters()[0][1], till.facts(e.EffectSucceeded)[0].late) == ("resolved", True)


def test_outside_runs_the_next_caller_notices_an_ended_lease(till: Till, found: Found) -> None:
    """Without any tick: unknown, with its dead letter."""
    found.answer = StillUnknown()
    till.begun(None)
    till.now += 300_000
    with refusing(AttemptError):
        till.acme.effect("k", send=till.world.pay, **PAY)
    assert till.letters() == [("tool_effect", "open")]
    assert not till.world.done


@pytest.mark.parametrize("verb", ["ignore", "abandon", "resolve"])
def test_outside_runs_a_try_that_was_under_way_does_not_open_what_was_closed(till: Till, verb: str) -> None:
    """Only a try that began after the disposition does."""
    with pytest.raises(Exception, match="declined"):
        till.acme.effect("k", send=till.world.reject, **PAY)
    standing = till.begun(None)
    getattr(till.acme, verb)(till.the_letter(), **ANA)
    till.acme.effect_failed(standing, DECLINED)
    assert till.letters()[0][1] != "open"
    till.acme.effect_failed(till.begun(None), DECLINED)
    assert till.letters()[0][1] == "open"


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


def test_a_redrive_goes_on_after_a_failure_and_ends_at_an_unknown_outcome(till: Till) -> None:
    """A recurrence keeps it retrying; what nobody knows is never retried, it is open again."""
    till.fail_in(till.paying(), till.world.reject)
    letter = till.the_letter()
    till.acme.request_retry(letter, **ANA)
    till.fail_in(till.again(), till.world.reject)
    assert till.status(letter) == "retrying"
    till.engine.tick()
    standing = till.begun(till.again())
    till.now += 2_000_000
    till.engine.tick()
    assert (till.effect(standing.id).status, till.status(letter)) == ("unknown", "open")


def test_a_node_that_succeeded_does_not_resolve_what_failed_outside(till: Till) -> None:
    """The redriven attempt did without the effect: an operator decides about it, nothing retries it."""
    till.fail_in(till.paying(), till.world.reject)
    till.acme.request_retry(till.the_letter(), **ANA)
    till.acme.complete_attempt(till.again())
    assert till.letters() == [("tool_effect", "open")]


def test_an_effect_in_the_middle_of_a_chain_is_redriven_with_it(till: Till) -> None:
    """The node after it runs once the effect has succeeded."""
    run = till.submit(chain("a", "b", retry=TWICE))
    send: list[Any] = [till.world.reject, till.world.reject, till.world.pay]
    handlers = {"a": lambda attempt: till.pay(attempt, send=send.pop(0)), "b": lambda _attempt: None}
    work(till, handlers)
    till.now += 10_000
    work(till, handlers)
    till.acme.request_retry(till.the_letter(), **ANA)
    work(till, handlers)
    assert (till.run_status(run), till.letters()) == ("completed", [("tool_effect", "resolved")])
    assert FINAL.final
