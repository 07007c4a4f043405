"""The outbox gate's rules: when an effect may be sent, and what its outcomes mean.

What is promised: docs/explanation/guarantees.md.
"""

from typing import get_args

from redrive.domain.effect import events as e
from redrive.domain.effect.request import EffectRequest, Receipt
from redrive.domain.effect.state import Effect, EffectStatus, report_digest
from redrive.domain.errors import InFlight, InvalidValue, KeyReused, NotAllowed, PayloadDestroyed
from redrive.domain.event import Event
from redrive.domain.failure import OUTCOME_UNKNOWN, Failure
from redrive.domain.identity import EffectId
from redrive.domain.payloads import KEYED
from redrive.domain.run.attempts import AttemptId
from redrive.domain.run.state import NodeStatus, Run, Status

OUTSIDE_LEASE_MS = 300_000
OUTCOMES: tuple[str, ...] = get_args(e.Outcome)


def is_live(effect: Effect, run: Run | None, *, now_ms: int) -> bool:
    """Whether somebody may be sending it now. *run* is that of its last try."""
    if effect.status is not EffectStatus.INTENDED:
        return False
    if effect.expires_at_ms is not None:
        return effect.expires_at_ms > now_ms
    return run is not None and not has_passed(effect, run)


def has_passed(effect: Effect, run: Run | None) -> bool:
    """Whether the attempt of the last try is over; outside runs, whether its sender was given up."""
    if not effect.run:
        return effect.status is not EffectStatus.INTENDED
    node = run.nodes.get(effect.node) if run else None
    if run is None or node is None or run.status is not Status.RUNNING or run.epoch != effect.epoch:
        return True
    return node.status is not NodeStatus.RUNNING or node.lifetime != effect.lifetime


def is_done(effect: Effect, request: EffectRequest) -> bool:
    """Whether it succeeded, so that its stored receipt answers. Raises KeyReused for another request,
    PayloadDestroyed when what was asked cannot be told any more."""
    if effect.status is not EffectStatus.SUCCEEDED:
        return False
    if effect.done_digest.startswith(KEYED):
        raise PayloadDestroyed(effect.id)
    if effect.done_digest != request.digest:
        raise KeyReused(request.key, "operation, target or request")
    return True


def intend(
    effect: Effect | None,
    id_: EffectId,
    request: EffectRequest,
    run: Run | None,
    attempt: AttemptId | None,
    holder: str,
    *,
    now_ms: int,
) -> e.EffectIntended:
    """The intent that is durable before the call. *run* is that of *attempt*; both None outside runs.

    Raises NotAllowed unless it is new, failed or withheld.
    """
    if effect is not None and effect.status not in (EffectStatus.FAILED, EffectStatus.WITHHELD):
        raise NotAllowed("send", f"effect {id_}", f"it is {effect.status}")
    return e.EffectIntended(
        effect=id_,
        run=None if run is None else run.id,
        automation="" if run is None else run.automation,
        node=None if attempt is None else attempt.node,
        request=request,
        try_number=1 if effect is None else effect.tries + 1,
        lifetime=0 if attempt is None else attempt.lifetime,
        epoch=0 if attempt is None else attempt.epoch,
        holder=holder,
        intended_at_ms=now_ms,
        expires_at_ms=now_ms + OUTSIDE_LEASE_MS if run is None else None,
    )


def withhold(
    effect: Effect | None, id_: EffectId, request: EffectRequest, run: Run | None, attempt: AttemptId | None,
    why: str, *, now_ms: int,
) -> e.EffectWithheld:  # fmt: skip
    """The host's gate said no. Raises InFlight, NotAllowed: what is being sent, unknown or done is not withheld."""
    if effect is not None and effect.status is EffectStatus.INTENDED:
        raise InFlight(id_, effect.holder)
    if effect is not None and effect.status in (EffectStatus.SUCCEEDED, EffectStatus.UNKNOWN):
        raise NotAllowed("withhold", f"effect {id_}", f"it is {effect.status}")
    return e.EffectWithheld(
        effect=id_,
        run=None if run is None else run.id,
        automation="" if run is None else run.automation,
        node=None if attempt is None else attempt.node,
        request=request,
        lifetime=0 if attempt is None else attempt.lifetime,
        why=why,
        withheld_at_ms=now_ms,
    )


def succeed(effect: Effect, try_number: int, receipt: Receipt, *, late: bool, now_ms: int) -> list[Event]:
    """It was done: a fact about the world, also from an older try. The identical report again gives no event."""
    _require_try(effect, try_number)
    mark = receipt.digest
    if (try_number, "succeeded", mark) in effect.reports:
        return []
    late = late or try_number < effect.tries
    return [
        e.EffectSucceeded(
            try_number=try_number, receipt=receipt.body, receipt_digest=mark, late=late, ended_at_ms=now_ms
        )
    ]


def fail(
    effect: Effect, try_number: int, failure: Failure, receipt: Receipt | None, *, late: bool, now_ms: int
) -> list[Event]:
    """It was not done. The identical report again gives no event."""
    _require_try(effect, try_number)
    if (try_number, "failed", report_digest(failure)) in effect.reports:
        return []
    return [
        e.EffectFailed(
            try_number=try_number,
            failure=failure,
            receipt=None if receipt is None else receipt.body,
            receipt_digest=None if receipt is None else receipt.digest,
            late=late or try_number < effect.tries,
            ended_at_ms=now_ms,
        )
    ]


def lose(effect: Effect, try_number: int, why: str, *, late: bool, now_ms: int) -> list[Event]:
    """Nobody knows what became of a try. The identical report again gives no event."""
    _require_try(effect, try_number)
    failure = Failure(OUTCOME_UNKNOWN, why)
    if (try_number, "unknown", report_digest(failure)) in effect.reports:
        return []
    late = late or try_number < effect.tries
    return [e.EffectOutcomeUnknown(try_number=try_number, failure=failure, late=late, ended_at_ms=now_ms)]


def reconcile(
    effect: Effect, outcome: str, receipt: Receipt | None, why: str, *, by_operator: bool, now_ms: int,
    try_number: int | None = None,
) -> e.EffectReconciled:  # fmt: skip
    """What somebody found out about an effect whose outcome is unknown; *try_number* is the try that was looked into
    (None: the last): what is known of an older one says nothing about it. Raises InvalidValue, NotAllowed."""
    if outcome not in OUTCOMES:
        raise InvalidValue("outcome", outcome, f"one of {', '.join(OUTCOMES)}")
    if effect.status is not EffectStatus.UNKNOWN:
        raise NotAllowed("reconcile", f"effect {effect.id}", f"it is {effect.status}, not unknown")
    if try_number not in (None, effect.tries):
        raise NotAllowed("reconcile", f"effect {effect.id}", f"try {effect.tries} of it was begun meanwhile")
    return e.EffectReconciled(
        try_number=effect.tries,
        outcome=outcome,  # type: ignore[arg-type]  # one of OUTCOMES
        by="operator" if by_operator else "reconciler",
        why=why,
        receipt=receipt.body if receipt and outcome == "succeeded" else None,
        receipt_digest=receipt.digest if receipt and outcome == "succeeded" else None,
        reconciled_at_ms=now_ms,
    )


def _require_try(effect: Effect, try_number: int) -> None:
    """Raises NotAllowed for an outcome of a try that was never intended."""
    if not 1 <= try_number <= effect.tries:
        raise NotAllowed("report on", f"effect {effect.id}", f"it has no try {try_number}")
