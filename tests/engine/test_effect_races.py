"""Decisions that read another stream: both orders, from two processes, with the other one in between.

The read and the append of a command are one transaction under the write lock, so two engines on one file take turns.
What lies outside is a caller's own knowledge (an attempt, a standing, an id): it is what each test holds from before.
"""

from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from redrive import Compensation, DidNotHappen, Failure, InFlight, NotAllowed, NotRunning, Refused, RetryUnavailable
from redrive.domain.dead_letter import events as dl
from redrive.domain.effect import events as e
from redrive.domain.effect.state import EffectStatus
from redrive.domain.run import events as runs
from tests.engine.outworld import PAY, Till
from tests.processes.workshop import ANA

Act = Callable[[], Any]
DECLINED = Failure("outbox_send", "declined")


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    """One process; ``other`` is another on the same file."""
    till = Till(tmp_path / "log.db")
    yield till
    till.check()
    till.engine.close()


@pytest.fixture
def other(till: Till) -> Iterator[Till]:
    """Another process on the same file."""
    other = Till(till.path)
    yield other
    other.engine.close()


def tried(act: Act) -> Exception | None:
    """Do it; the refusal, if any."""
    try:
        act()
    except Refused as refused:
        return refused
    return None


def in_turn(acts: dict[str, Act], order: tuple[str, ...]) -> dict[str, Exception | None]:
    """Do them in this order; what each was told."""
    return {name: tried(acts[name]) for name in order}


def orders(*names: str) -> pytest.MarkDecorator:
    """Every order of the two."""
    return pytest.mark.parametrize("order", list(permutations(names)), ids="-".join)


