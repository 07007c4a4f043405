"""Timers: ending the timed waits and expiring the approvals whose time has come."""

from collections.abc import Callable
from dataclasses import dataclass, field

from redrive.domain.errors import StreamUnreadable
from redrive.domain.event import Cause
from redrive.domain.identity import NodeId, RunId, Tenant
from redrive.domain.ports import Caller, FallsDue, Outcome, Transaction
from redrive.domain.run.stateful_waits import end_due
from redrive.domain.run.wait_events import ApprovalExpired, WaitEnded
from redrive.processes.letters import PolicyOf, dead_letter_final_failures
from redrive.processes.services import Services
from redrive.projections.logs import log

KINDS: tuple[FallsDue, ...] = ("timed_wait", "expiry")
TIMER = Cause("timer", "tick")


@dataclass(frozen=True, slots=True)
class TimerAct:
    """A timed wait that ended, or an approval that *expired*."""

    run: RunId
    node: NodeId
    expired: bool


@dataclass(slots=True)
class TimerReport:
    """What was ended; *more* when only some pages were looked at."""

    acts: list[TimerAct] = field(default_factory=list)
    more: bool = False


def end_timers(services: Services, tenant: Tenant | None, *, pages: int | None = None) -> TimerReport:
    """End every timed wait and expire every approval that is due, each run in one transaction; with *pages*, only so
    many pages of runs, so that a worker can renew its leases in between."""
    report = TimerReport()
    seen: set[RunId] = set()
    for kind in KINDS:
        _end_kind(services, tenant, kind, pages, seen, report)
    return report


def _end_kind(
    services: Services, tenant: Tenant | None, kind: FallsDue, pages: int | None, seen: set[RunId], report: TimerReport
) -> None:
    for page in services.due(kind, tenant):
        if pages is not None and pages <= 0:
            report.more = True
            return
        runs = list(dict.fromkeys(row.run for row in page if row.run not in seen))
        seen.update(runs)
        caller = Caller(tenant, cause=TIMER)
        outcomes = services.ledger.transact_together([(caller, ending(run, services.policy_of)) for run in runs])
        ended = [act for run, outcome in zip(runs, outcomes, strict=True) for act in _told(run, outcome)]
        report.acts += ended
        if pages is not None and ended:  # a page that nothing can be done about holds up no other
            pages -= 1


def ending(id_: RunId, policy_of: PolicyOf) -> Callable[[Transaction], list[TimerAct]]:
    """A command that ends what is due in a run; an expired approval opens its dead letter in the same transaction.

    Nothing when it was ended meanwhile: two tickers at once are harmless.
    """

    def end(tx: Transaction) -> list[TimerAct]:
        run = tx.find_run(id_)
        if run is None:
            return []
        events, expired = end_due(run, now_ms=tx.now_ms)
        if events:
            tx.append_run(run, *events)
            dead_letter_final_failures(tx, run, expired, policy_of)
        ended = [event for event in events if isinstance(event, WaitEnded | ApprovalExpired)]
        return [TimerAct(id_, event.node, isinstance(event, ApprovalExpired)) for event in ended]

    return end


def _told(run: RunId, outcome: Outcome[list[TimerAct]]) -> list[TimerAct]:
    """What was ended in a run, logged; a run that this version cannot read is left alone, and holds up no other."""
    try:
        acts = outcome.result()
    except StreamUnreadable as refused:
        log.info("run.timer_refused", run=run, code=refused.code, why=str(refused))
        return []
    for act in acts:
        if act.expired:
            log.warning("run.approval_expired", run=run, node=act.node)
        else:
            log.info("run.wait_ended", run=run, node=act.node)
    return acts
