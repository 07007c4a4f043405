"""Compensations pass the host's gate, whoever runs them: a worker, or an executor that sends in its own way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from redrive import InvalidValue, Withhold
from redrive.domain.compensation import events as c
from tests.engine.conftest import Found
from tests.engine.outworld import Till, refusing
from tests.engine.undoing import approved, compensate, stands, taken
from tests.processes.workshop import ANA


@pytest.fixture
def opened_with(found: Found) -> dict[str, Any]:
    """A gate, and no reconciler."""
    return {"gate": found.let_out}


@pytest.mark.parametrize("answer", [Withhold("not now"), RuntimeError("gate down"), "rubbish"])
def test_the_gate_holds_a_compensation_too(till: Till, found: Found, answer: Any) -> None:
    """Nothing was done, and that is known; an operator has it run again."""
    id_ = approved(till)
    found.gate = answer
    compensate(till, till.world.pay)  # type: ignore[arg-type]
    (event,) = till.facts(c.CompensationFailed)
    assert not event.outcome_unknown
    found.gate = None
    till.acme.rerun_compensation(id_, **ANA)
    compensate(till, lambda _handed: None)
    assert stands(till)[-3:] == ["approved", "started", "completed"]


async def closed(_call: object) -> Withhold:
    """A gate that is a coroutine function."""
    return Withhold("not now")


@pytest.mark.parametrize("gate", [closed, lambda: Withhold("not now")])
def test_a_gate_may_be_async_or_take_nothing(tmp_path: Path, gate: Any) -> None:
    """As it may for `effect`."""
    done: list[str] = []
    till = Till(tmp_path / "log.db")
    approved(till)
    till.engine.services = replace(till.engine.services, gate=gate)
    compensate(till, lambda handed: done.append(handed.worker))
    (event,) = till.facts(c.CompensationFailed)
    assert (event.failure.reason, stands(till)[-1], done) == ("not now", "failed", [])
    till.engine.close()


@pytest.mark.parametrize("answer", [Withhold("not now"), RuntimeError("gate down"), "rubbish"])
def test_the_gate_holds_what_another_executor_would_run(till: Till, found: Found, answer: Any) -> None:
    """It is handed nothing; what was withheld failed, and that it did not happen is known."""
    id_ = approved(till)
    found.gate = answer
    assert taken(till) is None
    (event,) = till.facts(c.CompensationFailed)
    assert (event.outcome_unknown, stands(till)[-1]) == (False, "failed")
    found.gate = None
    till.acme.rerun_compensation(id_, **ANA)
    handed = taken(till)
    assert handed is not None
    assert handed.epoch == 2


def test_a_batch_hands_no_compensation_out(till: Till) -> None:
    """The gate is asked after it was taken, which a batch does at its end."""
    approved(till)
    with till.engine.batch() as batch, refusing(InvalidValue, "exactly one command"):
        batch.add(till.acme.claim_compensation, worker="w", operations={"refund"})
    assert stands(till)[-1] == "approved"
