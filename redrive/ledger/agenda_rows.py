"""What stands on the agenda of a run, a dead letter, an effect or a compensation: a function of its state."""

from collections.abc import Callable
from typing import NamedTuple

from redrive.domain.compensation.state import CompensationState, CompensationStatus
from redrive.domain.dead_letter.state import REDRIVING, DeadLetter
from redrive.domain.effect.state import Effect, EffectStatus
from redrive.domain.identity import RunId
from redrive.domain.run.holding import waits_for_room
from redrive.domain.run.state import QUEUED, RUNNING, Run

State = Run | DeadLetter | Effect | CompensationState
ANY = ""
TIMED_WAITS, EXPIRIES = " ", "  "  # stand where handlers stand; no handler has a blank name
MOST_NEEDS = 256


class AgendaRow(NamedTuple):
    """A row, in the order of the table's columns. *needs* names the handler that can go on with a queued run; ANY:
    look at the run itself."""

    subject: str
    kind: str
    due_ms: int | None
    created: int
    tenant: str
    needs: str = ""
    run: str = ""
    not_before_ms: int = 0
    holder: str | None = None


def rows_of(state: State, created: int, engine: str, find_run: Callable[[RunId], Run | None]) -> tuple[AgendaRow, ...]:
    """The rows of *state*, whose stream begins at position *created*, as *engine* (a version) judges it."""
    match state:
        case Run():
            return _rows_of_run(state, created)
        case DeadLetter():
            return _rows_of_dead_letter(state, find_run(state.run) if state.run else None, created, engine)
        case Effect():
            return _rows_of_effect(state, created)
        case CompensationState():
            return _rows_of_compensation(state, created)


def _rows_of_run(run: Run, created: int) -> tuple[AgendaRow, ...]:
    """A queued run is due once for each handler that can go on with it, a claimed one when its lease expires; wherever
    it stands, its timed waits are due when the first ends, its approvals when the first expires."""
    standing = _standing_of_run(run, created)
    return (*_timers_of_run(run, created), *standing) if run.timers or run.approvals else standing


def _timers_of_run(run: Run, created: int) -> tuple[AgendaRow, ...]:
    ends = min(run.timers.values(), default=None)
    expires = min((at for at in run.approvals.values() if at is not None), default=None)
    named = (("timed_wait", TIMED_WAITS, ends), ("expiry", EXPIRIES, expires))
    tenant = str(run.tenant)
    return tuple(
        AgendaRow(run.id, kind, at, created, tenant, needs, run.id) for kind, needs, at in named if at is not None
    )


def _standing_of_run(run: Run, created: int) -> tuple[AgendaRow, ...]:
    id_, claim = run.id, run.claim
    if run.status is QUEUED and run.due_ms is not None:  # what waits for room stands in lines, not here
        dues, tenant = sorted(_dues(run, run.due_ms).items()), str(run.tenant)
        return tuple([AgendaRow(id_, "run", due, created, tenant, needs, id_) for needs, due in dues])
    if run.status is RUNNING and claim is not None:
        holder = None if claim.holder is None else str(claim.holder)
        return (AgendaRow(id_, "lease", claim.expires_at_ms, created, str(run.tenant), "", id_, 0, holder),)
    return ()


def _dues(run: Run, due_ms: int) -> dict[str, int]:
    """From when on each handler can go on with a queued run, never before the run is due itself (a clock may have been
    ahead when it was queued); when there are many, ANY from the earliest on."""
    dues: dict[str, int] = {}
    nodes, held = run.flow.nodes, bool(run.held_by)
    for node, due in (*dict.fromkeys(run.ready, due_ms).items(), *run.waiting.items()):
        if held and waits_for_room(run, node):
            continue
        name, at = nodes[node].handled_by, max(due, due_ms)
        if (known := dues.get(name)) is None or at < known:
            dues[name] = at
    return dues if len(dues) <= MOST_NEEDS else {ANY: min(dues.values())}


def _rows_of_dead_letter(dl: DeadLetter, run: Run | None, created: int, engine: str) -> tuple[AgendaRow, ...]:
    """A dead letter that waits for a dispatch is due when its backoff has ended and its run may be requeued."""
    if dl.status not in REDRIVING:
        return ()
    held = dl.held is not None and dl.held.engine == engine
    if held and run is not None and dl.held is not None:
        held = dl.held.run_version >= run.stands_since
    armed = (run is None or run.redrivable) and not held
    due = dl.not_before_ms if armed else None
    return (AgendaRow(dl.id, "dead_letter", due, created, str(dl.tenant), "", dl.run, dl.not_before_ms),)


def _rows_of_effect(effect: Effect, created: int) -> tuple[AgendaRow, ...]:
    """An effect outside runs is due when the lease of its sender ends; within a run, the run's claim tells."""
    if effect.status is not EffectStatus.INTENDED or effect.expires_at_ms is None:
        return ()
    return (AgendaRow(effect.id, "effect", effect.expires_at_ms, created, str(effect.tenant)),)


def _rows_of_compensation(compensation: CompensationState, created: int) -> tuple[AgendaRow, ...]:
    """An approved compensation is due for a compensator of its operation; one that runs, when its lease ends."""
    kinds = {CompensationStatus.APPROVED: "compensation", CompensationStatus.RUNNING: "compensating"}
    if (kind := kinds.get(compensation.status)) is None:
        return ()
    assert compensation.plan is not None
    tenant = str(compensation.tenant)
    running = compensation.status is CompensationStatus.RUNNING and compensation.holder is not None
    holder = str(compensation.holder) if running else None
    operation = compensation.plan.operation
    return (AgendaRow(compensation.id, kind, compensation.due_ms, created, tenant, operation, "", 0, holder),)
