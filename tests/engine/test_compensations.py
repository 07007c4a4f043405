"""Compensations: nothing is made good for without an operator's word, and each run of one is known or found out."""

from typing import Any

import pytest

from redrive import (
    CompensationTry,
    InFlight,
    NotAllowed,
    NotFound,
    NotSent,
    Rejected,
    StaleEpoch,
    Tenant,
    Worker,
)
from redrive.domain.compensation import events as c
from tests.engine.conftest import Found
from tests.engine.outworld import PAY, Till, refusing
from tests.engine.undoing import AT_ONCE, UNDO, approved, compensate, lost, running, stands, taken
from tests.processes.workshop import ANA, FINAL, logged, nothing_written, until, work


@pytest.fixture
def opened_with(found: Found) -> dict[str, Any]:
    """A gate, and no reconciler."""
    return {"gate": found.let_out}


def test_it_is_proposed_with_the_dead_letter_and_waits(till: Till) -> None:
    """Redacted; nothing runs it before an operator chose it and another approved."""
    id_ = lost(till)
    (event,) = till.facts(c.CompensationProposed)
    assert event.plan.request == {"amount": 5, "token": "[redacted]"}
    assert taken(till) is None
    till.acme.compensate(till.the_letter(), **ANA)
    assert (till.dl(till.the_letter()).status, taken(till)) == ("linked_to_compensation", None)
    till.acme.approve_compensation(id_, actor="bob", reason="looked")
    handed = taken(till)
    assert handed is not None
    assert (handed.operation, handed.target, handed.effect_key, handed.node) == ("refund", "billing", "k", "a")


def test_a_worker_runs_what_is_approved(till: Till) -> None:
    """Once, also beside an idle queue, and with an async function."""
    ran: list[str] = []

    async def refund(handed: CompensationTry) -> dict[str, str]:
        ran.append(handed.idempotency_key)
        return {"refund": "1", "secret": "s"}

    id_ = approved(till)
    for _ in range(2):
        work(till, {}, compensators={"refund": refund})
    assert ran == [id_]
    (event,) = till.facts(c.CompensationCompleted)
    assert event.receipt == {"refund": "1", "secret": "[redacted]"}


def test_a_worker_leaves_what_it_does_not_know(till: Till) -> None:
    """Another host may have the compensator; it ends all the same."""
    approved(till)
    work(till, {}, compensators={"other": lambda _handed: None})
    work(till, {})
    assert stands(till) == ["proposed", "approved"]


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (NotSent("x"), False),
        (Rejected("x", {"code": 1}), False),
        (Rejected("x", failure_class="\0"), False),
        (TimeoutError("x"), True),
        (RuntimeError("token=abc"), True),
    ],
)
def test_what_a_compensator_raises_is_its_outcome(till: Till, error: Exception, *, unknown: bool) -> None:
    """Only NotSent and Rejected say that nothing happened."""

    def refund(_handed: CompensationTry) -> None:
        raise error

    approved(till)
    compensate(till, refund)
    (event,) = till.facts(c.CompensationFailed)
    assert event.outcome_unknown is unknown
    assert "abc" not in event.failure.reason


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_a_compensator_that_would_end_a_program_has_an_outcome_too(till: Till, error: BaseException) -> None:
    """It is told at once, not when its lease is over; the worker goes on."""

    def refund(_handed: CompensationTry) -> None:
        raise error

    approved(till)
    work(till, {}, compensators={"refund": refund})
    (event,) = till.facts(c.CompensationFailed)
    assert (event.outcome_unknown, event.failure.reason.partition(":")[0]) == (True, type(error).__name__)


def test_a_compensation_that_is_interrupted_is_recorded_before_anybody_leaves(till: Till) -> None:
    """Ctrl-C where the host runs what is due by itself."""

    def refund(_handed: CompensationTry) -> None:
        raise KeyboardInterrupt

    approved(till)
    with pytest.raises(KeyboardInterrupt):
        compensate(till, refund)
    (event,) = till.facts(c.CompensationFailed)
    assert event.outcome_unknown


def test_a_compensator_that_crashes_leaves_an_unknown_outcome(till: Till) -> None:
    """When its lease ends; only an operator has it run again, under the next epoch."""
    handed = running(till)
    till.now = handed.expires_at_ms - 1
    assert not till.engine.tick().lost_compensations
    till.now += 1
    with logged() as lines:
        assert till.engine.tick().lost_compensations == [handed.compensation_id]
    told = [line["compensation"] for line in lines if line["event"] == "compensation.lease_expired"]
    assert told == [handed.compensation_id]
    assert taken(till) is None
    till.acme.rerun_compensation(handed.compensation_id, **ANA)
    again = taken(till, "w2")
    assert again is not None
    assert (again.epoch, again.worker) == (2, "w2")


def test_a_late_success_is_taken_while_no_other_run_began(till: Till) -> None:
    """Before and after an operator's word; identical reports are no news."""
    handed = running(till)
    till.now = handed.expires_at_ms
    till.engine.tick()
    till.acme.rerun_compensation(handed.compensation_id, **ANA)
    for _ in range(3):
        assert till.acme.complete_compensation(handed, "done").status == "completed"
    assert taken(till) is None


