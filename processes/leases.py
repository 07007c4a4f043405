"""Leases: claiming runs, keeping them, giving them back, and taking them from holders that are gone."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

from redrive.domain.errors import StreamUnreadable
from redrive.domain.identity import NodeId, RunId, Tenant
from redrive.domain.limits import TOTAL
from redrive.domain.ports import START, Due, DueKey, Transaction
from redrive.domain.run.attempts import start_attempt, started
from redrive.domain.run.claims import (
    MAX_LEASE_MS,
    MIN_LEASE_MS,
    abandon_claim,
    claim_run,
    release_claim,
    renew_lease,
    require_claim,
)
from redrive.domain.run.events import AttemptStarted, RunClaimed
from redrive.domain.run.holder import Holder
from redrive.domain.run.state import QUEUED, RUNNING, Run, Status
from redrive.domain.spread import rotated, turn_of
from redrive.domain.values import clean_integer
from redrive.processes.admitted import lose_intents
from redrive.processes.capacity import Starter, hold_back, require_room, room_for_run
from redrive.processes.claimant import Claimant, executable
from redrive.processes.handout import Attempt, Claim, Lease, Signals, attempt_of
from redrive.processes.letters import PolicyOf, dead_letter_final_failures
from redrive.processes.outbox import Outbox
from redrive.processes.places import Places, admit_within

MOST_CLAIMS = 1_000
MOST_HELD = 2_000  # in one transaction
ANY_PLACE = Places(None)


def claiming(
    claimant: Claimant, limit: int, most: int | None = 0, ahead: int = 0
) -> Callable[[Transaction], list[Claim]]:
    """A command that claims up to *limit* due runs, the oldest first, and starts up to *most* of their nodes in
    all (None: every one that can start), and *ahead* more that may wait; with a *most* or *ahead* above 0 it stops
    claiming once they are used up. However many it cannot read or execute, it goes on beyond them; it stops when it
    has put many in lines of limits."""
    clean_integer(limit, "n", 1, MOST_CLAIMS)
    starts = most is None or most > 0 or ahead > 0

    def claim(tx: Transaction) -> list[Claim]:
        claims: list[Claim] = []
        full: set[str] = set()
        left, held = Places(most, ahead), 0
        waiting: list[RunId] = []
        for row in _line(tx, claimant, limit, full):
            starter = Starter(tx.caller.tenant, claimant.handlers, row.place)
            if (room := room_for_run(tx, row.tenant, starter)).full:
                waiting.append(row.run)
                if any(use.limit == TOTAL for use in room.full):
                    break
                full.add(str(row.tenant))
                continue
            won = _claim_one(tx, row, claimant, left, starter)
            if won is None:  # the next in line would take a place that is not free: nobody is let past it
                break
            if isinstance(won, Claim):
                claims.append(won)
                left = left.after(len(won.attempts))
            if won is True:
                held += 1
                waiting += [row.run] if len(waiting) < limit else []
            if len(claims) == limit or (starts and left.taken) or held >= MOST_HELD:
                break
        if tx.limited:
            _look_for(tx, claimant, [*waiting, *tx.limits.sought(claimant.handlers, claimant.run, limit)])
        return claims

    return claim


def _look_for(tx: Transaction, claimant: Claimant, waiting: Sequence[RunId]) -> None:
    """Tell who else serves a limit that these could start here, so that the oldest gets what is freed next."""

    def could_start(id_: RunId) -> bool:
        run = tx.find_run(id_) if tx.readable(id_) else None
        if run is None or run.status is not QUEUED:
            return False
        return bool(executable(run, tx.now_ms, claimant))

    tx.limits.expect(id_ for id_ in tx.limits.unexpected(waiting) if could_start(id_))


def _line(tx: Transaction, claimant: Claimant, limit: int, full: Collection[str]) -> Iterator[Due]:
    """What is due, in the order in which this claimant tries for it: the oldest first, unless claimants spread. Where
    there are limits nobody spreads: their lines are served in order."""
    in_order = tx.limited or claimant.run is not None or limit == 1
    k = 1 if tx.limited or claimant.run is not None else tx.spread
    dues = _dues(tx, claimant, limit * k, full, START if in_order or k > 1 else None)
    if k > 1:
        turn = turn_of(f"{claimant.worker} {claimant.holder}", next(claimant.claims))
        yield from rotated(list(islice(dues, limit * k)), turn, k=k, n=limit)
    yield from dues


def _dues(tx: Transaction, claimant: Claimant, page: int, full: Collection[str], after: DueKey | None) -> Iterator[Due]:
    """What is due beyond *after*, each run once, page by page, none of the tenants that are *full* meanwhile."""
    seen: set[str] = set()
    while dues := tx.next_claimable(claimant.handlers, page, claimant.run, full, after):
        for row in dues:
            if row.subject not in seen and not (full and str(row.tenant) in full):
                seen.add(row.subject)
                yield row
        if claimant.run is not None or len(dues) < page:
            return
        after, page = START if after is None else dues[-1].place, min(4 * page, MOST_CLAIMS)


def _claim_one(tx: Transaction, due: Due, claimant: Claimant, places: Places, starter: Starter) -> Claim | bool | None:
    """Win one run; else whether it was put in lines, because limits hold all of it back (False: it cannot be executed
    here, because its stream is read-only or no handler fits, or it waits for the same limits already); None when
    nothing of it may wait for a place."""
    try:
        run = tx.find_run(due.run)
    except StreamUnreadable:  # damaged, or a newer version submitted it
        return False
    if run is None or run.status is not QUEUED:
        return False
    tx.afresh()
    nodes = executable(run, tx.now_ms, claimant)
    if claimant.handlers is not None and not nodes:
        return False
    admitted = admit_within(tx, run, nodes, places, starter)
    if nodes and not admitted.nodes and places.now == 0 and places.ahead:
        return None
    try:
        if nodes and not admitted.possible:
            waits = hold_back(tx, run, admitted)
            tx.append_run(run, *waits)
            return bool(waits)
        claimed = claim_run(
            run,
            worker=claimant.worker,
            holder=claimant.holder,
            lease_ms=claimant.lease_ms,
            now_ms=tx.now_ms,
            limits=room_for_run(tx, run.tenant).uses,
        )
        starts = [
            started(run, node, epoch=claimed.epoch, now_ms=tx.now_ms, limits=uses)
            for node, uses in admitted.nodes.items()
        ]
        tx.append_run(run, claimed, *starts)
    except StreamUnreadable:
        return False
    return _claim_of(run, claimed, starts, claimant.outbox)


def _claim_of(run: Run, claimed: RunClaimed, starts: Sequence[AttemptStarted], outbox: Outbox | None) -> Claim:
    """What the winner of a run is handed."""
    signals = Signals()
    return Claim(
        run.tenant,
        run.id,
        run.automation,
        run.generation,
        claimed.epoch,
        claimed.worker,
        claimed.lease_ms,
        claimed.expires_at_ms,
        tuple([attempt_of(run, event, signals, outbox) for event in starts]),
        signals,
        outbox,
    )


def starting(claim: Claim, node: str) -> Callable[[Transaction], Attempt]:
    """A command that starts a try of *node*. Raises NotRunning, StaleEpoch, NodeNotReady, LimitReached."""

    def start(tx: Transaction) -> Attempt:
        run = tx.run(claim.run_id)
        event = start_attempt(run, NodeId(node), epoch=claim.epoch, now_ms=tx.now_ms)
        if tx.limited:
            uses = require_room(tx, run, event.node)
            event = started(run, event.node, epoch=claim.epoch, now_ms=tx.now_ms, limits=uses)
        return attempt_of(tx.append_run(run, event), event, claim.signals, claim.outbox)

    return start


def starting_all(
    claim: Claim, claimant: Claimant | None = None, places: Places = ANY_PLACE
) -> Callable[[Transaction], list[Attempt]]:
    """A command that starts every node that can start now (and that *claimant* can execute) and has a place. Where
    limits allow none, and nothing else of the run is running, its claim ends: it waits for room."""

    def start(tx: Transaction) -> list[Attempt]:
        run = tx.run(claim.run_id)
        require_claim(run, claim.epoch)
        nodes = executable(run, tx.now_ms, claimant)
        handlers = claimant.handlers if claimant else None
        admitted = admit_within(tx, run, nodes, places, Starter(tx.caller.tenant, handlers))
        if nodes and not admitted.possible and not run.running:
            tx.append_run(run, *hold_back(tx, run, admitted))
            return []
        events = [
            started(run, node, epoch=claim.epoch, now_ms=tx.now_ms, limits=uses)
            for node, uses in admitted.nodes.items()
        ]
        tx.append_run(run, *events)
        return [attempt_of(run, event, claim.signals, claim.outbox) for event in events]

    return start


def renewing(claim: Claim, lease_ms: int | None) -> Callable[[Transaction], Lease]:
    """A command that extends the lease; a cancelled or lost claim is told, not refused."""
    if lease_ms is not None:
        clean_integer(lease_ms, "lease_ms", MIN_LEASE_MS, MAX_LEASE_MS)

    def renew(tx: Transaction) -> Lease:
        run = tx.run(claim.run_id)
        if run.status is Status.CANCELLED:
            claim.signals.cancel()
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


def reclaiming(
    id_: RunId, policy_of: PolicyOf, gone: Holder | None = None
) -> Callable[[Transaction], tuple[Tenant, str] | None]:
    """A command that takes a run from a holder whose lease expired, or whose process *gone* is known to be gone.

    Returns whose run it is and which worker had it, None when the claim has changed meanwhile. Interrupted attempts are
    judged and settled in the same transaction. Raises StreamReadOnly; then nothing of it is written.
    """

    def reclaim(tx: Transaction) -> tuple[Tenant, str] | None:
        run = tx.find_run(id_)
        if run is None or run.claim is None or run.status is not RUNNING:
            return None
        expired = run.claim.expires_at_ms <= tx.now_ms
        if not expired and (gone is None or run.claim.holder != gone):
            return None
        of = run.tenant, run.claim.worker
        draws = [tx.draw() for _ in run.running]
        events, final = abandon_claim(run, now_ms=tx.now_ms, process_gone=not expired, draws=draws)
        interrupted = {node: run.nodes[node].lifetime for node in run.running if run.nodes[node].effects}
        tx.append_run(run, *events)
        for node, lifetime in interrupted.items():
            lose_intents(tx, run, node, lifetime, "its executor is gone")
        dead_letter_final_failures(tx, run, final, policy_of)
        return of

    return reclaim
