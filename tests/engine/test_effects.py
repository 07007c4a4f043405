"""Effects through the outbox gate: each is sent once, and whatever becomes of it is known or reconciled."""

from typing import Any

import pytest

from redrive import (
    AttemptError,
    Failure,
    InFlight,
    InvalidValue,
    KeyReused,
    NotAllowed,
    NotRunning,
    NotSent,
    OutcomePending,
    Rejected,
    StaleAttempt,
    Tenant,
)
from redrive.domain.effect import events as e
from redrive.domain.run.events import AttemptFailed, EffectAdmitted
from tests.engine.outworld import PAY, TWICE, Till
from tests.processes.workshop import ACME, ANA, FINAL, TIMEOUT, beside, nothing_written, work
from tests.stores import outside


@pytest.fixture
def opened_with() -> dict[str, Any]:
    """Neither gate nor reconciler."""
    return {}


def test_the_intent_is_durable_before_the_call(till: Till) -> None:
    """A crash in the call leaves a trace, on the effect and on the run."""
    attempt = till.paying()
    seen: list[str] = []
    till.pay(attempt, send=lambda _call: seen.extend(event.topic for event in till.log()[-2:]))
    assert seen == ["effect.intended", "run.effect-admitted"]
    (admitted,) = till.facts(EffectAdmitted)
    assert (admitted.node, admitted.lifetime, admitted.try_number) == ("a", 1, 1)


def test_what_succeeded_is_answered_by_its_receipt(till: Till) -> None:
    """In the same attempt, in the next, after a restart, under the next generation: nothing is sent."""
    attempt = till.paying(2)
    assert till.pay(attempt) == till.pay(attempt) == {"charge": 1}
    till.acme.fail_attempt(attempt, TIMEOUT)
    till.reopen()
    second = till.again()
    assert till.pay(second) == {"charge": 1}
    till.fail(second)
    till.acme.request_retry(till.the_letter(), **ANA)
    assert till.pay(till.again()) == {"charge": 1}
    assert till.world.done.total() == 1


def test_the_same_key_with_another_request_is_refused(till: Till) -> None:
    """Operation, target and request are what was asked."""
    attempt = till.paying()
    till.pay(attempt)
    for other in ({"operation": "x"}, {"target": "x"}, {"request": {"amount": 6}}):
        nothing_written(till, KeyReused, lambda other=other: till.pay(attempt, **other))  # type: ignore[misc]
    assert till.world.done.total() == 1


def test_while_it_is_sent_nobody_else_sends_it(till: Till) -> None:
    """Another thread of the attempt, or another run with the tenant's key."""
    first, second = till.paying(), till.paying()
    till.begun(first)
    nothing_written(till, InFlight, lambda: till.pay(first))
    till.begun(first, "shared", scope="tenant")
    nothing_written(till, InFlight, lambda: till.pay(second, "shared", scope="tenant"))
    assert till.pay(second) == {"charge": 1}


def test_once_it_has_an_outcome_others_may_send_it(till: Till) -> None:
    """InFlight passes."""
    first, second = till.paying(), till.paying()
    standing = till.begun(first, "shared", scope="tenant")
    till.acme.effect_failed(standing, Failure("outbox_send", "declined"))
    assert till.pay(second, "shared", scope="tenant") == {"charge": 1}


def test_an_attempt_that_is_over_sends_nothing(till: Till) -> None:
    """A zombie: after its failure, after a cancel."""
    failed, cancelled = till.paying(2), till.paying()
    till.acme.fail_attempt(failed, TIMEOUT)
    nothing_written(till, NotRunning, lambda: till.pay(failed))
    till.acme.cancel(cancelled.run_id, **ANA)
    nothing_written(till, NotRunning, lambda: till.pay(cancelled))
    assert not till.world.done


def test_an_attempt_of_a_claim_that_goes_on_sends_nothing(till: Till) -> None:
    """Its sibling keeps the run running."""
    left, _right = till.begin(beside("a", "b", retry=TWICE)).attempts
    till.acme.fail_attempt(left, TIMEOUT)
    nothing_written(till, StaleAttempt, lambda: till.pay(left))


@pytest.mark.parametrize(
    ("how", "error", "status"),
    [
        ("reject", Rejected, "failed"),
        ("unsent", NotSent, "failed"),
        ("pay_and_break", AttemptError, "unknown"),
        ("break_down", AttemptError, "unknown"),
    ],
)
def test_what_send_raises_is_its_outcome(till: Till, how: str, error: type[Exception], status: str) -> None:
    """NotSent and Rejected say that nothing happened; after anything else nobody knows."""
    attempt = till.paying()
    with pytest.raises(error):
        till.pay(attempt, send=getattr(till.world, how))
    (effect,) = till.effects()
    assert effect.status == status


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_call_is_unknown(till: Till, error: type[BaseException]) -> None:
    """Ctrl-C in the middle: recorded, and raised on."""

    def send() -> None:
        raise error

    with pytest.raises(error):
        till.paying().effect("k", send=send, **PAY)
    assert till.effects()[0].status == "unknown"


class Mute(Exception):
    """An error that cannot even be read."""

    def __str__(self) -> str:
        raise RuntimeError("mute")


