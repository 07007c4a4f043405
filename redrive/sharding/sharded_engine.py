"""Several logs as one engine: each tenant has its home in one of them, and commands and queries go there."""

from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, Self, TypeVar

from redrive.domain.errors import Conflict, InvalidValue, NotFound, OneShardOnly, StorageError, WrongShard
from redrive.domain.identity import Tenant
from redrive.domain.run.claims import DEFAULT_LEASE_MS
from redrive.domain.sharding import SHARDS_STREAM, by_weight
from redrive.domain.values import clean_integer
from redrive.engine import Engine
from redrive.ledger.admission import RESTORED, Admission, set_in
from redrive.ledger.ledger import refuse_in_batch
from redrive.privacy.models import KeyDestruction
from redrive.processes.given import tenant_given
from redrive.processes.handout import Claim
from redrive.processes.leases import MOST_CLAIMS
from redrive.processes.sweep import SweepReport
from redrive.processes.ticker import TickReport
from redrive.projections.logs import log
from redrive.sharding.shard_set import agree, is_placed
from redrive.sharding.sharded_batch import ShardedBatch
from redrive.tenant_effects import Actor
from redrive.tenant_engine import TenantEngine

P = ParamSpec("P")
T = TypeVar("T")
MOST_HOMES = 100_000


def _of_one_shard(name: str) -> Callable[..., NoReturn]:
    """A method that refuses what concerns a whole log."""

    def refuse(self: "ShardedEngine", *_args: Any, **_options: Any) -> NoReturn:
        raise OneShardOnly(name, len(self.shards))

    refuse.__name__, refuse.__qualname__ = name, f"ShardedEngine.{name}"
    refuse.__doc__ = f"It concerns one log: ask ``shards[i].{name}``. Raises OneShardOnly."
    return refuse


