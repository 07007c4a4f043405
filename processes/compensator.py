"""The compensator: runs approved compensations with the host's functions, one at a time, under a lease."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from redrive.domain.compensation.rules import DEFAULT_LEASE_MS
from redrive.domain.effect.state import withheld_failure
from redrive.domain.errors import Conflict, EngineClosed, NotFound, Refused, StorageError, StreamUnreadable
from redrive.domain.failure import OUTCOME_UNKNOWN, Failure
from redrive.domain.identity import CompensationId
from redrive.domain.ports import Caller
from redrive.domain.values import cut_text
from redrive.processes import compensations
from redrive.processes.compensations import CompensationTry
from redrive.processes.effects import EffectCall, receipt_of
from redrive.processes.handlers import NotSent, Rejected
from redrive.processes.outbox import MAX_WHY_BYTES, PAUSES_S, asked, shown
from redrive.processes.services import Embedded, Services, worker_caller
from redrive.processes.steps import finished
from redrive.projections.logs import log

Compensate: TypeAlias = Callable[[CompensationTry], Any]
"""Makes good for an effect: a function, sync or async, that returns a receipt. It raises ``NotSent`` or ``Rejected``
when nothing happened; after any other exception nobody knows, and only an operator has it run again."""


class Compensator:
    """Runs the due compensations of *engine* with *compensators* (operation → function), in a thread of its own."""

    def __init__(self, engine: Embedded, compensators: Mapping[str, Compensate], *, worker: str) -> None:
        self._services, self._tenant = engine.services, engine.tenant
        self._compensators, self._worker = compensators, worker
        self._caller = worker_caller(engine, worker)
        self._thread: threading.Thread | None = None
        self._unreadable: set[str] = set()

    def is_idle(self) -> bool:
        """Whether nothing runs here, and nothing is due that could."""
        return not self._is_busy() and not self._due()

    def start_due(self, done: Callable[[], None]) -> None:
        """Run what is due, unless some runs already; *done* is called when it has ended."""
        if self._is_busy() or not self._due():
            return

        def run() -> None:
            try:
                self.run_due()
            except (StorageError, Conflict) as error:
                log.error("compensator.storage", error=str(error))
            finally:
                done()

        self._thread = threading.Thread(target=run, name=f"{self._worker}-compensator", daemon=True)
        self._thread.start()

    def run_due(self) -> int:
        """Run every compensation that is due and whose operation is known here; how many were run."""
        count = 0
        for id_, tenant in self._due():
            caller = Caller(tenant, self._caller.actor)
            command = compensations.starting(
                CompensationId(id_), self._worker, DEFAULT_LEASE_MS, self._compensators, self._services.holder
            )
            try:
                handed = self._services.ledger.transact(caller, command)
            except StreamUnreadable as error:
                log.error("compensation.unreadable", compensation=id_, error=str(error))
                self._unreadable.add(id_)  # until this process ends, or it would be looked at without a pause
                continue
            if handed is not None:
                self._run(handed, caller)
                count += 1
        return count

    def join(self, timeout_s: float) -> None:
        """Wait for what runs."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _is_busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _due(self) -> list[tuple[str, Any]]:
        if not self._compensators:
            return []
        due = self._services.ledger.due_compensations(self._tenant, self._compensators)
        return [(id_, tenant) for id_, tenant in due if id_ not in self._unreadable]

    def _run(self, handed: CompensationTry, caller: Caller) -> None:
        command, leaves = self._attempted(handed)
        self._record(handed, caller, command)
        if leaves is not None and threading.current_thread() is threading.main_thread():
            raise leaves  # an operator's Ctrl-C, perhaps; elsewhere it was the function's own

    def _record(self, handed: CompensationTry, caller: Caller, command: compensations.Command) -> None:
        for pause in PAUSES_S:  # it happened: a log that cannot be written for a moment is asked again
            try:
                return self._report(handed, caller, command)
            except EngineClosed:
                raise
            except (StorageError, Conflict) as error:
                log.error("compensation.outcome_not_recorded", error=str(error), again_in_s=pause)
            time.sleep(pause)
        return self._report(handed, caller, command)

    def _attempted(self, handed: CompensationTry) -> tuple[compensations.Command, BaseException | None]:
        """Run it; the command that records what came of it, and what was raised to end more than this."""
        try:
            return self._tried(handed), None
        except BaseException as error:  # noqa: BLE001 - what was begun is told before anybody leaves
            why = cut_text(self._services.redactor.text(shown(error)), MAX_WHY_BYTES)
            unknown = compensations.failing(handed, Failure(OUTCOME_UNKNOWN, why), outcome_unknown=True)
            return unknown, None if isinstance(error, Exception) else error

    def _tried(self, handed: CompensationTry) -> compensations.Command:
        services = self._services
        if (kept := kept_back(handed, services)) is not None:
            return kept
        try:
            answer = finished(self._compensators[handed.operation](handed))
        except (NotSent, Rejected) as error:
            return compensations.failing(handed, services.failure_told(error), outcome_unknown=False)
        return compensations.completing(handed, receipt_of(answer, services.redactor))

    def _report(self, handed: CompensationTry, caller: Caller, command: compensations.Command) -> None:
        try:
            standing = self._services.ledger.transact(caller, command)
        except (Refused, NotFound) as refused:  # its lease expired meanwhile: the log says unknown, which is true
            log.warning("compensation.report_refused", compensation=handed.compensation_id, code=refused.code)
        else:
            log.info(f"compensation.{standing.status}", compensation=standing.id, operation=handed.operation)


def kept_back(handed: CompensationTry, services: Services) -> compensations.Command | None:
    """The command that records that the gate, the same that effects pass, did not let *handed* out: nothing happened.
    None when it did."""
    call = EffectCall(
        tenant=handed.tenant,
        effect_id=handed.effect_id,
        key=handed.effect_key,
        operation=handed.operation,
        target=handed.target,
        request=handed.request,
        try_number=handed.epoch,
        run_id=handed.run_id,
        node=handed.node,
    )
    try:
        withheld = asked(call, services)
    except Exception as error:  # noqa: BLE001 - a gate that fails lets nothing out
        return compensations.failing(handed, services.failure_told(error), outcome_unknown=False)
    if withheld is None:
        return None
    return compensations.failing(handed, withheld_failure(withheld), outcome_unknown=False)
