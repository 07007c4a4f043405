"""The dead letters of effects: when they open, recur and resolve; reports that come late."""

from collections.abc import Callable
from typing import Any

import pytest

from redrive import Compensation, DeadLetterId, Flow, Node
from redrive.domain.dead_letter import events as dl
from redrive.domain.effect import events as e
from tests.engine.outworld import DECLINED, TWICE, Till, lost
from tests.processes.workshop import ANA, FINAL, TIMEOUT, beside, chain, policy, work


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


def interrupt(till: Till) -> None:
    """Whoever holds a claim is gone."""
    till.now += 2_000_000
    till.engine.tick()


@pytest.mark.parametrize("asks", ["request_retry", "recover"])
def test_a_redrive_whose_last_attempt_dies_before_asking_waits_for_an_operator(till: Till, asks: str) -> None:
    """The attempt before lost the outcome: nothing is due for ever, and once it is known the retry is offered."""
    till.fail_in(attempt := till.paying(2), till.world.reject)
    till.fail_in(till.again(), till.world.reject)
    letter = till.the_letter()
    if asks == "recover":
        till.acme.recover(attempt.run_id, **ANA)
    till.acme.request_retry(letter, **ANA)
    standing = till.begun(till.again())
    interrupt(till)
    till.again()
    interrupt(till)
    assert (till.effect(standing.id).status, till.status(letter)) == ("unknown", "open")
    assert not [row for row in till.engine.ledger.agenda_rows() if row.kind == "dead_letter" and row.due_ms is not None]
    till.acme.reconcile_effect(standing.id, "did_not_happen", **ANA)
    assert till.acme.request_retry(letter, **ANA).status == "retrying"


def test_a_run_that_stops_before_a_redrive_can_find_out_waits_for_an_operator(till: Till) -> None:
    """The node that lost an outcome was to be tried again, and is not: another one ended the run."""
    first, second = till.begin(Flow([Node("a", retry=TWICE), Node("b", retry=policy(1))])).attempts
    till.acme.effect_failed(till.begun(first), DECLINED)
    till.fail(first, second)
    letter = DeadLetterId(till.acme.dead_letters(source="tool_effect").items[0].id)
    till.acme.recover(first.run_id, **ANA)
    till.acme.request_retry(letter, **ANA)
    first, second = till.claim().attempts
    till.fail_in(first, till.world.pay_and_break)
    till.fail(second)
    assert (till.run_status(first.run_id), till.status(letter)) == ("failed", "open")


def test_what_another_run_lost_and_will_find_out_is_not_ended_here(till: Till) -> None:
    """An effect of the tenant: the run that sent it last asks, and its success resolves the dead letter of this one."""
    till.fail_in(till.paying(), till.world.reject, scope="tenant")
    till.acme.request_retry(till.the_letter(), **ANA)
    attempt = till.again()
    other = till.attempt(beside("b", retry=TWICE))
    till.fail_in(other, till.world.break_down, scope="tenant")
    till.fail(attempt)
    assert till.letters(attempt.run_id) == [("tool_effect", "retrying"), ("node", "open")]
    till.acme.reconcile_effect(till.effects()[0].id, "succeeded", **ANA)
    assert till.letters(attempt.run_id)[0] == ("tool_effect", "resolved")


def test_a_node_that_succeeded_does_not_resolve_what_failed_outside(till: Till) -> None:
    """The redriven attempt did without the effect: an operator decides about it, nothing retries it."""
    till.fail_in(till.paying(), till.world.reject)
    till.acme.request_retry(till.the_letter(), **ANA)
    till.acme.complete_attempt(till.again())
    assert till.letters() == [("tool_effect", "open")]


def test_a_retry_that_was_asked_for_while_the_node_succeeded_without_the_effect_is_over(till: Till) -> None:
    """Nothing could retry it any more: it stayed requested, and due in every sweep, once a later node had failed."""
    till.fail_in(first := till.attempt(chain("a", "b", retry=policy(1, mode="dead_letter"))), till.world.reject)
    letter = till.the_letter()
    till.acme.recover(first.run_id, **ANA)
    claim = till.claim()
    till.acme.request_retry(letter, **ANA)
    till.acme.complete_attempt(*claim.attempts)
    assert till.status(letter) == "open"
    till.fail(*till.acme.start_attempts(claim))
    assert till.run_status(first.run_id) == "blocked"
    assert not [row for row in till.engine.ledger.agenda_rows() if row.due_ms is not None]
    assert till.engine.sweep().skipped == []


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


def test_a_corrected_effect_that_then_succeeds_cancels_the_proposal(till: Till) -> None:
    """The redrive worked after all."""
    undo = Compensation("refund")
    till.fail_in(till.paying(), till.world.reject, compensation=undo)
    till.acme.request_retry(till.the_letter(), **ANA)
    till.pay(till.again(), compensation=undo)
    assert (till.topics(till.proposed()), till.letters()[0][1]) == (["proposed", "cancelled"], "resolved")
