"""The worker: claims runs, runs their handlers, reports, and keeps its leases; one commit per turn."""

import inspect
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Self, cast

from redrive.domain.compensation.rules import DEFAULT_LEASE_MS as COMPENSATION_LEASE_MS
from redrive.domain.errors import Conflict, EngineClosed, InvalidValue, StorageError
from redrive.domain.event import Recorded
from redrive.domain.identity import RunId
from redrive.domain.ports import START
from redrive.domain.run.claims import DEFAULT_LEASE_MS
from redrive.domain.values import clean_integer
from redrive.processes.claimant import Claimant
from redrive.processes.compensator import Compensate, Compensator
from redrive.processes.given import functions_given
from redrive.processes.handlers import Handler
from redrive.processes.leases import MOST_CLAIMS
from redrive.processes.outbox import Outbox, Reconciler
from redrive.processes.places import Places
from redrive.processes.services import Served, engines_given, own_name, worker_caller
from redrive.processes.slots import Slots
from redrive.processes.ticker import DEFAULT_INTERVAL_MS, tick
from redrive.processes.told import told
from redrive.processes.turns import Ended, Turns
from redrive.projections.logs import log

DEFAULT_POLL_MS = 500
MOST_STALLED = 3
PATIENCE = 4  # storage errors in a row after which an abort waits no longer
GATHER_S = 0.02  # how long an outcome waits, in a batch, for others to share its commit
GOING_ON = frozenset(("run.approval-given", "run.wait-ended", "run.resumed"))
LIMITED = frozenset(("engine.limit-set", "engine.limit-removed"))
WAKING = GOING_ON | LIMITED | {"run.submitted", "run.queued", "run.requeued", "run.cancelled", "run.wait-started"}


