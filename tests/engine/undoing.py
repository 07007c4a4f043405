"""Compensations of a till, and how they come to be."""

from collections.abc import Callable
from typing import Any

from redrive import Compensation, CompensationId, CompensationTry
from redrive.processes.compensator import Compensator
from tests.engine.outworld import Till
from tests.processes.workshop import ANA

UNDO = Compensation("refund", "billing", {"amount": 5, "token": "t"})
AT_ONCE = Compensation("refund", requires_approval=False)


def lost(till: Till, plan: Compensation = UNDO) -> CompensationId:
    """The compensation that is proposed for an effect whose outcome nobody knows."""
    till.fail_in(till.paying(), till.world.pay_and_break, compensation=plan)
    return CompensationId(till.proposed())


def approved(till: Till) -> CompensationId:
    """One that may run."""
    id_ = lost(till, AT_ONCE)
    till.acme.compensate(till.the_letter(), **ANA)
    return id_


def taken(till: Till, worker: str = "w") -> CompensationTry | None:
    """What a worker is handed."""
    return till.acme.claim_compensation(worker=worker, operations={"refund"})


def running(till: Till) -> CompensationTry:
    """One that runs."""
    approved(till)
    handed = taken(till)
    assert handed is not None
    return handed


def stands(till: Till) -> list[str]:
    """What happened to the compensation."""
    return till.topics(till.proposed())


def compensate(till: Till, function: Callable[[CompensationTry], Any]) -> None:
    """Let a worker run what is due."""
    Compensator(till.engine, {"refund": function}, worker="w").run_due()
