"""What may be done with a compensation: a required approval is never skipped, and none is done without having run."""

from redrive.domain.compensation import events as e
from redrive.domain.compensation.state import CompensationState, CompensationStatus
from redrive.domain.effect.request import Receipt
from redrive.domain.effect.state import Effect
from redrive.domain.errors import NotAllowed, StaleEpoch
from redrive.domain.event import Event
from redrive.domain.failure import OUTCOME_UNKNOWN, Failure
from redrive.domain.identity import CompensationId, DeadLetterId
from redrive.domain.run.holder import Holder

DEFAULT_LEASE_MS = 300_000
WAITING = (CompensationStatus.PROPOSED, CompensationStatus.AWAITING_APPROVAL)
FINAL = (CompensationStatus.COMPLETED, CompensationStatus.CANCELLED)


def propose(effect: Effect, id_: CompensationId, dead_letter: DeadLetterId, *, now_ms: int) -> e.CompensationProposed:
    """What the effect said would make good for it. The caller has checked that it said so."""
    assert effect.request is not None
    assert effect.request.compensation is not None
    return e.CompensationProposed(
        compensation=id_,
        effect=effect.id,
        effect_key=effect.key,
        dead_letter=dead_letter,
        run=effect.run or None,
        automation=effect.automation,
        node=effect.node or None,
        plan=effect.request.compensation,
        proposed_at_ms=now_ms,
    )


def bars(compensation: CompensationState) -> bool:
    """Whether its effect may neither be sent nor stand: it will be, is, or may have been made good for."""
    if compensation.status is CompensationStatus.FAILED:
        return compensation.outcome_unknown
    decided = (CompensationStatus.APPROVED, CompensationStatus.RUNNING, CompensationStatus.COMPLETED)
    return compensation.status in decided


def choose(compensation: CompensationState, *, now_ms: int) -> Event:
    """An operator wants it: it waits for approval where one is required. Raises NotAllowed unless it is proposed."""
    _require(compensation, "choose", CompensationStatus.PROPOSED)
    assert compensation.plan is not None
    if compensation.plan.requires_approval:
        return e.CompensationApprovalRequested()
    return e.CompensationApproved(approved_at_ms=now_ms)


def approve(compensation: CompensationState, *, now_ms: int) -> Event:
    """Somebody approves it. Raises NotAllowed unless it awaits approval."""
    _require(compensation, "approve", CompensationStatus.AWAITING_APPROVAL)
    return e.CompensationApproved(approved_at_ms=now_ms)


def run_again(compensation: CompensationState, *, now_ms: int) -> Event:
    """An operator has a failed one run again, also when its outcome is unknown. Raises NotAllowed."""
    _require(compensation, "run again", CompensationStatus.FAILED)
    return e.CompensationApproved(approved_at_ms=now_ms)


def cancel(compensation: CompensationState, why: str) -> Event:
    """It will not be run; what runs is disowned, and its report refused. Raises NotAllowed when it is final."""
    if compensation.status in FINAL:
        raise NotAllowed("cancel", f"compensation {compensation.id}", f"it is {compensation.status}")
    return e.CompensationCancelled(why=why)


def start(
    compensation: CompensationState, *, worker: str, holder: Holder | None, lease_ms: int, now_ms: int
) -> e.CompensationStarted:
    """A worker takes it: the epoch rises by one. Raises NotAllowed unless it is approved."""
    _require(compensation, "start", CompensationStatus.APPROVED)
    return e.CompensationStarted(
        epoch=compensation.epoch + 1,
        worker=worker,
        holder=holder,
        lease_ms=lease_ms,
        started_at_ms=now_ms,
        expires_at_ms=now_ms + lease_ms,
    )


def complete(compensation: CompensationState, epoch: int, receipt: Receipt, *, now_ms: int) -> list[Event]:
    """It worked: also when its lease had expired meanwhile, as long as no other run of it began. The identical report
    again gives no event. Raises StaleEpoch, NotAllowed."""
    if _said_before(compensation, epoch, CompensationStatus.COMPLETED, receipt.digest):
        return []
    if epoch != compensation.epoch or not _may_have_happened(compensation):
        _require_current(compensation, "complete", epoch)
    body, mark = receipt.body, receipt.digest
    return [e.CompensationCompleted(epoch=epoch, receipt=body, receipt_digest=mark, ended_at_ms=now_ms)]


def fail(
    compensation: CompensationState, epoch: int, failure: Failure, *, outcome_unknown: bool, now_ms: int
) -> list[Event]:
    """It did not work, or nobody knows. The identical report again gives no event. Raises StaleEpoch, NotAllowed."""
    if _said_before(compensation, epoch, CompensationStatus.FAILED, failure.reason):
        return []
    _require_current(compensation, "fail", epoch)
    return [e.CompensationFailed(epoch=epoch, failure=failure, outcome_unknown=outcome_unknown, ended_at_ms=now_ms)]


def expire(compensation: CompensationState, *, now_ms: int, gone: Holder | None = None) -> list[Event]:
    """Its worker is gone, because its lease has ended or its process *gone* has: failed, with an unknown outcome. None
    while it may be alive."""
    if compensation.status is not CompensationStatus.RUNNING:
        return []
    if gone is not None and compensation.holder == gone:
        failure = Failure(OUTCOME_UNKNOWN, f"the process of {compensation.worker} is gone", kind="process_gone")
    elif compensation.due_ms <= now_ms:
        failure = Failure(OUTCOME_UNKNOWN, f"the lease of {compensation.worker} expired", kind="lease_expired")
    else:
        return []
    return fail(compensation, compensation.epoch, failure, outcome_unknown=True, now_ms=now_ms)


def _may_have_happened(compensation: CompensationState) -> bool:
    """Whether its last run ended without anybody knowing its outcome."""
    waiting = (CompensationStatus.FAILED, CompensationStatus.APPROVED)
    return compensation.outcome_unknown and compensation.status in waiting


def _said_before(compensation: CompensationState, epoch: int, status: CompensationStatus, report: str) -> bool:
    return compensation.epoch == epoch and compensation.status is status and compensation.report == report


def _require(compensation: CompensationState, command: str, status: CompensationStatus) -> None:
    if compensation.status is not status:
        stands = compensation.status.replace("_", " ")
        raise NotAllowed(command, f"compensation {compensation.id}", f"it is {stands}")


def _require_current(compensation: CompensationState, command: str, epoch: int) -> None:
    if epoch != compensation.epoch:
        raise StaleEpoch(compensation.id, held=epoch, current=compensation.epoch, kind="compensation")
    _require(compensation, command, CompensationStatus.RUNNING)
