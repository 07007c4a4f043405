"""Several logs as one engine: what it does over all of them, and what it leaves to one."""

import inspect
import threading
from collections import Counter
from pathlib import Path
from typing import Any, assert_type

import pytest

import redrive
from redrive import Engine, EngineClosed, InvalidValue, NotFound, OneShardOnly, ShardedEngine, StorageError, Tenant
from redrive.domain.ports import Caller
from redrive.ledger.committer import Committer
from tests.processes.workshop import ANA, ONE, PATIENCE_S, TIMEOUT, beside, logged, policy
from tests.sharding.shards import TENANTS, ShardedShop, home, homes, submit, urls

OVER_ALL = {"for_tenant", "claim_many", "tick", "sweep", "batch", "now_ms", "close", "destroy_key"}
OF_ONE = {
    name
    for name, member in inspect.getmembers(Engine, inspect.isfunction)
    if not name.startswith("_") and name not in OVER_ALL
}


@pytest.mark.parametrize("name", sorted(OF_ONE | {"views"}))
def test_what_concerns_one_log_is_asked_of_one(engine: ShardedEngine, name: str) -> None:
    """Every other method of an engine, so that nothing is answered for a third of the records."""
    before = [shard.ledger.last_position() for shard in engine.shards]
    with pytest.raises(OneShardOnly, match=rf"ask engine\.shards\[i\]\.{name}") as refused:
        getattr(engine, name)()
    assert refused.value.code == "one-shard-only"
    assert [shard.ledger.last_position() for shard in engine.shards] == before


def test_each_log_answers_for_itself(engine: ShardedEngine) -> None:
    """Verify, seal, replay, the past and limits, of the engine of each log."""
    for tenant in TENANTS[:12]:
        submit(engine, tenant)
    for shard in engine.shards:
        shard.seal()
        assert shard.verify().findings == ()
        assert shard.replay_check().first is None
        shard.set_limit(redrive.Limit("total", "", 2), **ANA)
        assert len(shard.limits()) == 1
        with shard.at("now") as past:
            assert past.ledger.tip()[0] == shard.ledger.last_position()


def test_every_record_is_found_by_its_id(engine: ShardedEngine) -> None:
    """Without knowing whose it is; another id is found nowhere."""
    runs = {submit(engine, tenant): tenant for tenant in TENANTS[:9]}
    for run, tenant in runs.items():
        assert engine.shard_with(run) is engine.shard_of(tenant)
        assert engine.shard_with(run).timeline(run).entries
    with pytest.raises(NotFound):
        engine.shard_with("e4f0f1c8-0000-5000-8000-000000000000")
    with pytest.raises(InvalidValue):
        engine.shard_with(7)  # type: ignore[arg-type]


def test_claims_come_from_every_log_in_turn(engine: ShardedEngine) -> None:
    """An equal part of each; what one lacks, the others give; then there is nothing more."""
    for tenant in TENANTS:
        submit(engine, tenant)
    count = Counter(homes(engine).values())
    first = Counter(home(engine, claim.tenant) for claim in engine.claim_many(6, worker="w"))
    assert first == {"a": 2, "b": 2, "c": 2}
    one = [home(engine, claim.tenant) for _ in range(3) for claim in engine.claim_many(1, worker="w", start=True)]
    assert sorted(one) == ["a", "b", "c"]
    rest = Counter(home(engine, claim.tenant) for claim in engine.claim_many(1_000, worker="w"))
    assert rest + first + Counter(one) == count
    assert engine.claim_many(5, worker="w") == []
    for bad in (0, 1_001, "3"):
        with pytest.raises(InvalidValue):
            engine.claim_many(bad, worker="w")  # type: ignore[arg-type]


def test_a_tick_goes_over_all_logs(shop: ShardedShop) -> None:
    """Expired claims, retries and waits of every one, in one report."""
    for tenant in TENANTS[:6]:
        acme = shop.sharded.for_tenant(tenant)
        acme.submit(beside("a", retry=policy(1, mode="dead_letter")), automation="n", key="fails")
        claim = acme.claim(worker="w", start=True)
        assert claim is not None
        acme.fail_attempt(claim.attempts[0], TIMEOUT)
        acme.request_retry(redrive.DeadLetterId(acme.dead_letters().items[0].id), **ANA)
    claimed = {claim.run_id for claim in shop.sharded.claim_many(100, worker="w", start=True, lease_ms=5_000)}
    shop.now += 10_000
    assert set(shop.sharded.tick().reclaimed) == claimed
    assert len({homes(shop.sharded)[tenant] for tenant in TENANTS[:6]}) > 1
    assert shop.sharded.sweep().acted == []


