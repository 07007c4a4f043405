"""What was made good for is not done again, and what was done does not stand; compensations of workers that died."""

from pathlib import Path
from typing import Any

import pytest

from redrive import Attempt, Compensated, Compensation, CompensationId, InFlight, RunId
from redrive.domain.identity import compensation_id_of
from redrive.domain.run.holder import Holder
from redrive.processes import host
from tests.engine.outworld import OPERATION, TWICE, Till, refusing
from tests.processes.workshop import ACME, ANA, FINAL, beside, logged, nothing_written

UNDO = Compensation("refund", "billing", {"amount": 5})


@pytest.fixture
def opened_with() -> dict[str, Any]:
    """Neither gate nor reconciler."""
    return {}


def rejected(till: Till) -> tuple[RunId, CompensationId]:
    """A run that is blocked because its effect was rejected, and the compensation that was chosen for it."""
    attempt = till.attempt(beside("a", retry=TWICE))
    till.fail_in(attempt, till.world.reject, compensation=UNDO)
    till.fail_in(till.again(), till.world.reject, compensation=UNDO)
    till.acme.compensate(till.the_letter(), **ANA)
    return attempt.run_id, compensation_id_of(ACME, till.effects()[0].id)


def recovered(till: Till, run: RunId) -> Attempt:
    """The attempt that follows when an operator recovers the run all the same."""
    till.acme.recover(run, **ANA)
    return till.claim().attempts[0]


def test_what_awaits_approval_may_still_be_done(till: Till) -> None:
    """Nobody has decided; the success cancels the compensation."""
    run, id_ = rejected(till)
    assert till.pay(recovered(till, run), compensation=UNDO) == {"charge": 1}
    assert till.acme.show_compensation(id_).status == "cancelled"


@pytest.mark.parametrize("upto", ["approved", "running", "completed", "unknown"])
def test_what_is_made_good_for_is_not_done_again(till: Till, upto: str) -> None:
    """Charged and refunded: whoever sends it again learns why not, and nothing is written."""
    run, id_ = rejected(till)
    till.acme.approve_compensation(id_, **ANA)
    if upto != "approved":
        handed = till.acme.claim_compensation(worker="w", operations={"refund"})
        assert handed is not None
        if upto == "completed":
            till.acme.complete_compensation(handed, {"refunded": 5})
        elif upto == "unknown":
            till.acme.fail_compensation(handed, FINAL, outcome_unknown=True)
    attempt = recovered(till, run)
    nothing_written(till, Compensated, lambda: till.pay(attempt, compensation=UNDO))
    nothing_written(till, Compensated, lambda: till.begun(attempt, compensation=UNDO))
    assert not till.world.done


def test_a_compensation_that_failed_bars_nothing(till: Till) -> None:
    """It is known not to have happened."""
    run, id_ = rejected(till)
    till.acme.approve_compensation(id_, **ANA)
    handed = till.acme.claim_compensation(worker="w", operations={"refund"})
    assert handed is not None
    till.acme.fail_compensation(handed, FINAL)
    assert till.pay(recovered(till, run), compensation=UNDO) == {"charge": 1}


def test_a_receipt_does_not_stand_once_it_was_made_good_for(till: Till) -> None:
    """The charge was found to have happened, after its refund: the run does not go on as if it stood."""
    till.fail_in(attempt := till.paying(), till.world.pay_and_break, compensation=UNDO)
    till.acme.compensate(till.the_letter(), **ANA)
    id_ = compensation_id_of(ACME, till.effects()[0].id)
    till.acme.approve_compensation(id_, **ANA)
    handed = till.acme.claim_compensation(worker="w", operations={"refund"})
    assert handed is not None
    till.acme.complete_compensation(handed)
    till.acme.reconcile_effect(till.effects()[0].id, "succeeded", receipt={"charge": 1}, **ANA)
    again = recovered(till, attempt.run_id)
    with refusing(Compensated, "completed"):
        till.pay(again, compensation=UNDO)


def test_what_is_being_sent_cannot_be_approved_for_compensation(till: Till) -> None:
    """One of both, never both."""
    run, id_ = rejected(till)
    till.begun(recovered(till, run), compensation=UNDO)
    nothing_written(till, InFlight, lambda: till.acme.approve_compensation(id_, **ANA))


def test_a_compensation_of_a_dead_process_is_given_up_at_once(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease lasts five minutes; on this host the tick knows better. Nobody knows what it did."""
    _, id_ = rejected(till)
    till.acme.approve_compensation(id_, **ANA)
    assert till.acme.claim_compensation(worker="w", operations={"refund"}) is not None
    assert not till.engine.tick().lost_compensations
    monkeypatch.setattr("redrive.processes.ticker.is_gone", lambda holder: isinstance(holder, Holder))
    with logged() as lines:
        assert till.engine.tick().lost_compensations == [id_]
    assert [line["compensation"] for line in lines if line["event"] == "compensation.process_gone"] == [id_]
    found = till.acme.show_compensation(id_)
    assert (found.status, found.outcome_unknown) == ("failed", True)
    till.acme.rerun_compensation(id_, **ANA)
    assert host.this_process() is not None


def test_what_a_reconciler_answers_in_vain_is_in_the_failure(tmp_path: Path) -> None:
    """Whoever reads the dead letter sees what was wrong with the answer."""
    till = Till(tmp_path / "asked.db", reconcilers={OPERATION: lambda _call: True})
    attempt = till.attempt(beside("a", retry=TWICE))
    till.fail_in(attempt, till.world.pay_and_break)
    till.fail_in(till.again(), till.world.pay)
    (letter,) = till.acme.dead_letters().items
    assert "answered bool, not Happened" in letter.reason
    till.engine.close()
