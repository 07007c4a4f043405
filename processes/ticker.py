"""The ticker: takes runs from holders that are gone, ends timed waits, expires approvals, gives up on effects outside
runs and on compensations whose lease ended, and sweeps dead letters; once, or on a timer."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from redrive.domain.errors import Conflict, EngineClosed, StorageError, StreamUnreadable
from redrive.domain.identity import CompensationId, EffectId, RunId, Tenant
from redrive.domain.ports import START, Caller, DueKey, FallsDue, Outcome, Transaction
from redrive.domain.run.holder import Holder
from redrive.domain.values import clean_integer
from redrive.processes.compensations import expiring as expiring_compensation
from redrive.processes.effects import expiring
from redrive.processes.host import is_gone, supervisors_of
from redrive.processes.leases import reclaiming
from redrive.processes.services import Embedded, Served, Services, engines_given
from redrive.processes.sweep import SweepReport, sweep
from redrive.processes.timers import TIMER, TimerReport, end_timers
from redrive.projections.logs import log

DEFAULT_INTERVAL_MS = 1_000
NAME = "redrive-ticker"
NOUNS: dict[FallsDue, str] = {"effect": "effect", "compensating": "compensation"}


@dataclass(slots=True)
class TickReport:
    """What one tick did: the runs it took from holders that are gone; the effects outside runs, and the compensations,
    whose outcome is unknown from now on because their lease ended; and its sweep."""

    reclaimed: list[RunId] = field(default_factory=list)
    timers: TimerReport = field(default_factory=TimerReport)
    lost_effects: list[str] = field(default_factory=list)
    lost_compensations: list[str] = field(default_factory=list)
    sweep: SweepReport = field(default_factory=SweepReport)


def tick(services: Services, tenant: Tenant | None, *, pages: int | None = None, after: DueKey = START) -> TickReport:
    """Reclaim what is expired and what a dead process of this host holds, end the timed waits and expire the approvals
    that are due, give up on the effects outside runs and the compensations whose lease ended (their outcome is unknown
    from now on), then sweep (with *pages*: so many of what is due, for the sweep beyond *after*)."""
    for prepare in services.at_tick:
        prepare()
    report = TickReport(reclaim_expired(services, tenant))
    report.reclaimed += reclaim_from_the_dead(services, tenant)
    report.timers = end_timers(services, tenant, pages=pages)
    report.lost_effects = _expire(services, tenant, "effect", lambda id_: expiring(EffectId(id_), services.policy_of))
    report.lost_compensations = _expire(
        services, tenant, "compensating", lambda id_: expiring_compensation(CompensationId(id_))
    )
    report.lost_compensations += _lose_compensations_of_the_dead(services, tenant)
    report.sweep = sweep(services.ledger, tenant, services.policy_of, services.engine, pages=pages, after=after)
    return report


def reclaim_expired(services: Services, tenant: Tenant | None) -> list[RunId]:
    """Take every run whose lease has expired."""
    expired = (due.run for page in services.due("lease", tenant) for due in page)
    return [run for run in expired if _reclaim(services, tenant, run, None)]


def reclaim_from_the_dead(services: Services, tenant: Tenant | None) -> list[RunId]:
    """Take every run that is held by a process of this host that is gone."""
    reclaimed: list[RunId] = []
    for text, runs in services.ledger.holders(tenant).items():
        holder = Holder.parse(text)
        if is_gone(holder) and not supervisors_of(holder.pid):  # no attempt starts beside a survivor of the last
            reclaimed += [RunId(run) for run in runs if _reclaim(services, tenant, RunId(run), holder)]
    return reclaimed


def _lose_compensations_of_the_dead(services: Services, tenant: Tenant | None) -> list[str]:
    """Give up on every compensation that a process of this host ran that is gone: nobody knows what it did."""
    lost: list[str] = []
    for text, subjects in services.ledger.holders(tenant, "compensating").items():
        holder = Holder.parse(text)
        if is_gone(holder):
            caller = Caller(tenant, cause=TIMER)
            jobs = [(caller, expiring_compensation(CompensationId(id_), holder)) for id_ in subjects]
            outcomes = services.ledger.transact_together(jobs)
            lost += _took_place("compensation", subjects, outcomes, "process_gone")
    return lost


def _expire(
    services: Services, tenant: Tenant | None, kind: FallsDue, command: Callable[[str], Callable[[Transaction], bool]]
) -> list[str]:
    """Give up on what has outlived its lease, page by page."""
    expired: list[str] = []
    caller = Caller(tenant, cause=TIMER)
    for page in services.due(kind, tenant):
        subjects = [due.subject for due in page]
        outcomes = services.ledger.transact_together([(caller, command(id_)) for id_ in subjects])
        expired += _took_place(NOUNS[kind], subjects, outcomes, "lease_expired")
    return expired


def _took_place(noun: str, ids: Sequence[str], outcomes: Sequence[Outcome[bool]], why: str) -> Iterator[str]:
    """What was given up, logged; what this version cannot read is left alone."""
    for id_, outcome in zip(ids, outcomes, strict=True):
        subject = {noun: id_}
        try:
            if outcome.result():
                log.warning(f"{noun}.{why}", **subject)
                yield id_
        except StreamUnreadable as refused:
            log.info(f"{noun}.expiry_refused", **subject, code=refused.code, why=str(refused))


def _reclaim(services: Services, tenant: Tenant | None, run: RunId, gone: Holder | None) -> bool:
    caller = Caller(tenant, cause=TIMER)
    try:
        taken = services.ledger.transact(caller, reclaiming(run, services.policy_of, gone))
    except StreamUnreadable as refused:  # damaged, or a newer version takes it back
        log.info("run.reclaim_refused", run=run, code=refused.code, why=str(refused))
        return False
    if taken is None:
        return False
    why = "lease expired" if gone is None else "process gone"
    log.warning("run.claim_abandoned", tenant=str(taken[0]), run=run, worker=taken[1], why=why)
    return True


class Ticker:
    """Ticks on a timer, in a thread of its own: ``with Ticker(engine): …``. *engine* may be several, or a
    ShardedEngine: each is ticked in a thread of its own, also when another cannot be, or is slow."""

    def __init__(self, engine: Served, *, interval_ms: int = DEFAULT_INTERVAL_MS) -> None:
        self._engines = engines_given(engine)
        self._interval_s = clean_integer(interval_ms, "interval_ms", 1, 86_400_000) / 1000
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name=NAME, daemon=True)

    def run(self) -> None:
        """Tick until ``stop()``; a storage error is logged, and the next tick tries again."""
        for engine in self._engines:
            engine.services.begin_work()
        first, *more = self._engines
        threads = [threading.Thread(target=self._run_on, args=(engine,), name=NAME, daemon=True) for engine in more]
        for thread in threads:
            thread.start()
        self._run_on(first)
        for thread in threads:
            thread.join()

    def _run_on(self, engine: Embedded) -> None:
        while True:
            try:
                tick(engine.services, engine.tenant)
            except EngineClosed:
                return
            except (StorageError, Conflict) as error:
                log.error("ticker.storage", error=str(error))
            if self._stop.wait(self._interval_s):
                return

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the tick that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
