"""The engine: one log, its views, and everything that acts on them."""

from collections.abc import Callable, Container
from typing import Any, NoReturn, ParamSpec, Self, TypeVar

from redrive.archiving_engine import ArchivingEngine
from redrive.domain.errors import InvalidValue
from redrive.domain.identity import Tenant, human
from redrive.domain.limits import Limit, Scope
from redrive.domain.ports import Caller, Transaction
from redrive.domain.run.claims import DEFAULT_LEASE_MS
from redrive.evidence.custody import Custody
from redrive.evidence_engine import EvidenceEngine
from redrive.forensic_engine import ForensicEngine
from redrive.ledger.ledger import LogLedger, refuse_in_batch
from redrive.ledger.limit_status import LimitStatus, statuses
from redrive.ledger.pending import Pending
from redrive.private_engine import PrivateEngine
from redrive.processes.capacity import changing_limit, removing_limit, setting_limit
from redrive.processes.claimant import Claimant
from redrive.processes.given import tenant_given
from redrive.processes.handout import Claim
from redrive.processes.leases import claiming
from redrive.processes.outbox import Outbox
from redrive.processes.services import Services, worker_caller
from redrive.processes.sweep import SweepReport, sweep
from redrive.processes.ticker import TickReport, tick
from redrive.projections.view import View
from redrive.tenant_effects import Actor
from redrive.tenant_engine import TenantEngine

P = ParamSpec("P")
T = TypeVar("T")


class Engine(EvidenceEngine, ForensicEngine, PrivateEngine, ArchivingEngine):
    """One log, for every tenant. Commands and queries live on ``for_tenant(…)``; ``local`` is the default tenant.

    Any number of threads may use it, and any number of processes may open the same log. Close it when done, or
    use it as a context manager.
    """

    tenant: Tenant | None = None

    def __init__(self, ledger: LogLedger, services: Services, views: View, evidence: Custody | None = None) -> None:
        self.ledger = ledger
        self.services = services
        self.views = views
        self.evidence = evidence or Custody(ledger)

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Engine stays in the process that opened it: open the log in the other one, too")

    @property
    def local(self) -> TenantEngine:
        """The default tenant, local/default/default."""
        return self.for_tenant(Tenant())

    def for_tenant(self, tenant: Tenant) -> TenantEngine:
        """Commands and queries of one tenant; nothing of any other can be seen through it."""
        return TenantEngine(self, tenant_given(tenant))

    def claim_many(
        self,
        n: int,
        *,
        worker: str,
        lease_ms: int = DEFAULT_LEASE_MS,
        handlers: Container[str] | None = None,
        start: bool = False,
    ) -> list[Claim]:
        """Claim up to *n* due runs of any tenant, the oldest first, in one commit. Where several processes claim from a
        log on PostgreSQL, it is the oldest sixteenth, and others near the head of the line."""
        outbox = Outbox(self.services, self.services.reconcilers)
        claims = self.services.claims
        claimant = Claimant(worker, self.services.holder, lease_ms, handlers, None, outbox, claims)
        return self.ledger.transact(worker_caller(self, worker), claiming(claimant, n, None if start else 0))

    def tick(self) -> TickReport:
        """Reclaim what expired or is held by a dead process of this host, end timed waits, expire approvals, give up
        on effects outside runs and on compensations whose lease ended (unknown from now on), then sweep. What a
        process that died left of a key's destruction is finished first."""
        refuse_in_batch("tick")
        return tick(self.services, self.tenant)

    def sweep(self) -> SweepReport:
        """One pass of the dead-letter process manager over what is due."""
        return sweep(self.ledger, self.tenant, self.services.policy_of, self.services.engine)

    def set_limit(self, limit: Limit, *, actor: Actor, reason: str) -> Limit:
        """Set a limit, or change it, for every process that has the log open. What runs beyond it goes on."""
        return self._operate(setting_limit(limit), actor, reason)

    def change_limit(
        self, scope: Scope, name: str, change: Callable[[Limit | None], Limit], *, actor: Actor, reason: str
    ) -> Limit:
        """Set what *change* makes of the limit in force (None: there is none), in one transaction. It may be called
        more than once."""
        return self._operate(changing_limit(scope, name, change), actor, reason)

    def remove_limit(self, scope: Scope, name: str = "", *, actor: Actor, reason: str) -> Limit:
        """Remove a limit, and return it: who waits for it may go on. Raises NotFound."""
        return self._operate(removing_limit(scope, name), actor, reason)

    def limits(self) -> tuple[LimitStatus, ...]:
        """Every limit, with how much of it is in use and how many runs wait for it."""
        return statuses(self.ledger, None)

    def _operate(self, command: Callable[[Transaction], T], actor: Actor, reason: str) -> T:
        told = self.services.reason(reason)
        return self.ledger.transact(Caller(None, human(actor), told), command)

    def batch(self) -> "Batch":
        """Several commands in one commit: ``with engine.batch() as batch: pending = batch.add(acme.submit, …)``."""
        return Batch(self.ledger)

    def now_ms(self) -> int:
        """The time by the engine's clock."""
        return self.ledger.now_ms()

    def close(self) -> None:
        """Close the log and the views; commands are refused from now on. Who was sealing seals what is left. Not for
        listeners: RuntimeError."""
        self.ledger.committer.require_outside()
        self.evidence.close()
        self.views.close()
        self.ledger.close()
        if self.encryption is not None:
            self.encryption.keys.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class Batch:
    """Commands that are committed together when the ``with`` block ends. One refusal harms no other."""

    def __init__(self, ledger: LogLedger) -> None:
        self._ledger = ledger
        self._jobs: list[Pending[Any]] = []
        self._open = False

    def add(self, command: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Pending[T]:
        """Queue a command of a ``TenantEngine``; its ``result()`` exists after the block. Raises InvalidValue for a bad
        value, and outside of the block."""
        if not self._open:
            raise InvalidValue("batch", "closed", "commands that are added within its with block")
        pending = self._ledger.collect(command, *args, **kwargs)
        self._jobs.append(pending)
        return pending

    def __enter__(self) -> Self:
        if self._jobs:
            raise InvalidValue("batch", "used", "a batch that is used once")
        self._open = True
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_error: object) -> None:
        self._open = False
        if error_type is None:
            self._ledger.committer.commit_together(self._jobs)
