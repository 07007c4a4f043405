"""What works for one log, and says so where several are given: a worker's batch, and asyncio."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive import Attempt, InvalidValue, ShardedEngine, Worker
from tests.sharding.shards import TENANTS, submit

SECRET = "hunter2"


def nothing(_attempt: Attempt) -> None:
    """A handler."""


def statuses(engine: ShardedEngine) -> set[str]:
    """How the runs of all tenants stand."""
    return {engine.for_tenant(tenant).runs().items[0].status for tenant in TENANTS}


def test_a_worker_of_each_log_takes_a_batch(engine: ShardedEngine) -> None:
    """As the refusal advises."""
    for tenant in TENANTS:
        submit(engine, tenant)
    for shard in engine.shards:
        Worker(shard, {"a": nothing}, batch=100).run_until_idle()
    assert statuses(engine) == {"completed"}


@pytest.mark.parametrize("batch", [0, 2, 100, "2", None])
def test_a_worker_of_several_logs_takes_none(engine: ShardedEngine, batch: Any) -> None:
    """Of a set of logs, or a list of engines."""
    for several in (engine, list(engine.shards)):
        with pytest.raises(InvalidValue, match=r"batch: .* start a worker of each log"):
            Worker(several, {"a": nothing}, batch=batch)


def test_a_worker_that_is_refused_has_claimed_nothing(engine: ShardedEngine) -> None:
    """Another one does the work."""
    for tenant in TENANTS:
        submit(engine, tenant)
    with pytest.raises(InvalidValue):
        Worker(engine, {"a": nothing}, batch=2)
    assert statuses(engine) == {"queued"}
    Worker(engine, {"a": nothing}, batch=1).run_until_idle()
    assert statuses(engine) == {"completed"}


def test_asyncio_opens_one_log(tmp_path: Path) -> None:
    """And one of several by itself."""

    async def opened() -> str:
        async with redrive.open_async(f"sqlite:///{tmp_path}/a.db") as engine:
            return engine.sync.ledger.id

    with redrive.open(f"sqlite:///{tmp_path}/a.db") as engine:
        assert asyncio.run(opened()) == engine.ledger.id


@pytest.mark.parametrize("kind", [list, tuple])
def test_asyncio_refuses_several(tmp_path: Path, kind: Any) -> None:
    """At once, saying what to do, and no password."""
    urls: Any = kind([f"sqlite:///{tmp_path}/a.db", f"postgresql://ana:{SECRET}@h/ops"])
    with pytest.raises(InvalidValue, match=r"one URL: several are opened by redrive\.open") as refused:
        _ = redrive.open_async(urls)
    assert SECRET not in str(refused.value)


def test_asyncio_that_refuses_makes_no_log(tmp_path: Path) -> None:
    """Neither of them."""
    urls: Any = [f"sqlite:///{tmp_path}/{name}.db" for name in "ab"]
    with pytest.raises(InvalidValue):
        _ = redrive.open_async(url=urls)
    assert list(tmp_path.iterdir()) == []
