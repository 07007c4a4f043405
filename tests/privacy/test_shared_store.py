"""Several logs with one key store: what was begun through one of them is not done through another, and what is
destroyed through any of them is gone from all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import redrive
from redrive.domain.records import KeyDestroyed
from redrive.privacy.key_store import Intent, KeyStore
from redrive.sharding.sharded_engine import ShardedEngine
from tests.privacy.vault import CANARY, ERASE, FLOW
from tests.stores import log_url


@pytest.fixture
def shards(tmp_path: Path) -> Iterator[ShardedEngine]:
    """Two logs."""
    urls = [log_url(tmp_path / "one.db"), log_url(tmp_path / "two.db")]
    with redrive.open(urls, privacy=redrive.Privacy(str(tmp_path / "keys.db"))) as engine:
        yield engine


@pytest.fixture
def tenant(shards: ShardedEngine) -> redrive.Tenant:
    """One that is at home in the second log, where its run has failed."""
    candidates = (redrive.Tenant("acme", "billing", str(number)) for number in range(1_000))
    tenant = next(one for one in candidates if shards.shard_of(one) is shards.shards[1])
    acme = shards.for_tenant(tenant)
    acme.submit(FLOW, automation="nightly", subject="ana", input={"who": CANARY})
    claim = acme.claim(worker="w", start=True)
    assert claim is not None
    acme.fail_attempt(claim.attempts[0], redrive.Failure("broken", CANARY, final=True))
    assert acme.runs(text=CANARY).items
    return tenant


def begun(keys: KeyStore, tenant: redrive.Tenant, log: str) -> None:
    """A process noted that it would destroy Ana's key, and died."""
    key = keys.in_use(keys.subject_of(tenant, "ana"))
    assert key is not None
    keys.intend(Intent(key, str(tenant), '["human", "dpo", null]', "request 17", 0, log))


def require_gone(shards: ShardedEngine, tenant: redrive.Tenant) -> None:
    """The log of the tenant knows, its run has ended, and its views show nothing."""
    home, acme = shards.shards[1], shards.for_tenant(tenant)
    assert [one for one in home.ledger.read(0, 1_000) if isinstance(one.event, KeyDestroyed)]
    assert acme.runs().items[0].status == "cancelled"
    assert acme.dead_letters().items[0].status == "abandoned"
    path = home.views.path
    assert path is not None
    assert not any(CANARY.encode() in file.read_bytes() for file in Path(path).parent.glob(f"{Path(path).name}*"))


def test_what_was_begun_is_finished_in_the_log_where_it_was_begun(
    shards: ShardedEngine, tenant: redrive.Tenant
) -> None:
    """The other one leaves it alone."""
    first, second = shards.shards
    assert second.encryption is not None
    begun(second.encryption.keys, tenant, second.ledger.id)
    first.tick()
    assert second.privacy_status().unfinished == 1
    second.tick()
    assert not [one for one in first.ledger.read(0, 1_000) if isinstance(one.event, KeyDestroyed)]
    require_gone(shards, tenant)


@pytest.mark.parametrize("log", ["", "here"])
def test_what_another_log_destroyed_is_gone_here(shards: ShardedEngine, tenant: redrive.Tenant, log: str) -> None:
    """By hand, or by whoever found an intent of an earlier version: the next tick finds out."""
    first, second = shards.shards
    if log:
        first.destroy_key("ana", tenant=tenant, **ERASE)
    else:
        assert first.encryption is not None
        begun(first.encryption.keys, tenant, "")
        first.tick()
    second.tick()
    require_gone(shards, tenant)


def test_a_store_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its intents name no log."""
    keys = KeyStore(str(tmp_path / "keys.db"))
    keys._connection.execute("ALTER TABLE intents DROP COLUMN log")
    keys.close()
    keys = KeyStore(str(tmp_path / "keys.db"))
    keys.intend(Intent("k", "a/b/c", "[]", "r", 1))
    assert keys.intents() == [Intent("k", "a/b/c", "[]", "r", 1, "")]
    keys.close()
