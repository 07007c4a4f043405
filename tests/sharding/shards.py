"""Three logs, the tenants that share them, and a shop whose tenant is at home in one of them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import redrive
from redrive import Engine, Recorded, RunId, ShardedEngine, Tenant
from redrive.domain.records import ShardsRecorded, TenantPlaced
from tests.engine.model import check_log, check_views
from tests.processes.workshop import ACME, ONE, Shop

TENANTS = [Tenant(f"t{number}", "billing", "prod") for number in range(40)]


def urls(folder: Path, names: Iterable[str] = "abc") -> list[str]:
    """The URLs of logs."""
    return [f"sqlite:///{folder / name}.db" for name in names]


def submit(engine: ShardedEngine | Engine, tenant: Tenant, key: str = "k") -> RunId:
    """A run with one node."""
    return engine.for_tenant(tenant).submit(ONE, automation="nightly", key=key)


def home(engine: ShardedEngine, tenant: Tenant) -> str:
    """The name of the log in which a tenant is at home."""
    return Path(engine.shard_of(tenant).ledger.path).stem


def homes(engine: ShardedEngine) -> dict[Tenant, str]:
    """Where each of the tenants is at home."""
    return {tenant: home(engine, tenant) for tenant in TENANTS}


def facts(engine: Engine, kind: type[Any]) -> list[Any]:
    """The events of a kind in a log."""
    return [event.event for event in engine.ledger.read(0, 1_000_000) if isinstance(event.event, kind)]


def check(engine: ShardedEngine, *, of_other_code: bool = False) -> None:
    """Every log is sound; each tenant has events in one of them only, and its place is on record there once."""
    owners: dict[str, str] = {}
    for shard in engine.shards:
        check_log(shard, of_other_code=of_other_code)
        check_views(shard)
        assert facts(shard, ShardsRecorded)[-1].shards == tuple(sorted(one.ledger.id for one in engine.shards))
        events = shard.ledger.read(0, 1_000_000)
        placed = [str(event.tenant) for event in events if isinstance(event.event, TenantPlaced)]
        here = {str(event.tenant) for event in events if not event.topic.startswith(("log.", "engine."))}
        assert sorted(placed) == sorted(here)
        for tenant in here:
            assert owners.setdefault(tenant, shard.ledger.id) == shard.ledger.id


class AtHome:
    """A sharded engine to tests that are written for one log: what concerns a whole log is asked where ACME is."""

    SHARED = frozenset(("for_tenant", "local", "tick", "sweep", "batch", "claim_many", "now_ms", "close", "shards"))

    def __init__(self, sharded: ShardedEngine) -> None:
        self.sharded = sharded

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sharded if name in self.SHARED else self.sharded.shard_of(ACME), name)


class ShardedShop(Shop):
    """A shop whose tenant shares three logs with others, who are busy as well."""

    def _open(self) -> Engine:
        names = [str(self.path.with_name(f"{name}.db")) for name in "abc"]
        sharded = redrive.open(
            [f"sqlite:///{name}" for name in names], clock=lambda: self.now, dice=lambda: 0.0, **self.options
        )
        return cast(Engine, AtHome(sharded))

    @property
    def sharded(self) -> ShardedEngine:
        """The engine itself."""
        return cast(AtHome, self.engine).sharded

    def log(self) -> list[Recorded]:
        """Every event, log by log."""
        return [event for shard in self.sharded.shards for event in shard.ledger.read(0, 1_000_000)]

    def check(self) -> None:
        """The oracles, for each log."""
        check(self.sharded, of_other_code=self.of_other_code)