def test_a_log_that_cannot_be_written_keeps_no_other_from_its_tick(
    engine: ShardedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error is raised once all were asked; claims of the others are handed out."""
    for tenant in TENANTS:  # so many that each log is home to some
        submit(engine, tenant)
    broken, begin = engine.shards[0].ledger.committer, Committer._require_open
    ticked: list[object] = []

    def begin_or_break(committer: Committer) -> None:
        if committer is broken:
            raise StorageError("the disk is gone")
        begin(committer)

    monkeypatch.setattr(Committer, "_require_open", begin_or_break)
    monkeypatch.setattr("redrive.engine.tick", lambda services, _tenant: _tick(services, ticked))
    with pytest.raises(StorageError, match="the disk is gone"):
        engine.tick()
    assert len(ticked) == 3
    assert {home(engine, claim.tenant) for claim in engine.claim_many(100, worker="w")} == {"b", "c"}
    monkeypatch.undo()


@pytest.mark.parametrize("call", ["tick", "sweep"])
def test_a_slow_log_delays_no_other(engine: ShardedEngine, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """The first waits until the last is done; what they report comes in the order of the logs all the same."""
    done, waited = threading.Event(), list[bool]()
    act, places = getattr(Engine, call), {shard: place for place, shard in enumerate(engine.shards)}

    def slowly(shard: Engine) -> Any:
        if shard is engine.shards[0]:
            waited.append(done.wait(PATIENCE_S))
        report = act(shard)
        swept = report if call == "sweep" else report.sweep
        swept.acted.append(places[shard])
        if shard is engine.shards[-1]:
            done.set()
        return report

    monkeypatch.setattr(Engine, call, slowly)
    report = getattr(engine, call)()
    assert waited == [True]
    assert (report if call == "sweep" else report.sweep).acted == [0, 1, 2]


def test_each_log_has_its_own_error(engine: ShardedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are told in the log of decisions, in the order of the logs; the first is raised."""

    def fail(shard: Engine) -> None:
        if shard is not engine.shards[1]:
            raise StorageError(f"{Path(shard.ledger.path).stem} is gone")

    monkeypatch.setattr(Engine, "sweep", fail)
    with logged() as logs, pytest.raises(StorageError, match="a is gone"):
        engine.sweep()
    assert [entry["error"] for entry in logs if entry["event"] == "shard.not_ticked"] == ["a is gone", "c is gone"]


def test_a_tick_in_a_listener_is_refused(tmp_path: Path) -> None:
    """It would wait for the commit that it is told of."""
    refused: list[str] = []

    def tick(_event: object) -> None:
        try:
            engine.tick()
        except RuntimeError as error:
            refused.append(str(error))

    with redrive.open(urls(tmp_path), listeners=[tick]) as engine:
        submit(engine, TENANTS[0])
    assert "cannot run a command" in refused[0]


def _tick(services: object, ticked: list[object]) -> redrive.TickReport:
    ticked.append(services)
    services.ledger.transact(Caller(None), lambda tx: None)  # type: ignore[attr-defined]
    return redrive.TickReport()


def test_a_batch_is_one_commit_for_each_log(engine: ShardedEngine) -> None:
    """Each command has an outcome of its own; a refusal harms no other, wherever it is."""
    commits = [shard.ledger.committer.commits for shard in engine.shards]
    with engine.batch() as batch:
        good = [batch.add(engine.for_tenant(tenant).submit, ONE, automation="n") for tenant in TENANTS]
        bad = batch.add(engine.local.cancel, redrive.RunId("none"), **ANA)
    assert len({one.result() for one in good}) == len(TENANTS)
    with pytest.raises(NotFound):
        bad.result()
    assert [shard.ledger.committer.commits for shard in engine.shards] == [before + 1 for before in commits]


def test_a_batch_takes_commands_of_tenants_only(engine: ShardedEngine) -> None:
    """A limit concerns one log; several commands in one call, and a batch that is over, are refused as ever."""
    with engine.batch() as batch:
        with pytest.raises(OneShardOnly):
            batch.add(engine.shards[0].set_limit, redrive.Limit("total", "", 2), **ANA)
        with pytest.raises(InvalidValue):
            batch.add(engine.tick)
    with pytest.raises(InvalidValue):
        batch.add(engine.local.submit, ONE, automation="n")
    assert all(not shard.limits() for shard in engine.shards)


def test_one_log_of_a_batch_fails_alone(engine: ShardedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands say so; those of the other logs are done."""
    commit, broken = Committer._commit, engine.shards[1].ledger.committer

    def commit_or_break(committer: Committer, last: object) -> None:
        if committer is broken:
            raise StorageError("the disk is gone")
        commit(committer, last)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Committer, "_commit", commit_or_break)
        with engine.batch() as batch:
            jobs = {tenant: batch.add(engine.for_tenant(tenant).submit, ONE, automation="n") for tenant in TENANTS}
    failed = {home(engine, tenant) for tenant, job in jobs.items() if job._error is not None}
    assert failed == {"b"}
    assert all(job.result() for tenant, job in jobs.items() if home(engine, tenant) != "b")


def test_when_closed_everything_is(engine: ShardedEngine) -> None:
    """Closed twice, nothing happens."""
    submit(engine, TENANTS[0])
    with redrive.open([f"sqlite:///{shard.ledger.path}" for shard in engine.shards]) as other:
        acme = other.for_tenant(TENANTS[0])
        other.close()
        with pytest.raises(EngineClosed):
            acme.submit(ONE, automation="n")


def test_bad_tenants_are_refused(engine: ShardedEngine) -> None:
    """As by the engine of one log."""
    with pytest.raises(InvalidValue, match=r"^tenant: "):
        engine.for_tenant("acme/billing/prod")  # type: ignore[arg-type]
    assert engine.local.tenant == Tenant()


def types_that_users_see() -> None:
    """Checked by mypy, never called."""
    assert_type(redrive.open("sqlite:///a.db"), Engine)
    assert_type(redrive.open(), Engine)
    assert_type(redrive.open(["sqlite:///a.db"], cache_bytes=1), ShardedEngine)
    assert_type(redrive.open(tuple(urls), seal=True), ShardedEngine)  # type: ignore[arg-type]
    redrive.open(["sqlite:///a.db"], cache=1)  # type: ignore[call-overload]
    redrive.open(["sqlite:///a.db"]).verify()  # type: ignore[attr-defined]
    redrive.Worker(redrive.open(["sqlite:///a.db"]), {})
