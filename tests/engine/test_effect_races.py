"""Decisions about effects that read another stream: both orders, from two processes, one in the middle of the other.

On SQLite, the read and the append of a command are one transaction under the write lock, so the rival waits; on
PostgreSQL what was read is compared under the lock, and decided again. test_write_skew.py takes these guards away.
"""

from typing import Any

import pytest

from redrive import Compensation, DidNotHappen, Failure, InFlight, NotAllowed, NotRunning, RetryUnavailable
from redrive.domain.dead_letter import events as dl
from redrive.domain.effect import events as e
from redrive.domain.effect.state import EffectStatus
from redrive.domain.run import events as runs
from tests.engine.outworld import PAY, Till
from tests.engine.turns import Turn, orders
from tests.processes.workshop import ANA

DECLINED = Failure("outbox_send", "declined")


@pytest.fixture
def opened_with() -> dict[str, Any]:
    """Neither gate nor reconciler."""
    return {}


@orders("begin", "cancel")
def test_an_intent_and_a_cancel(till: Till, other: Till, turn: Turn) -> None:
    """Either nothing is sent, or an operator is told that nobody knows."""
    attempt = till.paying()
    told = turn(begin=lambda: till.begun(attempt), cancel=lambda: other.acme.cancel(attempt.run_id, **ANA))
    if turn.first == "cancel":
        assert (type(told["begin"]), till.letters()) == (NotRunning, [])
    else:
        assert (till.effects()[0].status, till.letters()) == ("unknown", [("tool_effect", "open")])


@orders("begin", "reclaim")
def test_an_intent_and_a_reclaim(till: Till, other: Till, turn: Turn) -> None:
    """The next attempt never meets a live intent, nor sends beside one."""
    attempt = till.paying(2)
    other.now = till.now + 2_000_000
    told = turn(begin=lambda: till.begun(attempt), reclaim=other.engine.tick)
    if turn.first == "reclaim":
        assert isinstance(told["begin"], NotRunning)
    else:
        assert till.effects()[0].status == "unknown"
    assert not any(effect.status is EffectStatus.INTENDED for effect in till.effects())


@orders("begin", "fail")
def test_an_intent_and_the_end_of_its_attempt(till: Till, other: Till, turn: Turn) -> None:
    """A timeout that a worker reports while a handler's thread begins to send."""
    attempt = till.paying()
    told = turn(begin=lambda: other.begun(attempt), fail=lambda: till.fail(attempt))
    assert (told["begin"] is None) == (turn.first == "begin")
    assert till.letters() == [("tool_effect" if turn.first == "begin" else "node", "open")]


@orders("one", "two")
def test_two_runs_and_one_key_of_the_tenant(till: Till, other: Till, turn: Turn) -> None:
    """One sends, the other is told to wait."""
    first, second = till.paying(), till.paying()
    told = turn(one=lambda: till.begun(first, scope="tenant"), two=lambda: other.begun(second, scope="tenant"))
    assert isinstance(told[turn.went[1]], InFlight)
    assert len(till.facts(e.EffectIntended)) == 1


@orders("success", "end")
def test_a_success_and_the_opening_of_its_dead_letter(till: Till, other: Till, turn: Turn) -> None:
    """No unsettled dead letter of an effect that was done."""
    attempt = till.paying()
    standing = till.begun(attempt)
    turn(success=lambda: other.acme.effect_succeeded(standing, 1), end=lambda: till.fail(attempt))
    assert till.letters() == [("node", "open") if turn.first == "success" else ("tool_effect", "resolved")]


@orders("failure", "end")
def test_a_failure_and_the_success_of_its_node(till: Till, other: Till, turn: Turn) -> None:
    """Each order: one dead letter, and the effect is known to have failed."""
    attempt = till.paying()
    standing = till.begun(attempt)
    turn(
        failure=lambda: other.acme.effect_failed(standing, DECLINED),
        end=lambda: till.acme.complete_attempt(attempt),
    )
    assert (till.effects()[0].status, till.letters()) == ("failed", [("tool_effect", "open")])


@orders("success", "compensate")
def test_a_late_success_and_a_compensation(till: Till, other: Till, turn: Turn) -> None:
    """What was done is not made good for without an approval that knows."""
    attempt = till.paying()
    standing = till.begun(attempt, compensation=Compensation("undo"))
    till.fail(attempt)
    letter = till.the_letter()
    told = turn(
        success=lambda: other.acme.effect_succeeded(standing, 1),
        compensate=lambda: till.acme.compensate(letter, **ANA),
    )
    assert (told["compensate"] is None) == (turn.first == "compensate")
    assert till.topics(till.proposed())[-1] == "cancelled"
    assert till.dl(letter).status == ("resolved" if turn.first == "success" else "linked_to_compensation")


