"""Which logs belong together: every one of them has the whole set on record, and the set only ever grows.

Growing is safe beside routers that know a smaller set: a tenant is placed only in a log that still has on record the
set by which it was routed (``redrive.ledger.admission``), and whoever routes by a larger set had that recorded in every
log before looking for the tenant. So either it finds the tenant, or the other one is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from redrive.domain.errors import Conflict, InvalidValue, ShardMissing
from redrive.domain.identity import Tenant
from redrive.domain.ports import Caller
from redrive.domain.records import ShardsRecorded, TenantPlaced
from redrive.domain.sharding import SHARDS_STREAM, ShardSet, grew, in_two, missing, placement_stream_of
from redrive.engine import Engine
from redrive.ledger.admission import recorded_set, set_in
from redrive.ledger.tenants_in import tenants_in
from redrive.ledger.transaction import LedgerTransaction

MOST_ROUNDS = 20


@dataclass(slots=True)
class _Joining:
    """A log as it was found: the set on its record (None: it stands alone), and, when its tenants were listed, who they
    are and up to where it was read."""

    engine: Engine
    recorded: ShardSet | None
    tenants: set[Tenant] = field(default_factory=set)
    listed: bool = False
    read_to: int = 0


def agree(engines: Mapping[str, Engine]) -> ShardSet:
    """Have every one of *engines* (by the id of its log) record that they share the tenants; the set.

    Raises ShardMissing when they share them with more logs, InvalidValue when a tenant is at home in two of them,
    Conflict when others keep changing the set.
    """
    ours = frozenset(engines)
    for _ in range(MOST_ROUNDS):
        found = [_Joining(engine, set_in(engine.ledger.stream(SHARDS_STREAM))) for engine in engines.values()]
        for one in found:
            if one.recorded is not None and (lacking := missing([one.recorded], ours)):
                raise ShardMissing(one.engine.ledger.path, lacking)
        joining = [one for one in found if one.recorded != ours]
        if not joining:
            return ours
        _list_tenants(found)
        _require_one_home(found)
        try:
            for one in joining:
                _join(one, ours)
        except Conflict:  # somebody else wrote to it meanwhile, or joins it too: look again
            continue
        return ours
    raise Conflict("the set of logs that share the tenants keeps changing: open them again")


def is_placed(engine: Engine, tenant: Tenant) -> bool:
    """Whether *tenant* is at home in a log."""
    return bool(engine.ledger.stream(placement_stream_of(tenant)))


def _list_tenants(found: Sequence[_Joining]) -> None:
    """List the tenants of logs that stood alone until now; of all when they come from sets that grew apart."""
    everyone = not grew([one.recorded for one in found if one.recorded is not None])
    for one in found:
        if one.recorded is None or everyone:
            one.listed, one.read_to = True, one.engine.ledger.last_position()
            one.tenants = tenants_in(one.engine.ledger.recorder) if one.read_to else set()


def _require_one_home(found: Sequence[_Joining]) -> None:
    """Raises InvalidValue when a tenant is at home in two logs: which of its histories went on, nobody could tell."""
    listed = [one for one in found if one.listed]
    homes = [(one.engine.ledger.path, one.tenants) for one in listed]
    everybody = set().union(*(one.tenants for one in listed)) if listed else set()
    others = [one.engine for one in found if not one.listed]
    homes += [(other.ledger.path, {who for who in everybody if is_placed(other, who)}) for other in others]
    for tenant, paths in sorted(in_two(homes).items(), key=lambda item: str(item[0])):
        accepted = f"logs of which each tenant has records in one only; {tenant} has some in {' and in '.join(paths)}"
        raise InvalidValue("db", [path for path, _ in homes], accepted)


def _join(one: _Joining, ours: ShardSet) -> None:
    """Record the set in a log, and who is at home there. Raises Conflict when it is not as it was found."""
    ledger = one.engine.ledger

    def join(tx: LedgerTransaction) -> None:
        tx.alone()
        now = recorded_set(tx)
        if now == ours:
            return
        late = tenants_in(ledger.recorder, one.read_to) - one.tenants if one.listed else set()
        if now != one.recorded or late:
            raise Conflict(f"{ledger.path}: others write to it, or have it share its tenants, at this moment")
        for tenant in sorted(one.tenants, key=str):
            tx.append_once(tenant, placement_stream_of(tenant), TenantPlaced(shard=ledger.id))
        tx.append_record(Tenant(), SHARDS_STREAM, ShardsRecorded(shards=tuple(sorted(ours))))

    ledger.transact(Caller(None, reason="opened together"), join)
