"""A tenant's first write: its place is written with it, or neither is; and never in two logs."""

import threading
from pathlib import Path

import pytest

import redrive
from redrive import Engine, ShardedEngine, StorageError, Tenant, WrongShard
from redrive.domain.records import ShardsRecorded, TenantPlaced
from redrive.ledger.committer import Committer
from tests.processes.workshop import ONE
from tests.sharding.shards import TENANTS, facts, home, homes, submit, urls


def stranger(engine: ShardedEngine, name: str) -> Tenant:
    """A tenant that never wrote, and would be at home in the log *name*."""
    return next(tenant for tenant, at in homes(engine).items() if at == name)


def test_a_place_is_written_with_the_first_write(engine: ShardedEngine) -> None:
    """Asking, claiming nothing and being refused need no place."""
    tenant = TENANTS[0]
    acme, shard = engine.for_tenant(tenant), engine.shard_of(tenant)
    assert (acme.claim(worker="w"), acme.runs().items) == (None, ())
    with pytest.raises(redrive.NotFound):
        acme.cancel(redrive.RunId("x"), actor="ana", reason="r")
    assert facts(shard, TenantPlaced) == []
    submit(engine, tenant)
    submit(engine, tenant, "again")
    assert facts(shard, TenantPlaced) == [TenantPlaced(shard=shard.ledger.id)]


def test_a_crash_leaves_both_or_neither(engine: ShardedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction: nothing lies between a place and what was written first."""
    shard = engine.shard_of(TENANTS[0])
    before = shard.ledger.last_position()

    def crash(*_args: object) -> None:
        raise StorageError("the machine stopped")

    with monkeypatch.context() as patched:
        patched.setattr(Committer, "_commit", crash)
        with pytest.raises(StorageError):
            submit(engine, TENANTS[0])
    assert shard.ledger.last_position() == before
    submit(engine, TENANTS[0])
    assert len(facts(shard, TenantPlaced)) == 1


def test_of_commands_in_one_commit_the_first_places(engine: ShardedEngine) -> None:
    """Group commit and batches: one place for all of them."""
    with engine.batch() as batch:
        acme = engine.for_tenant(TENANTS[0])
        pending = [batch.add(acme.submit, ONE, automation="n", key=str(n)) for n in range(5)]
    assert len({one.result() for one in pending}) == 5
    assert len(facts(engine.shard_of(TENANTS[0]), TenantPlaced)) == 1


def test_routers_that_know_different_sets_never_split_a_tenant(tmp_path: Path) -> None:
    """One was opened before a log was added: what it would place by the smaller set is refused, what it placed before
    is found by the other."""
    with redrive.open(urls(tmp_path)) as old:
        submit(old, TENANTS[0])
        with redrive.open(urls(tmp_path, "abcd")) as new:
            moved = next(tenant for tenant in TENANTS[1:] if home(new, tenant) == "d")
            before = [shard.ledger.last_position() for shard in old.shards]
            with pytest.raises(WrongShard, match="4 logs share the tenants, and 3 of them were opened"):
                submit(old, moved)
            assert [shard.ledger.last_position() for shard in old.shards] == before
            submit(old, TENANTS[0], "more")
            submit(new, moved)
            assert home(new, TENANTS[0]) == home(old, TENANTS[0])


def test_a_log_of_several_takes_in_only_whom_the_router_sends(engine: ShardedEngine) -> None:
    """A tenant that was asked of the wrong log of them had two homes, and its run of one key ran twice."""
    placed, new = stranger(engine, "a"), stranger(engine, "b")
    submit(engine, placed)
    before = [shard.ledger.last_position() for shard in engine.shards]
    for tenant, shards in ((placed, engine.shards[1:]), (new, (engine.shards[0], engine.shards[2]))):
        for shard in shards:
            with pytest.raises(WrongShard, match="ask for_tenant of the ShardedEngine"):
                submit(shard, tenant)
    assert [shard.ledger.last_position() for shard in engine.shards] == before
    assert submit(engine.shards[0], placed) == submit(engine, placed)
    assert submit(engine.shards[1], new) == submit(engine, new)


def test_a_tenant_from_before_a_log_was_added_is_not_taken_in_by_it(tmp_path: Path) -> None:
    """The new log would be its home, had it not written before."""
    with redrive.open(urls(tmp_path)) as engine:
        for tenant in TENANTS:
            submit(engine, tenant)
    with redrive.open(urls(tmp_path, "abcd")) as engine:
        added = engine.shards[3]
        for tenant in TENANTS:
            with pytest.raises(WrongShard):
                submit(added, tenant)
        assert facts(added, TenantPlaced) == []


def test_two_routers_place_the_same_tenants_at_once(tmp_path: Path) -> None:
    """While a log is added, in threads that know nothing of each other: whatever is acknowledged lies in one log."""
    with redrive.open(urls(tmp_path)) as old, redrive.open(urls(tmp_path)) as other:
        start = threading.Barrier(3)

        def write(engine: ShardedEngine) -> None:
            start.wait(120)
            for tenant in TENANTS:
                try:
                    submit(engine, tenant)
                except WrongShard:
                    return

        threads = [threading.Thread(target=write, args=(engine,)) for engine in (old, other)]
        for thread in threads:
            thread.start()
        start.wait(120)
        with redrive.open(urls(tmp_path, "dcba")) as new:
            for tenant in reversed(TENANTS):
                submit(new, tenant)
            for thread in threads:
                thread.join(120)
            placed = [tenant for shard in new.shards for tenant in _placed(shard)]
            assert sorted(placed) == sorted(map(str, TENANTS))


def _placed(shard: Engine) -> list[str]:
    events = shard.ledger.read(0, 100_000)
    assert {str(event.tenant) for event in events if event.topic.startswith("run.")} <= {
        str(event.tenant) for event in events if isinstance(event.event, TenantPlaced)
    }
    return [str(event.tenant) for event in events if isinstance(event.event, TenantPlaced)]


def test_a_log_opened_by_itself_serves_its_own_tenants(tmp_path: Path) -> None:
    """For questions about the whole log, and while another one is down; it takes nobody in."""
    with redrive.open(urls(tmp_path)) as engine:
        mine, new = stranger(engine, "a"), stranger(engine, "b")
        submit(engine, mine)
    with redrive.open(urls(tmp_path)[0]) as alone:
        submit(alone, mine, "more")
        before = alone.ledger.last_position()
        with pytest.raises(WrongShard, match="3 logs share the tenants, and only this one was opened"):
            submit(alone, new)
        assert alone.ledger.last_position() == before


def test_a_log_that_stands_alone_knows_no_places(tmp_path: Path) -> None:
    """Whoever has one log sees nothing of all this; a list of one is no more than a name for it."""
    with redrive.open(urls(tmp_path)[0]) as alone:
        submit(alone, TENANTS[0])
        assert facts(alone, TenantPlaced) == facts(alone, ShardsRecorded) == []
    with redrive.open(urls(tmp_path, "a")) as listed:
        submit(listed, TENANTS[1])
    with redrive.open(urls(tmp_path)[0]) as alone:
        submit(alone, TENANTS[2])
        assert len(facts(alone, TenantPlaced)) == 3