@orders("success", "ignore")
def test_a_late_success_and_an_ignore(till: Till, other: Till, turn: Turn) -> None:
    """Whoever was first is on record; the other is noted or refused."""
    standing = till.begun(attempt := till.paying())
    till.fail(attempt)
    letter = till.the_letter()
    told = turn(
        success=lambda: other.acme.effect_succeeded(standing, 1),
        ignore=lambda: till.acme.ignore(letter, **ANA),
    )
    if turn.first == "success":
        assert (type(told["ignore"]), till.status(letter)) == (NotAllowed, "resolved")
    else:
        assert (len(till.facts(dl.DeadLetterSuperseded)), till.status(letter)) == (1, "ignored")


@orders("retry", "reconcile")
def test_a_retry_and_a_reconciliation(till: Till, other: Till, turn: Turn) -> None:
    """A retry is never granted for what nobody knows, nor for what was done."""
    standing = till.begun(attempt := till.paying())
    till.fail(attempt)
    letter = till.the_letter()
    told = turn(
        retry=lambda: till.acme.request_retry(letter, **ANA),
        reconcile=lambda: other.acme.reconcile_effect(standing.id, "succeeded", **ANA),
    )
    assert type(told["retry"]) is (NotAllowed if turn.first == "reconcile" else RetryUnavailable)
    assert (till.status(letter), till.facts(runs.RunRequeued)) == ("resolved", [])


@orders("dispatch", "success")
def test_a_dispatch_and_a_late_success(till: Till, other: Till, turn: Turn) -> None:
    """The sweep requeues for what is not done; a redriven attempt is answered by the receipt."""
    standing = till.begun(attempt := till.paying())
    till.fail(attempt)
    letter = till.the_letter()
    till.acme.reconcile_effect(standing.id, "did_not_happen", **ANA)
    with till.engine.batch() as batch:
        batch.add(till.acme.request_retry, letter, **ANA)
    turn(dispatch=till.engine.sweep, success=lambda: other.acme.effect_succeeded(standing, {"c": 1}))
    assert (till.status(letter), len(till.facts(runs.RunRequeued))) == ("resolved", turn.went.index("success"))
    if turn.first == "dispatch":
        assert till.pay(till.again()) == {"c": 1}
    assert not till.world.done


@orders("dispatch", "compensate")
def test_a_dispatch_and_a_compensation(till: Till, other: Till, turn: Turn) -> None:
    """Settled by a compensation, it is not retried."""
    till.fail_in(till.paying(), till.world.reject, compensation=Compensation("undo"))
    letter = till.the_letter()
    with till.engine.batch() as batch:
        batch.add(till.acme.request_retry, letter, **ANA)
    told = turn(dispatch=till.engine.sweep, compensate=lambda: other.acme.compensate(letter, **ANA))
    assert told["compensate"] is None
    assert len(till.facts(runs.RunRequeued)) == turn.went.index("compensate")
    assert till.status(letter) == "linked_to_compensation"


@orders("operator", "reconciler")
def test_an_operator_and_a_reconciler(till: Till, other: Till, turn: Turn) -> None:
    """Whoever was first found out; the second is told so."""
    till.acme.effect_unknown(standing := till.begun(None), "lost")
    other.engine.services.reconcilers[PAY["operation"]] = lambda _call: DidNotHappen()  # type: ignore[index]
    told = turn(
        operator=lambda: till.acme.reconcile_effect(standing.id, "succeeded", receipt=1, **ANA),
        reconciler=lambda: other.acme.reconcile_effect(standing.id, **ANA),
    )
    assert (told[turn.first], type(told[turn.went[1]])) == (None, NotAllowed)
    assert len(till.facts(e.EffectReconciled)) == 1


@orders("expire", "report")
def test_the_end_of_a_lease_and_the_report_it_waited_for(till: Till, other: Till, turn: Turn) -> None:
    """Outside runs: each order ends with the success, and no open dead letter."""
    standing = till.begun(None)
    till.now = other.now = till.now + 300_000
    turn(expire=till.engine.tick, report=lambda: other.acme.effect_succeeded(standing, 1))
    assert (till.effects()[0].status, [status for _, status in till.letters()]) in (
        ("succeeded", []),
        ("succeeded", ["resolved"]),
    )
