"""Leases: claiming runs, keeping them, giving them back, and taking them from holders that are gone."""

from collections.abc import Callable, Collection

from redrive.domain.errors import StreamReadOnly
from redrive.domain.identity import NodeId, RunId
from redrive.domain.ports import Transaction
from redrive.domain.run import events as e
from redrive.domain.run.attempts import start_attempt, started, startable
from redrive.domain.run.claims import (
    DEFAULT_LEASE_MS,
    MAX_LEASE_MS,
    MIN_LEASE_MS,
    abandon_claim,
    claim_run,
    release_claim,
    renew_lease,
    require_claim,
)
from redrive.domain.run.holder import Holder
from redrive.domain.run.state import Run, Status
from redrive.domain.values import clean_integer, clean_name
from redrive.processes.handout import Attempt, Claim, Lease, Signals, attempt_of
from redrive.processes.letters import dead_letter_final_failures

MOST_CLAIMS = 1_000


def claiming(
    worker: str, holder: Holder | None, lease_ms: int, handlers: Collection[str] | None, limit: int, start: bool
) -> Callable[[Transaction], list[Claim]]:
    """A command that claims up to *limit* due runs, the oldest first, that a worker with *handlers* can execute."""
    clean_name(worker, "worker")
    clean_integer(lease_ms, "lease_ms", MIN_LEASE_MS, MAX_LEASE_MS)
    clean_integer(limit, "n", 1, MOST_CLAIMS)
    known = None if handlers is None else frozenset(handlers)

    def claim(tx: Transaction) -> list[Claim]:
        claims: list[Claim] = []
        page = limit
        seen: set[str] = set()
        while len(claims) < limit:
            due = [row for row in tx.next_claimable(known, page) if row.subject not in seen]
            for row in due[: limit - len(claims)]:
                seen.add(row.subject)
                if (won := _claim_one(tx, row.run, worker, holder, lease_ms, known, start)) is not None:
                    claims.append(won)
            if not due or page > MOST_CLAIMS:
                break
            page = min(2 * page + len(seen), 2 * MOST_CLAIMS)
        return claims

    return claim


def _claim_one(
    tx: Transaction,
    id_: RunId,
    worker: str,
    holder: Holder | None,
    lease_ms: int,
    handlers: frozenset[str] | None,
    start: bool,
) -> Claim | None:
    """Win one run; None when it cannot be executed here (its stream is read-only, or no handler fits)."""
    run = tx.find_run(id_)
    if run is None or run.status is not Status.QUEUED:
        return None
    if handlers is not None and not any(_can(run, node, handlers) for node in startable(run, tx.now_ms)):
        return None
    events = claim_run(run, worker=worker, holder=holder, lease_ms=lease_ms, now_ms=tx.now_ms)
    claimed = events[0]
    assert isinstance(claimed, e.RunClaimed)
    if start:
        nodes = [n for n in startable(run, tx.now_ms) if handlers is None or _can(run, n, handlers)]
        events += [started(run, node, epoch=claimed.epoch, now_ms=tx.now_ms) for node in nodes]
    try:
        run = tx.append_run(run, *events)
    except StreamReadOnly:
        return None
    signals = Signals()
    attempts = tuple(attempt_of(run, event, signals) for event in events if isinstance(event, e.AttemptStarted))
    return Claim(
        tenant=run.tenant,
        run_id=run.id,
        automation=run.automation,
        generation=run.generation,
        epoch=claimed.epoch,
        worker=worker,
        lease_ms=lease_ms,
        expires_at_ms=claimed.expires_at_ms,
        attempts=attempts,
        signals=signals,
    )


def _can(run: Run, node: NodeId, handlers: frozenset[str]) -> bool:
    return run.flow.nodes[node].handled_by in handlers


def starting(claim: Claim, node: str) -> Callable[[Transaction], Attempt]:
    """A command that starts a try of *node*. Raises NotRunning, StaleEpoch, NodeNotReady."""

    def start(tx: Transaction) -> Attempt:
        run = tx.run(claim.run_id)
        event = start_attempt(run, NodeId(node), epoch=claim.epoch, now_ms=tx.now_ms)
        return attempt_of(tx.append_run(run, event), event, claim.signals)

    return start


def starting_all(
    claim: Claim, handlers: Collection[str] | None = None, most: int | None = None
) -> Callable[[Transaction], list[Attempt]]:
    """A command that starts every node that can start now and has a handler, *most* at the most."""
    known = None if handlers is None else frozenset(handlers)

    def start(tx: Transaction) -> list[Attempt]:
        run = tx.run(claim.run_id)
        require_claim(run, claim.epoch)
        nodes = [n for n in startable(run, tx.now_ms) if known is None or _can(run, n, known)][:most]
        events = [started(run, node, epoch=claim.epoch, now_ms=tx.now_ms) for node in nodes]
        tx.append_run(run, *events)
        return [attempt_of(run, event, claim.signals) for event in events]

    return start


def renewing(claim: Claim, lease_ms: int | None) -> Callable[[Transaction], Lease]:
    """A command that extends the lease; a cancelled or lost claim is told, not refused."""
    if lease_ms is not None:
        clean_integer(lease_ms, "lease_ms", MIN_LEASE_MS, MAX_LEASE_MS)

    def renew(tx: Transaction) -> Lease:
        run = tx.run(claim.run_id)
        if run.status is Status.CANCELLED:
            claim.signals.cancelled = True
            return Lease(claim.expires_at_ms, cancelled=True, pausing=False)
        tx.append_run(run, *renew_lease(run, claim.epoch, lease_ms=lease_ms, now_ms=tx.now_ms))
        assert run.claim is not None
        claim.signals.pausing = run.pause_requested
        return Lease(run.claim.expires_at_ms, cancelled=False, pausing=run.pause_requested)

    return renew


def releasing(claim: Claim, no_handler: bool) -> Callable[[Transaction], Status]:
    """A command that gives the run back. Raises NotRunning, StaleEpoch, AttemptsRunning."""

    def release(tx: Transaction) -> Status:
        run = tx.run(claim.run_id)
        tx.append_run(run, *release_claim(run, claim.epoch, now_ms=tx.now_ms, no_handler=no_handler))
        return run.status

    return release


def reclaiming(id_: RunId, gone: Holder | None = None) -> Callable[[Transaction], bool]:
    """A command that takes a run from a holder whose lease expired, or whose process *gone* is known to be gone.

    Returns False when the claim has changed meanwhile. Interrupted attempts are judged and settled in the same
    transaction.
    """

    def reclaim(tx: Transaction) -> bool:
        run = tx.find_run(id_)
        if run is None or run.claim is None or run.status is not Status.RUNNING:
            return False
        expired = run.claim.expires_at_ms <= tx.now_ms
        if not expired and (gone is None or run.claim.holder != gone):
            return False
        draws = [tx.draw() for _ in run.running]
        events, final = abandon_claim(run, now_ms=tx.now_ms, process_gone=not expired, draws=draws)
        try:
            tx.append_run(run, *events)
            dead_letter_final_failures(tx, run, final)
        except StreamReadOnly:
            return False
        return True

    return reclaim


__all__ = [
    "DEFAULT_LEASE_MS",
    "claiming",
    "reclaiming",
    "releasing",
    "renewing",
    "starting",
    "starting_all",
]
