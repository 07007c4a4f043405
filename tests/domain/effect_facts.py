"""Short words for the effects and compensations that the tests of the rules speak of."""

from typing import Any

from redrive.domain.compensation import events as c
from redrive.domain.effect import events as e
from redrive.domain.effect.request import Compensation, EffectRequest, Receipt
from redrive.domain.event import Event
from redrive.domain.failure import OUTCOME_UNKNOWN, Failure
from redrive.domain.identity import CompensationId, EffectId, NodeId
from tests.domain.facts import BROKEN, LETTER, RUN

EFFECT = EffectId("effect-1")
COMPENSATION = CompensationId("compensation-1")
PLAN = Compensation("undo", "billing", {"n": 1})
AT_ONCE = Compensation("undo", requires_approval=False)
RECEIPT = Receipt({"id": 1}, "d-receipt")
OTHER_RECEIPT = Receipt({"id": 2}, "d-other")
LOST = Failure(OUTCOME_UNKNOWN, "lost")


def asked(digest: str = "d-1", **more: Any) -> EffectRequest:
    """What is to be sent."""
    values: dict[str, Any] = {"scope": "node", "operation": "pay", "target": "", "request": None}
    return EffectRequest(**{"key": "k", "digest": digest, **values, **more})


def intended(number: int = 1, digest: str = "d-1", lifetime: int = 1, **more: Any) -> e.EffectIntended:
    """Try *number* is about to be sent by an attempt of node a."""
    values: dict[str, Any] = {"run": RUN, "node": NodeId("a"), "expires_at_ms": None, "request": asked(digest)}
    return e.EffectIntended(
        **{**values, **more}, effect=EFFECT, automation="nightly", try_number=number, lifetime=lifetime, epoch=1,
        holder="w1", intended_at_ms=0,
    )  # fmt: skip


def intended_outside(number: int = 1, until: int = 300_000) -> e.EffectIntended:
    """Try *number* is about to be sent outside runs."""
    return intended(number, lifetime=0, run=None, node=None, expires_at_ms=until)


def withheld() -> e.EffectWithheld:
    """The gate said no."""
    return e.EffectWithheld(
        effect=EFFECT, run=RUN, automation="nightly", node=NodeId("a"), request=asked(), lifetime=1, why="no",
        withheld_at_ms=0,
    )  # fmt: skip


def done(number: int = 1, receipt: Receipt = RECEIPT, *, late: bool = False) -> e.EffectSucceeded:
    """It was done."""
    return e.EffectSucceeded(
        try_number=number, receipt=receipt.body, receipt_digest=receipt.digest, late=late, ended_at_ms=0
    )


def not_done(number: int = 1, failure: Failure = BROKEN, *, late: bool = False) -> e.EffectFailed:
    """It was not done."""
    return e.EffectFailed(
        try_number=number, failure=failure, receipt=None, receipt_digest=None, late=late, ended_at_ms=0
    )


def lost(number: int = 1, *, late: bool = False) -> e.EffectOutcomeUnknown:
    """Nobody knows."""
    return e.EffectOutcomeUnknown(try_number=number, failure=LOST, late=late, ended_at_ms=0)


def found(outcome: Any, number: int = 1, receipt: Receipt | None = None) -> e.EffectReconciled:
    """Somebody looked."""
    return e.EffectReconciled(
        try_number=number, outcome=outcome, by="reconciler", why="", receipt=receipt.body if receipt else None,
        receipt_digest=receipt.digest if receipt else None, reconciled_at_ms=0,
    )  # fmt: skip


EFFECTS: dict[str, tuple[Event, ...]] = {
    "intended": (intended(),),
    "succeeded": (intended(), done()),
    "failed": (intended(), not_done()),
    "unknown": (intended(), lost()),
    "withheld": (withheld(),),
}


def proposed(plan: Compensation = PLAN) -> c.CompensationProposed:
    """The effect's dead letter opened."""
    return c.CompensationProposed(
        compensation=COMPENSATION, effect=EFFECT, effect_key="k", dead_letter=LETTER, run=RUN, automation="nightly",
        node=NodeId("a"), plan=plan, proposed_at_ms=0,
    )  # fmt: skip


def approved(at: int = 0) -> c.CompensationApproved:
    """It may run."""
    return c.CompensationApproved(approved_at_ms=at)


def run_started(epoch: int = 1, until: int = 100) -> c.CompensationStarted:
    """A worker runs it."""
    return c.CompensationStarted(
        epoch=epoch, worker="w1", holder=None, lease_ms=100, started_at_ms=until - 100, expires_at_ms=until
    )


def run_done(epoch: int = 1) -> c.CompensationCompleted:
    """It worked."""
    return c.CompensationCompleted(epoch=epoch, receipt=RECEIPT.body, receipt_digest=RECEIPT.digest, ended_at_ms=0)


def run_failed(epoch: int = 1, *, unknown: bool = False) -> c.CompensationFailed:
    """It did not work, or nobody knows."""
    return c.CompensationFailed(epoch=epoch, failure=BROKEN, outcome_unknown=unknown, ended_at_ms=0)


_RUNNING = (proposed(), c.CompensationApprovalRequested(), approved(), run_started())
COMPENSATIONS: dict[str, tuple[Event, ...]] = {
    "proposed": _RUNNING[:1],
    "awaiting_approval": _RUNNING[:2],
    "approved": _RUNNING[:3],
    "running": _RUNNING,
    "completed": (*_RUNNING, run_done()),
    "failed": (*_RUNNING, run_failed()),
    "cancelled": (proposed(), c.CompensationCancelled(why="no")),
}
