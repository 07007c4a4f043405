"""The engine: one log, its views, and everything that acts on them."""

import random
import time
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar
from urllib.parse import unquote

from redrive import __version__
from redrive.archiving_engine import ArchivingEngine
from redrive.domain.classifier import Classifier
from redrive.domain.errors import InvalidValue
from redrive.domain.event import Recorded
from redrive.domain.identity import Tenant, human
from redrive.domain.limits import Limit, Scope
from redrive.domain.ports import Caller, Transaction
from redrive.domain.redaction import Redactor
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.run.claims import DEFAULT_LEASE_MS
from redrive.domain.run.state import Run
from redrive.domain.values import MAX_INTEGER, clean_integer
from redrive.evidence.custody import Custody
from redrive.evidence_engine import EvidenceEngine
from redrive.forensic_engine import ForensicEngine
from redrive.ledger.committer import Pending
from redrive.ledger.ledger import SqliteLedger, refuse_in_batch
from redrive.ledger.limit_status import LimitStatus, statuses
from redrive.privacy.wiring import attach
from redrive.private_engine import PrivateEngine
from redrive.processes.capacity import changing_limit, removing_limit, setting_limit
from redrive.processes.given import function_given, functions_given
from redrive.processes.handout import Claim
from redrive.processes.host import this_process
from redrive.processes.leases import Claimant, claiming
from redrive.processes.operations import reason_given
from redrive.processes.outbox import Gate, Outbox, Reconciler
from redrive.processes.services import Services, worker_caller
from redrive.processes.sweep import SweepReport, sweep
from redrive.processes.ticker import TickReport, tick
from redrive.projections.logs import log
from redrive.projections.view import View, view_path
from redrive.tenant_effects import Actor
from redrive.tenant_engine import TenantEngine

if TYPE_CHECKING:
    from redrive.privacy.options import Privacy

P = ParamSpec("P")
T = TypeVar("T")
Listener = Callable[[Recorded], None]
RedrivePolicies = RedrivePolicy | Callable[[Tenant, str], RedrivePolicy]


