"""What the gate withholds, and effects outside any run, which have a lease and dead letters of their own."""

from pathlib import Path
from typing import Any

import pytest

from redrive import (
    AttemptError,
    EffectId,
    InvalidValue,
    RetryUnavailable,
    StillUnknown,
    Withhold,
)
from redrive.domain.dead_letter import events as dl
from redrive.domain.effect import events as e
from tests.engine.conftest import Found
from tests.engine.outworld import DECLINED, PAY, Till, refusing
from tests.processes.workshop import ANA, beside, nothing_written, policy, work


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


def test_what_was_withheld_has_that_as_its_failure(till: Till, found: Found) -> None:
    """Not the one of the try before."""
    till.acme.effect_failed(till.begun(None), DECLINED)
    found.gate = Withhold("not today")
    failure = till.effect(till.begun(None).id).failure
    assert failure is not None
    assert (failure.failure_class, failure.reason) == ("policy_withheld", "not today")


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


async def closed(_call: object) -> Withhold:
    """A gate that is a coroutine function."""
    return Withhold("not now")


@pytest.mark.parametrize("gate", [closed, lambda: Withhold("not now"), lambda _call: Withhold("not now")])
def test_every_way_to_send_asks_any_gate(tmp_path: Path, gate: Any) -> None:
    """Async, of nothing, of the call: `effect` and `begin_effect` alike."""
    till = Till(tmp_path / "log.db", gate=gate)
    assert till.begun(till.paying()).status == "withheld"
    with refusing(AttemptError, "not now"):
        till.pay(till.paying())
    assert not till.world.done
    till.engine.close()


REPORTS = ("effect_succeeded", "effect_failed", "effect_unknown")


def actors(till: Till, id_: EffectId) -> list[str]:
    """Who did what to an effect, by its history."""
    return [entry.actor for entry in till.acme.history(id_).items]


@pytest.mark.parametrize("verb", REPORTS)
@pytest.mark.parametrize(("actor", "reporter"), [("ana", "human:ana"), (None, "system:redrive")])
def test_outside_runs_the_caller_reports(till: Till, verb: str, actor: str | None, reporter: str) -> None:
    """Its holder is an actor, no worker."""
    standing = till.begun(None, actor="ana")
    told = DECLINED if verb == "effect_failed" else "told"
    getattr(till.acme, verb)(standing, told, actor=actor)
    assert actors(till, standing.id)[:2] == ["human:ana", reporter]


@pytest.mark.parametrize("verb", REPORTS)
def test_within_a_run_its_worker_reports(till: Till, verb: str) -> None:
    """Whoever calls."""
    attempt = till.paying()
    standing = till.begun(attempt)
    told = DECLINED if verb == "effect_failed" else "told"
    getattr(till.acme, verb)(standing, told, actor="ana")
    assert set(actors(till, standing.id)) == {f"worker:{attempt.worker}"}