@pytest.mark.parametrize(
    ("error", "status"),
    [(Mute(), "unknown"), (NotSent("x", failure_class="\0"), "failed"), (Rejected("x", failure_class="\0"), "failed")],
)
def test_an_error_that_cannot_be_recorded_is_recorded_in_other_words(till: Till, error: Exception, status: str) -> None:
    """What it says about the world counts."""

    def send() -> None:
        raise error

    with pytest.raises((Mute, NotSent, Rejected, AttemptError)):
        till.paying().effect("k", send=send, **PAY)
    assert till.effects()[0].status == status


class Leaving(dict[str, int]):
    """A receipt that ends a program when it is read."""

    def items(self) -> Any:
        raise SystemExit(3)


@pytest.mark.parametrize("receipt", [{1, 2}, float("nan"), "x" * 300_000, lambda: 0, {"deep": object()}, Leaving(a=1)])
def test_whatever_came_back_it_was_done(till: Till, receipt: Any) -> None:
    """A receipt that cannot be kept must not make a success anything else."""
    kept = till.pay(till.paying(), send=lambda _call: receipt)
    assert kept["unreadable"] == type(receipt).__name__
    assert till.effects()[0].status == "succeeded"


def test_secrets_are_taken_out_and_digests_are_of_what_was_meant(till: Till) -> None:
    """Request, target, receipt; another password is another request."""
    attempt = till.paying()
    asked = {"password": "p1", "n": 1}
    assert till.pay(attempt, request=asked, send=lambda call: {"token": call.request["password"]}) == {
        "token": "[redacted]"
    }
    with outside(till.path) as log:
        assert not log.execute("SELECT 1 FROM events WHERE instr(state, ?) > 0", (b"p1",)).fetchall()
    with pytest.raises(KeyReused):
        till.pay(attempt, request={**asked, "password": "p2"})
    (effect,) = till.effects()
    assert effect.request
    assert effect.request.request == {"password": "[redacted]", "n": 1}


@pytest.mark.parametrize("key", ["a/b", "é" * 100, "'; DROP TABLE events; --", "../../x", "\u202ekey", '["a","k"]'])
def test_a_hostile_key_names_one_effect(till: Till, key: str) -> None:
    """Whatever it looks like."""
    attempt = till.paying()
    assert till.pay(attempt, key) == till.pay(attempt, key)
    till.pay(attempt, "k")
    assert sorted(till.world.done.values()) == [1, 1]


@pytest.mark.parametrize(
    "bad",
    [
        {"operation": ""},
        {"operation": None},
        {"target": 7},
        {"request": {1: 2}},
        {"request": "x" * 300_000},
        {"tolerate": 1},
        {"compensation": "undo"},
        {"scope": "run"},
    ],
)
def test_a_bad_value_is_refused_before_anything_happens(till: Till, bad: dict[str, Any]) -> None:
    """Naming the field."""
    attempt = till.paying()
    nothing_written(till, InvalidValue, lambda: till.pay(attempt, **bad))
    assert not till.world.done


def test_the_tenants_key_is_one_across_runs(till: Till) -> None:
    """The node's is not; and the two of one name are two."""
    first, second = till.paying(), till.paying()
    assert till.pay(first, scope="tenant") == till.pay(second, scope="tenant") == {"charge": 1}
    assert till.acme.effect("k", send=till.world.pay, **PAY) == {"charge": 1}
    assert till.pay(first) != till.pay(second)
    assert till.world.done.total() == 3


def test_equal_keys_of_two_tenants_are_two_effects(till: Till) -> None:
    """Nobody is answered with another's receipt."""
    for tenant in (ACME, Tenant("globex", "billing", "prod")):
        till.engine.for_tenant(tenant).effect("k", send=till.world.pay, **PAY)
    assert list(till.world.done.values()) == [1, 1]


def test_an_effect_that_lacks_an_outcome_forbids_to_snooze(till: Till) -> None:
    """Nobody would wait for it; once it has one, the attempt may rest."""
    attempt = till.paying()
    standing = till.begun(attempt)
    nothing_written(till, OutcomePending, lambda: till.acme.snooze_attempt(attempt, 5))
    till.acme.effect_succeeded(standing, None)
    till.acme.snooze_attempt(attempt, 5)
    till.acme.snooze_attempt(attempt, 5)


def test_the_engine_reports_what_a_worker_handler_did(till: Till) -> None:
    """A handler that lets the error pass: the attempt fails as the effect did."""
    run = till.submit(beside("a", retry=TWICE))
    for _ in range(2):
        work(till, {"a": lambda attempt: till.pay(attempt, send=till.world.reject)})
        till.now += 10_000
    assert [event.failure.kind for event in till.facts(AttemptFailed)] == ["rejected", "rejected"]
    assert till.letters(run) == [("tool_effect", "open")]
    assert [event.receipt for event in till.facts(e.EffectFailed)] == [{"code": 402}] * 2


def test_a_report_of_a_try_that_never_was_is_refused(till: Till) -> None:
    """Forged, or mixed up."""
    from dataclasses import replace

    standing = replace(till.begun(till.paying()), try_number=2)
    for report in (till.acme.effect_succeeded, lambda s: till.acme.effect_failed(s, FINAL)):
        nothing_written(till, NotAllowed, lambda report=report: report(standing))  # type: ignore[misc]