@orders("begin", "cancel")
def test_an_intent_and_a_cancel(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """Either nothing is sent, or an operator is told that nobody knows."""
    attempt = till.paying()
    told = in_turn(
        {"begin": lambda: till.begun(attempt), "cancel": lambda: other.acme.cancel(attempt.run_id, **ANA)}, order
    )
    if order[0] == "cancel":
        assert (type(told["begin"]), till.letters()) == (NotRunning, [])
    else:
        assert (till.effects()[0].status, till.letters()) == ("unknown", [("tool_effect", "open")])


@orders("begin", "reclaim")
def test_an_intent_and_a_reclaim(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """The next attempt never meets a live intent, nor sends beside one."""
    attempt = till.paying(2)
    other.now = till.now + 2_000_000
    told = in_turn({"begin": lambda: till.begun(attempt), "reclaim": other.engine.tick}, order)
    if order[0] == "reclaim":
        assert isinstance(told["begin"], NotRunning)
    else:
        assert till.effects()[0].status == "unknown"
    assert not any(effect.status is EffectStatus.INTENDED for effect in till.effects())


@orders("begin", "fail")
def test_an_intent_and_the_end_of_its_attempt(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """A timeout that a worker reports while a handler's thread begins to send."""
    attempt = till.paying()
    told = in_turn({"begin": lambda: other.begun(attempt), "fail": lambda: till.fail(attempt)}, order)
    assert (told["begin"] is None) == (order[0] == "begin")
    assert till.letters() == [("tool_effect" if order[0] == "begin" else "node", "open")]


@orders("one", "two")
def test_two_runs_and_one_key_of_the_tenant(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """One sends, the other is told to wait."""
    first, second = till.paying(), till.paying()
    acts = {"one": lambda: till.begun(first, scope="tenant"), "two": lambda: other.begun(second, scope="tenant")}
    told = in_turn(acts, order)
    assert isinstance(told[order[1]], InFlight)
    assert len(till.facts(e.EffectIntended)) == 1


@orders("success", "end")
def test_a_success_and_the_opening_of_its_dead_letter(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """No unsettled dead letter of an effect that was done."""
    attempt = till.paying()
    standing = till.begun(attempt)
    in_turn({"success": lambda: other.acme.effect_succeeded(standing, 1), "end": lambda: till.fail(attempt)}, order)
    assert till.letters() == [("node", "open") if order[0] == "success" else ("tool_effect", "resolved")]


@orders("failure", "end")
def test_a_failure_and_the_success_of_its_node(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """Each order: one dead letter, and the effect is known to have failed."""
    attempt = till.paying()
    standing = till.begun(attempt)
    acts = {
        "failure": lambda: other.acme.effect_failed(standing, DECLINED),
        "end": lambda: till.acme.complete_attempt(attempt),
    }
    in_turn(acts, order)
    assert (till.effects()[0].status, till.letters()) == ("failed", [("tool_effect", "open")])


@orders("success", "compensate")
def test_a_late_success_and_a_compensation(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """What was done is not made good for without an approval that knows."""
    attempt = till.paying()
    standing = till.begun(attempt, compensation=Compensation("undo"))
    till.fail(attempt)
    letter = till.the_letter()
    acts = {
        "success": lambda: other.acme.effect_succeeded(standing, 1),
        "compensate": lambda: till.acme.compensate(letter, **ANA),
    }
    told = in_turn(acts, order)
    assert (told["compensate"] is None) == (order[0] == "compensate")
    assert till.topics(till.proposed())[-1] == "cancelled"
    assert till.dl(letter).status == ("resolved" if order[0] == "success" else "linked_to_compensation")


@orders("success", "ignore")
def test_a_late_success_and_an_ignore(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """Whoever was first is on record; the other is noted or refused."""
    standing = till.begun(attempt := till.paying())
    till.fail(attempt)
    letter = till.the_letter()
    acts = {
        "success": lambda: other.acme.effect_succeeded(standing, 1),
        "ignore": lambda: till.acme.ignore(letter, **ANA),
    }
    told = in_turn(acts, order)
    if order[0] == "success":
        assert (type(told["ignore"]), till.status(letter)) == (NotAllowed, "resolved")
    else:
        assert (len(till.facts(dl.DeadLetterSuperseded)), till.status(letter)) == (1, "ignored")


@orders("retry", "reconcile")
def test_a_retry_and_a_reconciliation(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """A retry is never granted for what nobody knows, nor for what was done."""
    standing = till.begun(attempt := till.paying())
    till.fail(attempt)
    letter = till.the_letter()
    acts = {
        "retry": lambda: till.acme.request_retry(letter, **ANA),
        "reconcile": lambda: other.acme.reconcile_effect(standing.id, "succeeded", **ANA),
    }
    told = in_turn(acts, order)
    assert type(told["retry"]) is (NotAllowed if order[0] == "reconcile" else RetryUnavailable)
    assert (till.status(letter), till.facts(runs.RunRequeued)) == ("resolved", [])


@orders("dispatch", "success")
def test_a_dispatch_and_a_late_success(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """The sweep requeues for what is not done; a redriven attempt is answered by the receipt."""
    standing = till.begun(attempt := till.paying())
    till.fail(attempt)
    letter = till.the_letter()
    till.acme.reconcile_effect(standing.id, "did_not_happen", **ANA)
    with till.engine.batch() as batch:
        batch.add(till.acme.request_retry, letter, **ANA)
    in_turn({"dispatch": till.engine.sweep, "success": lambda: other.acme.effect_succeeded(standing, {"c": 1})}, order)
    assert (till.status(letter), len(till.facts(runs.RunRequeued))) == ("resolved", order.index("success"))
    if order[0] == "dispatch":
        assert till.pay(till.again()) == {"c": 1}
    assert not till.world.done


@orders("dispatch", "compensate")
def test_a_dispatch_and_a_compensation(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """Settled by a compensation, it is not retried; dispatched and under way, it is not compensated."""
    till.fail_in(till.paying(), till.world.reject, compensation=Compensation("undo"))
    letter = till.the_letter()
    with till.engine.batch() as batch:
        batch.add(till.acme.request_retry, letter, **ANA)

    def dispatch() -> None:
        till.engine.sweep()
        if (claim := till.acme.claim(worker="w", start=True)) is not None:
            till.begun(claim.attempts[0], compensation=Compensation("undo"))

    told = in_turn({"dispatch": dispatch, "compensate": lambda: other.acme.compensate(letter, **ANA)}, order)
    assert isinstance(told["compensate"], InFlight) == (order[0] == "dispatch")
    assert len(till.facts(runs.RunRequeued)) == order.index("compensate")


@orders("operator", "reconciler")
def test_an_operator_and_a_reconciler(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """Whoever was first found out; the second is told so."""
    till.acme.effect_unknown(standing := till.begun(None), "lost")
    other.engine.services.reconcilers[PAY["operation"]] = lambda _call: DidNotHappen()  # type: ignore[index]
    acts = {
        "operator": lambda: till.acme.reconcile_effect(standing.id, "succeeded", receipt=1, **ANA),
        "reconciler": lambda: other.acme.reconcile_effect(standing.id, **ANA),
    }
    told = in_turn(acts, order)
    assert (told[order[0]], type(told[order[1]])) == (None, NotAllowed)
    assert len(till.facts(e.EffectReconciled)) == 1


@orders("expire", "report")
def test_the_end_of_a_lease_and_the_report_it_waited_for(till: Till, other: Till, order: tuple[str, ...]) -> None:
    """Outside runs: each order ends with the success, and no open dead letter."""
    standing = till.begun(None)
    till.now = other.now = till.now + 300_000
    in_turn({"expire": till.engine.tick, "report": lambda: other.acme.effect_succeeded(standing, 1)}, order)
    assert (till.effects()[0].status, [status for _, status in till.letters()]) in (
        ("succeeded", []),
        ("succeeded", ["resolved"]),
    )