class ShardedEngine:
    """Several logs that share the tenants among them, as ``redrive.open([url, url, …])`` opens them.

    A tenant's home is the log to which it wrote first, for ever; a new one's follows from the ids of the logs, so that
    every process finds the same. ``for_tenant`` goes there. What concerns a whole log is asked of one: ``shards[i]``
    is an ``Engine``, in the order of the URLs; here such a question raises OneShardOnly.
    """

    def __init__(self, shards: Sequence[Engine]) -> None:
        self.shards = tuple(shards)
        self._by_id = {shard.ledger.id: shard for shard in self.shards}
        together = agree(self._by_id)
        for shard in self.shards:
            shard.ledger.committer.admission = Admission(shard.ledger.id, together, partial(self._leads_to, shard))
        self._homes: dict[Tenant, Engine] = {}
        self._to_come: dict[Tenant, Engine] = {}
        self._turn = count()

    @property
    def local(self) -> TenantEngine:
        """The default tenant, local/default/default."""
        return self.for_tenant(Tenant())

    def for_tenant(self, tenant: Tenant) -> TenantEngine:
        """Commands and queries of one tenant, in the log in which it is at home, or will be once it writes.

        Raises StorageError when a log that must be asked for it cannot be read.
        """
        return self.shard_of(tenant).for_tenant(tenant)

    def shard_of(self, tenant: Tenant) -> Engine:
        """The log in which a tenant is at home; of one that never wrote, where it will be. Raises StorageError, and
        WrongShard where that cannot be told, because one of the logs was restored to before it had company."""
        known = self._homes.get(tenant_given(tenant))
        if known is not None:
            return known
        order = [self._by_id[id_] for id_ in by_weight(tenant, self._by_id)]
        for shard in order:
            if is_placed(shard, tenant):
                self._to_come.pop(tenant, None)
                return _remembered(self._homes, tenant, shard)
        for shard in order:
            if set_in(shard.ledger.stream(SHARDS_STREAM)) is None:
                raise WrongShard(str(tenant), RESTORED)
        return _remembered(self._to_come, tenant, order[0])

    def shard_with(self, key: str) -> Engine:
        """The log that has a run, dead letter, effect or compensation, given its id. Raises NotFound, StorageError."""
        if not isinstance(key, str):
            raise InvalidValue("id", key, "the id of a run, dead letter, effect or compensation, as text")
        for shard in self.shards:
            if shard.ledger.stream(key):
                return shard
        raise NotFound("record", key)

    def claim_many(
        self,
        n: int,
        *,
        worker: str,
        lease_ms: int = DEFAULT_LEASE_MS,
        handlers: Container[str] | None = None,
        start: bool = False,
    ) -> list[Claim]:
        """Claim up to *n* due runs of any tenant: of each log an equal part, the oldest first, then of any that has
        more; one commit for each log. What a log that cannot be read or written keeps back is told in the log of
        decisions; raises its StorageError or Conflict when nothing else was claimed."""
        refuse_in_batch("claim_many")
        claims: list[Claim] = []
        trouble: StorageError | Conflict | None = None
        asked = self._in_turn() if clean_integer(n, "n", 1, MOST_CLAIMS) else ()
        while asked and len(claims) < n:
            share, more = -(-(n - len(claims)) // len(asked)), []
            for shard in asked:
                most = min(share, n - len(claims))
                try:
                    found = shard.claim_many(most, worker=worker, lease_ms=lease_ms, handlers=handlers, start=start)
                except (StorageError, Conflict) as error:
                    log.error("shard.not_claimed", shard=shard.ledger.path, error=str(error))
                    trouble = trouble or error
                    continue
                claims += found
                more += [shard] if len(found) == most else []
                if len(claims) == n:
                    return claims
            asked = tuple(more)
        if trouble is not None and not claims:
            raise trouble
        return claims

    def tick(self) -> TickReport:
        """Tick in every log, in all of them at the same time: what one cannot do, or does slowly, keeps no other from
        it. Reports come in the order of the logs. Raises the StorageError or Conflict of the first that has one, when
        all are done."""
        refuse_in_batch("tick")
        report = TickReport()
        for one in self._each(Engine.tick):
            report.reclaimed += one.reclaimed
            report.timers.acts += one.timers.acts
            report.timers.more = report.timers.more or one.timers.more
            report.lost_effects += one.lost_effects
            report.lost_compensations += one.lost_compensations
            _add(report.sweep, one.sweep)
        return report

    def sweep(self) -> SweepReport:
        """Sweep every log, as ``tick``."""
        refuse_in_batch("sweep")
        report = SweepReport()
        for one in self._each(Engine.sweep):
            _add(report, one)
        return report

    def destroy_key(self, subject: str, *, tenant: Tenant | None = None, actor: Actor, reason: str) -> KeyDestruction:
        """As ``Engine.destroy_key``, where the tenant is at home."""
        return self.shard_of(tenant or Tenant()).destroy_key(subject, tenant=tenant, actor=actor, reason=reason)

    def batch(self) -> ShardedBatch:
        """Several commands together, in one commit for each log that they concern; each has an outcome of its own, as
        always. A log that cannot be written fails its commands, and no other's."""
        return ShardedBatch(self)

    def now_ms(self) -> int:
        """The time by the engines' clock."""
        return self.shards[0].now_ms()

    def close(self) -> None:
        """Close every log."""
        self._homes.clear()
        errors: list[Exception] = []
        for shard in self.shards:
            try:
                shard.close()
            except Exception as error:  # noqa: BLE001 - the others are closed all the same
                errors.append(error)
        if errors:
            raise errors[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _leads_to(self, shard: Engine, tenant: Tenant) -> bool:
        """Whether a tenant that has no place in *shard* may get one: none of the others has it, and none will. That
        nobody had it when it was asked for is enough, once, as long as *shard* has on record the set that is known
        here. What once had a place went back since: another log may have taken it in."""
        if self._to_come.pop(tenant, None) is shard:
            return True
        self._homes.pop(tenant, None)
        return self.shard_of(tenant) is shard

    def _in_turn(self) -> tuple[Engine, ...]:
        """The shards, each time another one first."""
        first = next(self._turn) % len(self.shards)
        return self.shards[first:] + self.shards[:first]

    def _each(self, act: Callable[[Engine], T]) -> list[T]:
        """What *act* answers for each log; each is asked in a thread of its own. Raises the first StorageError or
        Conflict once all have answered."""
        for shard in self.shards:
            shard.ledger.committer.require_outside()  # else a thread would wait for the lock that this one holds
        with ThreadPoolExecutor(len(self.shards), "redrive-shard") as pool:
            asked = [pool.submit(copy_context().run, act, shard) for shard in self.shards]
        done: list[T] = []
        trouble: StorageError | Conflict | None = None
        for shard, answer in zip(self.shards, asked, strict=True):
            try:
                done.append(answer.result())
            except (StorageError, Conflict) as error:
                log.error("shard.not_ticked", shard=shard.ledger.path, error=str(error))
                trouble = trouble or error
        if trouble is not None:
            raise trouble
        return done

    if not TYPE_CHECKING:  # a type checker says that they are not there; what never returns would silence it instead
        set_limit = _of_one_shard("set_limit")
        change_limit = _of_one_shard("change_limit")
        remove_limit = _of_one_shard("remove_limit")
        limits = _of_one_shard("limits")
        privacy_status = _of_one_shard("privacy_status")
        archive = _of_one_shard("archive")
        seal = _of_one_shard("seal")
        await_sealed = _of_one_shard("await_sealed")
        anchor = _of_one_shard("anchor")
        verify = _of_one_shard("verify")
        export = _of_one_shard("export")
        at = _of_one_shard("at")
        timeline = _of_one_shard("timeline")
        why = _of_one_shard("why")
        blast = _of_one_shard("blast")
        diff = _of_one_shard("diff")
        first = _of_one_shard("first")
        replay_check = _of_one_shard("replay_check")
        what_if = _of_one_shard("what_if")

        @property
        def views(self) -> NoReturn:
            """Views are folded from one log: ask ``shards[i].views``. Raises OneShardOnly."""
            raise OneShardOnly("views", len(self.shards))


def _remembered(known: dict[Tenant, Engine], tenant: Tenant, shard: Engine) -> Engine:
    if len(known) >= MOST_HOMES:
        known.clear()
    known[tenant] = shard
    return shard


def _add(report: SweepReport, more: SweepReport) -> None:
    report.acted += more.acted
    report.skipped += more.skipped