class Worker:
    """Executes runs of *engine* with *handlers* (name → function of an Attempt, sync or async).

    *concurrency* attempts run at a time. With a larger *batch* (1 to 1,000) it takes so many in hand in one commit,
    and reports those that ended together in one: what loses nothing by it waits, started, for one of the others to end;
    see ``docs/how-to/several-processes``. Each claim is held for *lease_ms* and renewed at a third of it. The
    worker also ticks (reclaims and sweeps) every *tick_ms*; None leaves that to a ``Ticker``. What other processes
    do is noticed within *poll_ms*. *only* limits it to one run. *reconcilers* (beside those of the engine) find out
    what became of effects, *compensators* run approved compensations; both are functions by operation. All times are
    milliseconds. *engine* may be a TenantEngine: then only its runs are executed. It may be a list of engines, or a
    ShardedEngine: all are served, and share *concurrency*.
    """

    _turns_of: type[Turns] = Turns

    def __new__(cls, engine: Served, *_args: Any, **_options: Any) -> Self:
        """Of several engines, a worker for each behind one face."""
        if cls is Worker and len(engines_given(engine)) > 1:
            from redrive.processes.crew import Crew  # noqa: PLC0415 - it is a Worker

            return cast(Self, object.__new__(Crew))
        return object.__new__(cls)

    def __init__(  # noqa: PLR0913  (all have defaults)
        self,
        engine: Served,
        handlers: Mapping[str, Handler],
        *,
        name: str | None = None,
        concurrency: int = 8,
        batch: int = 1,
        lease_ms: int = DEFAULT_LEASE_MS,
        tick_ms: int | None = DEFAULT_INTERVAL_MS,
        poll_ms: int = DEFAULT_POLL_MS,
        only: RunId | None = None,
        reconcilers: Mapping[str, Reconciler] | None = None,
        compensators: Mapping[str, Compensate] | None = None,
    ) -> None:
        _require_handlers(handlers)
        self.name = name or own_name()
        self.concurrency = clean_integer(concurrency, "concurrency", 1, 1_024)
        (only_one,) = engines_given(engine)
        services, self._tenant = only_one.services, only_one.tenant
        self._services, self._ledger, self._handlers, self._only = services, services.ledger, handlers, only
        asked = functions_given(reconcilers, "reconcilers", "an EffectCall")
        outbox = Outbox(services, {**services.reconcilers, **asked})
        claimant = Claimant(self.name, services.holder, lease_ms, handlers, only, outbox, services.claims)
        undoing = functions_given(compensators, "compensators", "a CompensationTry")
        self._compensator = Compensator(only_one, undoing, worker=self.name)
        caller = worker_caller(only_one, self.name)
        self.batch = clean_integer(batch, "batch", 1, MOST_CLAIMS)
        ahead = max(0, self.batch - self.concurrency)
        self._turns = self._turns_of(services, caller, claimant, handlers, Places(self.concurrency, ahead))
        self._tick_ms = None if tick_ms is None else clean_integer(tick_ms, "tick_ms", 1, 86_400_000)
        self._poll_ms = clean_integer(poll_ms, "poll_ms", 1, 86_400_000)
        self._ended: SimpleQueue[Ended | None] = SimpleQueue()
        self._called: SimpleQueue[str] = SimpleQueue()
        self._gathered, self._enough = threading.Event(), MOST_CLAIMS
        self._stopping, self._aborting = threading.Event(), threading.Event()
        self._next_tick, self._next_poll, self._ticked_ms = 0.0, 0.0, -1
        self._stalled, self._sweep_after = 0, START
        self._unserved: set[str] = set()

    # What help() and editors show would else be that of __new__, which says nothing.
    __signature__ = inspect.Signature([*inspect.signature(__init__).parameters.values()][1:])

    def run(self) -> None:
        """Work until ``stop()``. A storage error is logged and survived: nothing unacknowledged is lost."""
        self._work(lambda: False)

    def run_until_idle(self, *, wait: bool = True) -> None:
        """Work until nothing is left that this worker could do; with *wait*, backoffs and redrives that lie in
        the future are waited for (for ever, if the clock stands still), else it returns when nothing is due now."""
        self._work(lambda: self._is_idle(wait))

    def stop(self) -> None:
        """Claim and start nothing more; ``run`` returns once the running attempts have ended."""
        self._stopping.set()
        self._ended.put(None)
        self._gathered.set()

    def abort(self) -> None:
        """Stop, and tell the running handlers to. While nothing can be stored, ``run`` then raises StorageError: what
        ended unreported counts as interrupted once the lease has expired, or the process is known to be gone."""
        self._aborting.set()
        self.stop()

    def _work(self, idle: Callable[[], bool]) -> None:
        self._services.begin_work()
        slots = Slots(self.name, self._handlers, partial(told, self._services), self._has_ended, self.concurrency)
        leave = self._ledger.subscribe(self._wake, others=True)
        self._next_tick = 0.0
        self._stalled = 0
        try:
            self._loop(slots, idle)
        except EngineClosed:
            raise
        except BaseException:  # Ctrl-C above all: nothing is left claimed by a worker that works no more
            self._turns.give_back(slots)
            raise
        finally:
            leave()
            slots.close()
            self._compensator.join(0 if self._aborting.is_set() else COMPENSATION_LEASE_MS / 1000)
            self._stopping.clear()
            self._aborting.clear()

    def _loop(self, slots: Slots, idle: Callable[[], bool]) -> None:
        ended: list[Ended] = []
        trouble = 0
        while True:
            if self._stopping.is_set():
                ended += self._turns.withdraw(slots)
            if self._aborting.is_set():
                self._turns.abort(slots)
            try:
                self._tick_when_due(slots)
                self._look_at_called()
                if not self._stopping.is_set():
                    self._compensator.start_due(lambda: self._ended.put(None))
                active = self._turns.turn(ended, slots, claim=not self._stopping.is_set())
                ended = []
                if self._is_done(active, idle):
                    return
                pause, trouble = 0.0 if active else self._pause_s(), 0
            except EngineClosed:
                raise
            except (StorageError, Conflict) as error:
                trouble = min(trouble + 1, 6)
                log.error("worker.storage", worker=self.name, error=str(error), unreported=len(ended))
                if not ended and self._stopping.is_set() and self._is_done(False, idle):
                    return
                if self._aborting.is_set() and trouble >= PATIENCE:  # told twice to end: leases free what it holds
                    raise
                pause = 0.0
                time.sleep(0.1 * 2**trouble)
            ended += self._wait(pause)

    def _is_done(self, active: bool, idle: Callable[[], bool]) -> bool:
        """Whether to return: nothing runs here, and the worker was stopped or nothing is left to do."""
        if self._turns.running():
            return False
        if self._stopping.is_set():
            self._turns.release_all()
            return True
        if active:
            self._stalled = 0
            return False
        if not idle():
            return False
        self._tell_unserved()
        return True

    def _tick_when_due(self, slots: Slots) -> None:
        now = time.monotonic()
        if self._tick_ms is not None and now >= self._next_tick:
            self._next_tick = now + self._tick_ms / 1000
            self._ticked_ms = self._ledger.now_ms()
            report = tick(self._services, self._tenant, pages=1, after=self._sweep_after)
            self._sweep_after = report.sweep.rest or START
            if report.sweep.rest is not None or report.timers.more:  # go on at once, after the leases were renewed
                self._next_tick = now
            self._tell_unserved()
        if now >= self._next_poll and self._turns.held:
            self._next_poll = now + self._poll_ms / 1000
            self._turns.drop_lost(slots)

    def _look_at_called(self) -> None:
        """Look at once at the held runs in which somebody else made something ready."""
        while not self._called.empty():
            if (held := self._turns.held.get(self._called.get())) is not None:
                held.look_again_ms = 0

    def _tell_unserved(self) -> None:
        """Say once which due runs nobody here can execute."""
        for handler in self._ledger.due_needs(self._tenant):
            if handler not in self._handlers and handler not in self._unserved:
                self._unserved.add(handler)
                log.warning("worker.no_handler", worker=self.name, handler=handler)

    def _pause_s(self) -> float:
        """How long nothing needs to be looked at unless an attempt ends or somebody calls."""
        now = self._ledger.now_ms()
        running = self._turns.running()
        until = [now + self._poll_ms, *(a.deadline_ms for a in running if a.deadline_ms is not None)]
        if (renewal := self._turns.next_renewal_ms()) is not None:
            until.append(renewal)
        if self._tick_ms is not None:
            timer = self._ledger.next_timer_ms(self._tenant)
            if timer is not None and timer > self._ticked_ms:  # else a tick could not end it; the next may
                if timer <= now:
                    self._next_tick = 0.0
                until.append(timer)
            until.append(now + round((self._next_tick - time.monotonic()) * 1000))
        if not self._turns.places().taken:
            next_due = self._ledger.next_work_ms(self._tenant, self._handlers, self._only)
            until += [] if next_due is None or next_due <= now else [next_due]
        if len(running) < self.concurrency:
            until += [held.look_again_ms for held in self._turns.held.values()]
        return max(0.001, (min(until) - now) / 1000)

    def _wait(self, seconds: float) -> list[Ended]:
        """What has ended, waiting up to *seconds* for the first, and in a batch for a moment for others."""
        found: list[Ended] = []
        try:
            item = self._ended.get(timeout=seconds) if seconds else self._ended.get_nowait()
            if item is not None and self.batch > self.concurrency:
                self._gather()
            while True:
                found += [] if item is None else [item]
                item = self._ended.get_nowait()
        except Empty:
            return found

    def _gather(self) -> None:
        """Let others end to share the commit of one that has: not more than half of a batch, so that the other half
        keeps the handlers busy meanwhile."""
        self._gathered.clear()
        self._enough = min(self._turns.in_hand(), self.batch // 2) - 1
        if self._ended.qsize() < self._enough and not self._stopping.is_set():
            self._gathered.wait(GATHER_S)
        self._enough = MOST_CLAIMS

    def _has_ended(self, *ended: Any) -> None:
        """Called from the handlers' threads."""
        self._ended.put(ended)
        if self._ended.qsize() >= self._enough:
            self._gathered.set()

    def _wake(self, events: Sequence[Recorded]) -> None:
        """Look at once when somebody else in this process made work, or ended it."""
        waking = [event for event in events if event.actor.id != self.name and event.topic in WAKING]
        for event in waking:
            if event.topic in GOING_ON:
                self._called.put(event.stream)
        if waking:
            self._next_poll = 0.0
            self._ended.put(None)

    def _is_idle(self, wait: bool) -> bool:
        """Whether nothing is left. What is due, yet neither a turn nor a tick could move, is not waited for."""
        if not self._compensator.is_idle():
            return False
        due = self._ledger.next_work_ms(self._tenant, self._handlers, self._only)
        if due is None:
            return True
        if due > self._ledger.now_ms():
            self._stalled = 0
            return not wait
        self._stalled += 1
        self._next_tick = 0.0
        return self._stalled > MOST_STALLED


def _require_handlers(handlers: Mapping[str, Handler]) -> None:
    """Raises InvalidValue. What a host's own kind of mapping holds is known only when it is asked for."""
    if not isinstance(handlers, Mapping):
        raise InvalidValue("handlers", type(handlers).__name__, "a mapping from names to functions")
    for known in handlers if isinstance(handlers, dict) else ():
        if not callable(handlers[known]):
            raise InvalidValue(f"handlers[{known!r}]", handlers[known], "a function of an Attempt")
