"""Claims and leases: who may execute a run, and how a run is taken back from one who is gone."""

from typing import Any, Literal

from redrive.domain.errors import AttemptsRunning, NotAllowed
from redrive.domain.event import Event
from redrive.domain.failure import INTERRUPTED, Failure
from redrive.domain.identity import NodeId
from redrive.domain.limits import LimitUse
from redrive.domain.retry_policy import RetryDecision
from redrive.domain.run import events as e
from redrive.domain.run.attempts import consequences, decide, require_epoch
from redrive.domain.run.holder import Holder
from redrive.domain.run.settle import Standing, settle, standing_of, waits
from redrive.domain.run.state import QUEUED, RUNNING, Claim, Run

DEFAULT_LEASE_MS = 1_800_000
MIN_LEASE_MS = 5_000
MAX_LEASE_MS = 21_600_000


def claim_run(
    run: Run,
    *,
    worker: str,
    holder: Holder | None,
    lease_ms: int,
    now_ms: int,
    limits: tuple[LimitUse, ...] = (),
) -> e.RunClaimed:
    """Win a queued, due run: the epoch rises by one. Raises NotAllowed."""
    if run.status is not QUEUED:
        raise NotAllowed("claim", f"run {run.id}", f"it is {run.status}")
    if not run.held_by and (run.due_ms is None or run.due_ms > now_ms):
        raise NotAllowed("claim", f"run {run.id}", f"it is due at {run.due_ms}")
    if run.pause_requested:
        raise NotAllowed("claim", f"run {run.id}", "a pause was requested")
    return e.RunClaimed(
        epoch=run.epoch + 1,
        generation=run.generation,
        worker=worker,
        holder=holder,
        lease_ms=lease_ms,
        expires_at_ms=now_ms + lease_ms,
        limits=limits,
    )


def require_claim(run: Run, epoch: int) -> Claim:
    """The live claim with this epoch. Raises NotRunning, StaleEpoch."""
    require_epoch(run, epoch)
    assert run.claim is not None, "a running run has one"
    return run.claim


def renew_lease(run: Run, epoch: int, *, lease_ms: int | None, now_ms: int) -> list[Event]:
    """Extend the lease; it never gets shorter. Raises NotRunning, StaleEpoch."""
    claim = require_claim(run, epoch)
    expires = now_ms + (lease_ms or claim.lease_ms)
    return [e.LeaseRenewed(epoch=epoch, expires_at_ms=expires)] if expires > claim.expires_at_ms else []


def release_claim(run: Run, epoch: int, *, now_ms: int, no_handler: bool = False) -> list[Event]:
    """Give the run back. Raises NotRunning, StaleEpoch, AttemptsRunning."""
    require_claim(run, epoch)
    if run.running:
        raise AttemptsRunning(run.id, list(run.running))
    after = standing_of(run)
    after.claimed = False
    after.ready_reason = "no_handler" if no_handler else "released"
    waits(run, after)
    released = e.ClaimReleased(epoch=epoch, why="no_handler" if no_handler else "released")
    return [released, *settle(after, now_ms)]


def abandon_claim(
    run: Run, *, now_ms: int, process_gone: bool, draws: list[float]
) -> tuple[list[Event], dict[NodeId, RetryDecision]]:
    """Take the run from a holder whose lease expired or whose process is gone.

    Every running attempt is interrupted and judged by its policy (*draws*: one for each, from the caller).
    Returns the events and the final decisions by node. Raises NotAllowed while the holder may be alive.
    """
    claim = run.claim
    if run.status is not RUNNING or claim is None:
        raise NotAllowed("reclaim", f"run {run.id}", f"it is {run.status}")
    if not process_gone and claim.expires_at_ms > now_ms:
        raise NotAllowed("reclaim", f"run {run.id}", f"its lease lasts until {claim.expires_at_ms}")
    why: Literal["lease_expired", "process_gone"]
    why = "lease_expired" if claim.expires_at_ms <= now_ms else "process_gone"
    abandoned = e.ClaimAbandoned(epoch=run.epoch, worker=claim.worker, why=why, expires_at_ms=claim.expires_at_ms)
    after = standing_of(run)
    after.claimed, after.running, after.ready_reason = False, 0, "reclaimed"
    failure = Failure(INTERRUPTED, f"the executor {claim.worker} is gone", kind=why)
    events: list[Event] = [abandoned]
    final: dict[NodeId, RetryDecision] = {}
    for node, draw in zip(run.running, draws, strict=True):
        decision = decide(run, node, failure, now_ms=now_ms, draw=draw)
        events += _interrupt(run, node, decision, after)
        if decision.terminal:
            final[node] = decision
    waits(run, after)
    return [*events, *settle(after, now_ms)], final


def _interrupt(run: Run, node: NodeId, decision: RetryDecision, after: Standing) -> list[Event]:
    state = run.nodes[node]
    names: dict[str, Any] = {"node": node, "number": state.number, "lifetime": state.lifetime, "epoch": run.epoch}
    events: list[Event] = [e.AttemptInterrupted(**names, decision=decision)]
    if decision.terminal:
        events.append(e.AttemptFailed(**names, decision=decision, report="interrupted"))
    return [*events, *consequences(run, decision, node, after)]