def test_a_zombie_says_nothing_about_the_next_run(till: Till) -> None:
    """StaleEpoch, nothing written."""
    handed = running(till)
    till.now = handed.expires_at_ms
    till.engine.tick()
    till.acme.rerun_compensation(handed.compensation_id, **ANA)
    again = taken(till)
    nothing_written(till, StaleEpoch, lambda: till.acme.complete_compensation(handed, "done"))
    nothing_written(till, StaleEpoch, lambda: till.acme.fail_compensation(handed, FINAL))
    with refusing(StaleEpoch, f"compensation {handed.compensation_id} is at epoch 2; this claim holds 1"):
        till.acme.fail_compensation(handed, FINAL)
    assert again is not None
    till.acme.complete_compensation(again, "done")


def test_two_workers_run_it_once(till: Till) -> None:
    """Two engines on one file: the second finds it taken."""
    approved(till)
    other = Till(till.path)
    ran: list[str] = []
    for shop in (till, other):
        compensate(shop, lambda handed: ran.append(handed.worker))
    other.engine.close()
    assert len(ran) == 1


def test_a_success_cancels_what_nobody_approved(till: Till) -> None:
    """Proposed, or awaiting approval: the effect was done, there is nothing to make good for."""
    id_ = lost(till)
    till.acme.compensate(till.the_letter(), **ANA)
    (effect,) = till.effects()
    till.acme.reconcile_effect(effect.id, "succeeded", **ANA)
    assert stands(till) == ["proposed", "approval-requested", "cancelled"]
    nothing_written(till, NotAllowed, lambda: till.acme.approve_compensation(id_, **ANA))


def test_a_success_leaves_what_was_approved(till: Till) -> None:
    """An operator wanted it undone; that it was done is no reason against."""
    approved(till)
    till.acme.reconcile_effect(till.effects()[0].id, "succeeded", **ANA)
    assert taken(till) is not None


def test_an_operator_cancels_what_is_not_final(till: Till) -> None:
    """What runs is disowned: its report is refused. What is cancelled is final."""
    handed = running(till)
    till.acme.cancel_compensation(handed.compensation_id, **ANA)
    nothing_written(till, NotAllowed, lambda: till.acme.complete_compensation(handed, {"ok": True}))
    nothing_written(till, NotAllowed, lambda: till.acme.fail_compensation(handed, FINAL))
    nothing_written(till, NotAllowed, lambda: till.acme.rerun_compensation(handed.compensation_id, **ANA))
    nothing_written(till, NotAllowed, lambda: till.acme.cancel_compensation(handed.compensation_id, **ANA))


def test_an_effect_without_a_description_cannot_be_compensated(till: Till) -> None:
    """Nor can a node; nor a dead letter that is settled, or belongs to another run."""
    till.fail_in(till.paying(), till.world.pay_and_break)
    nothing_written(till, NotAllowed, lambda: till.acme.compensate(till.the_letter(), **ANA))
    node = till.letter()
    nothing_written(till, NotAllowed, lambda: till.acme.compensate(node, **ANA))
    with refusing(NotFound):
        till.acme.compensate(node, run_id=till.submit(), **ANA)


def test_an_effect_that_is_being_sent_again_cannot_be_compensated(till: Till) -> None:
    """It may be happening; once it has an outcome, an operator decides."""
    lost(till)
    till.acme.reconcile_effect(till.effects()[0].id, "did_not_happen", **ANA)
    till.acme.request_retry(till.the_letter(), **ANA)
    standing = till.begun(till.again(), compensation=UNDO)
    nothing_written(till, InFlight, lambda: till.acme.compensate(till.the_letter(), **ANA))
    till.acme.effect_unknown(standing, "lost")
    till.acme.compensate(till.the_letter(), **ANA)


def test_a_settled_dead_letter_cannot_be_compensated(till: Till) -> None:
    """Somebody else decided first."""
    lost(till)
    till.acme.ignore(till.the_letter(), **ANA)
    nothing_written(till, NotAllowed, lambda: till.acme.compensate(till.the_letter(), **ANA))
    till.acme.reopen(till.the_letter(), **ANA)
    till.acme.compensate(till.the_letter(), **ANA)


def test_a_compensation_outside_runs(till: Till) -> None:
    """Its dead letter belongs to the effect alone."""
    with pytest.raises(Exception, match="declined"):
        till.acme.effect("k", send=till.world.reject, compensation=AT_ONCE, **PAY)
    till.acme.compensate(till.the_letter(), **ANA)
    handed = taken(till)
    assert handed is not None
    assert (handed.run_id, handed.node) == (None, "")


def test_each_tenant_has_its_own(till: Till) -> None:
    """Equal keys, and a worker of one tenant."""
    globex = till.engine.for_tenant(Tenant("globex", "billing", "prod"))
    for tenant in (till.acme, globex):
        with pytest.raises(Exception, match="declined"):
            tenant.effect("k", send=till.world.reject, compensation=AT_ONCE, **PAY)
        tenant.compensate(tenant.dead_letters().items[0].id, **ANA)
    handed = globex.claim_compensation(worker="w", operations={"refund"})
    assert handed is not None
    assert handed.tenant == globex.tenant
    assert globex.claim_compensation(worker="w", operations={"refund"}) is None
    assert taken(till) is not None


def test_a_worker_that_is_stopped_waits_for_its_compensation(till: Till) -> None:
    """It is told what came of it."""
    approved(till)
    worker = Worker(till.engine, {}, compensators={"refund": lambda _handed: worker.stop()}, poll_ms=20)
    worker.run()
    assert until(lambda: stands(till)[-1] == "completed")