class Engine(EvidenceEngine, ForensicEngine, PrivateEngine, ArchivingEngine):
    """One log, for every tenant. Commands and queries live on ``for_tenant(…)``; ``local`` is the default tenant.

    Any number of threads may use it, and any number of processes may open the same log. Close it when done, or
    use it as a context manager.
    """

    tenant: Tenant | None = None

    def __init__(self, ledger: SqliteLedger, services: Services, views: View, evidence: Custody | None = None) -> None:
        self.ledger = ledger
        self.services = services
        self.views = views
        self.evidence = evidence or Custody(ledger)

    @property
    def local(self) -> TenantEngine:
        """The default tenant, local/default/default."""
        return self.for_tenant(Tenant())

    def for_tenant(self, tenant: Tenant) -> TenantEngine:
        """Commands and queries of one tenant; nothing of any other can be seen through it."""
        if not isinstance(tenant, Tenant):
            raise InvalidValue("tenant", tenant, "a Tenant, for example redrive.Tenant('acme', 'billing', 'prod')")
        return TenantEngine(self, tenant)

    def claim_many(
        self,
        n: int,
        *,
        worker: str,
        lease_ms: int = DEFAULT_LEASE_MS,
        handlers: Container[str] | None = None,
        start: bool = False,
    ) -> list[Claim]:
        """Claim up to *n* due runs of any tenant, the oldest first, in one commit."""
        outbox = Outbox(self.services, self.services.reconcilers)
        claimant = Claimant(worker, self.services.holder, lease_ms, handlers, outbox=outbox)
        return self.ledger.transact(worker_caller(self, worker), claiming(claimant, n, None if start else 0))

    def tick(self) -> TickReport:
        """Reclaim what expired or is held by a dead process of this host, end timed waits, expire approvals, give up
        on effects outside runs and on compensations whose lease ended (unknown from now on), then sweep. What a
        process that died left of a key's destruction is finished first."""
        refuse_in_batch("tick")
        self._finish_destructions()
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
        told = self.services.redactor.text(reason_given(reason))
        return self.ledger.transact(Caller(None, human(actor), told), command)

    def batch(self) -> "Batch":
        """Several commands in one commit: ``with engine.batch() as batch: pending = batch.add(acme.submit, …)``."""
        return Batch(self.ledger)

    def now_ms(self) -> int:
        """The time by the engine's clock."""
        return self.ledger.now_ms()

    def close(self) -> None:
        """Close the log and the views; commands are refused from now on. Who was sealing seals what is left."""
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

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger
        self._jobs: list[Pending[Any]] = []
        self._open = False

    def add(self, command: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Pending[T]:
        """Queue a command of a ``TenantEngine``; its ``result()`` exists after the block. Bad values raise here."""
        if not self._open:
            raise InvalidValue("batch", "closed", "commands that are added within its with block")
        pending = self._ledger.collect(lambda: command(*args, **kwargs))
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


def open(  # noqa: A001, PLR0913  (redrive.open reads well; all have defaults)
    url: str = "sqlite:///redrive.db",
    *,
    clock: Callable[[], int] | None = None,
    dice: Callable[[], float] | None = None,
    listeners: Sequence[Listener] = (),
    redrive_policy: RedrivePolicies | None = None,
    classifier: Classifier | None = None,
    redactor: Redactor | None = None,
    gate: Gate | None = None,
    reconcilers: Mapping[str, Reconciler] | None = None,
    views: str | None = None,
    busy_timeout_ms: int = 10_000,
    cache_bytes: int = 268_435_456,
    limits: Sequence[Limit] = (),
    seal: bool | None = None,
    key_file: str | None = None,
    pin_file: str | None = None,
    privacy: "Privacy | None" = None,
) -> Engine:
    """Open a log, creating it when there is none.

    *url*: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``. *clock* returns UTC milliseconds, *dice* a
    float in [0, 1). *listeners* are told, after the commit, every event
    that this process commits, best effort; they may query, not command. *redrive_policy* is one for
    all, or a function of tenant and automation. *gate* is asked before every effect and may withhold it;
    *reconcilers* (operation → function) find out what became of effects whose outcome is unknown. *limits* are set
    where the log has another or none, and stay until they are removed; one that a human operator changed last stays as
    it is, with a warning `limit.kept`. *views* is the folder for the query views
    (default: beside the log). *seal*: whether what is new is sealed in the background, from the first event that this
    engine commits (True), while a worker or a ticker runs (None), or never (False); with the key of *key_file*
    (default: the user's, when there is one), and pinned to *pin_file* when it is given. *privacy* has
    payloads encrypted with a key per subject, from now on. Raises InvalidValue, StorageError.
    """
    path = path_of(url)
    if not isinstance(limits, (list, tuple)):
        raise InvalidValue("limits", limits, "a list of Limits")
    setting = [(limit, setting_limit(limit, again=False)) for limit in limits]
    if gate is not None:
        function_given(gate, "gate", "an EffectCall")
    asked = functions_given(reconcilers, "reconcilers", "an EffectCall")
    ledger = SqliteLedger(
        path,
        clock=_milliseconds if clock is None else _checked(clock),
        dice=dice or random.random,
        engine=__version__,
        cache_bytes=cache_bytes,
        busy_timeout_ms=busy_timeout_ms,
        listeners=[_one_by_one(listener) for listener in listeners],
    )
    try:
        evidence = Custody(ledger, seal=seal, key_file=key_file, pin_file=pin_file)
    except BaseException:
        ledger.close()
        raise
    services = Services(
        ledger=ledger,
        policy_of=_policy_of(redrive_policy or RedrivePolicy()),
        classifier=classifier or Classifier(),
        redactor=redactor or Redactor(),
        engine=__version__,
        holder=this_process(),
        gate=gate,
        reconcilers=asked,
        begin_work=evidence.begin,
    )
    folder = Path(path).parent if views is None else Path(views)
    encryption = None
    try:
        encryption = attach(ledger, privacy)
        for limit, command in setting:
            kept = ledger.transact(Caller(None, reason="given to redrive.open"), command)
            if kept != limit:
                log.warning("limit.kept", limit=limit.key, kept=kept.document(), given=limit.document())
        view = View(ledger, view_path(str(folder / Path(path).name), locked=ledger.locked))
        engine = Engine(ledger, services, view, evidence)
        engine._take_keys(encryption)
    except BaseException:
        ledger.close()
        if encryption is not None:
            encryption.keys.close()
        raise
    return engine


def path_of(url: str) -> str:
    """The file that a ``sqlite:///`` URL names. Raises InvalidValue."""
    if not isinstance(url, str):
        raise InvalidValue("db", url, "a URL as text, such as sqlite:///redrive.db")
    scheme, separator, rest = url.partition(":///")
    path = unquote(rest)
    if scheme != "sqlite" or not separator or not path or "\x00" in path or path.startswith(":memory:"):
        raise InvalidValue("db", url, "sqlite:///relative/path.db or sqlite:////absolute/path.db")
    return path


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


def _checked(clock: Callable[[], int]) -> Callable[[], int]:
    """The host's clock; a value that is no time of ours is refused where it comes from."""
    return lambda: clean_integer(clock(), "clock", 0, MAX_INTEGER)


def _one_by_one(listener: Listener) -> Callable[[Sequence[Recorded]], None]:
    def tell(events: Sequence[Recorded]) -> None:
        for event in events:
            listener(event)

    return tell


def _policy_of(policies: RedrivePolicies) -> Callable[[Run], RedrivePolicy]:
    if isinstance(policies, RedrivePolicy):
        return lambda _run: policies
    return lambda run: policies(run.tenant, run.automation)


__all__ = ["Batch", "Engine", "open", "path_of"]
