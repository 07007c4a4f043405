"""Who may begin to write to a log that shares its tenants with others.

A tenant is placed by its first write, in the same transaction: there is no moment in which one is without the other.
Whether it may be placed here was told from the set of logs that the router knew; that set must still be the one that
this log has recorded, for otherwise a router that knows a larger one may have found the tenant another home.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from redrive.domain.errors import StreamReadOnly, WrongShard
from redrive.domain.event import Recorded
from redrive.domain.records import ShardsRecorded, TenantPlaced
from redrive.domain.sharding import SHARDS_STREAM, ShardSet, placement_stream_of

if TYPE_CHECKING:
    from redrive.domain.identity import Tenant
    from redrive.ledger.transaction import LedgerTransaction

T = TypeVar("T")
Command = Callable[["LedgerTransaction"], T]
RESTORED = "what a log said of those that share the tenants is gone: open them anew"


class Admission:
    """Places the tenants that write to a log for the first time; in a log that stands alone, nobody needs a place.

    *router* is the set of logs by which tenants are routed here, to the log with the id *shard*; None when it was
    opened by itself: then tenants that have no place yet in a log with others are refused. *leads_here*: whether the
    router sends a tenant here; a host can ask a log for any tenant, past it.
    """

    def __init__(
        self, shard: str = "", router: ShardSet | None = None, leads_here: "Callable[[Tenant], bool]" = lambda _: True
    ) -> None:
        self.shard, self.router, self._leads_here = shard, router, leads_here

    def decide(self, tx: "LedgerTransaction", command: Command[T]) -> T:
        """What *command* returns, with the tenant's place beside what it wrote. Raises WrongShard."""
        value = command(tx)
        tenant = tx.caller.tenant
        if tenant is not None and tx.appended and tx._is_new(stream := placement_stream_of(tenant)):
            recorded = recorded_set(tx)
            if recorded is not None or self.router is not None:
                self._require_home(tenant, recorded)
                tx.append_record(tenant, stream, TenantPlaced(shard=self.shard or next(iter(recorded or ()))))
        return value

    def _require_home(self, tenant: "Tenant", recorded: ShardSet | None) -> None:
        """Raises WrongShard unless *tenant* is routed here by the set that is on record: all of it, or this log."""
        if recorded is None:
            raise WrongShard(str(tenant), RESTORED)
        if self.router == recorded:
            if not self._leads_here(tenant):
                raise WrongShard(str(tenant), "it is, or will be, in another: ask for_tenant of the ShardedEngine")
            return
        if self.router is None and len(recorded) == 1:
            return
        known = "only this one was" if self.router is None else f"{len(self.router)} of them were"
        raise WrongShard(str(tenant), f"{len(recorded)} logs share the tenants, and {known} opened: open all of them")


def recorded_set(tx: "LedgerTransaction") -> ShardSet | None:
    """The logs with which this one shares its tenants, as of this transaction; None for one that stands alone. What
    the transaction writes is written only if it still is so."""
    return set_in(tx.last_record(SHARDS_STREAM))


def set_in(recorded: Iterable[Recorded]) -> ShardSet | None:
    """The set that the last of these events of the shards' stream recorded; None: there is none. Raises
    StreamReadOnly."""
    last: ShardSet | None = None
    for one in recorded:
        if not isinstance(one.event, ShardsRecorded):
            raise StreamReadOnly(SHARDS_STREAM, one.topic)
        last = frozenset(one.event.shards)
    return last
