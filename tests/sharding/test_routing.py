"""Where a tenant belongs: the same for everybody, spread evenly, and fixed once it wrote."""

import random
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import redrive
from redrive import ShardedEngine, Tenant
from redrive.domain.sharding import by_weight, grew, in_two, missing
from tests.sharding.shards import TENANTS, homes, submit, urls

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/", categories=("L", "N", "P", "S")), min_size=1)
SHARDS = st.sets(st.uuids().map(str), min_size=1, max_size=8)


def tenant_of(name: str) -> Tenant:
    """A tenant with a name that anybody may choose."""
    return Tenant(name.encode()[:100].decode(errors="ignore"), "w", "d")


@given(NAMES, SHARDS, st.randoms())
def test_the_order_of_logs_does_not_matter(name: str, shards: set[str], dice: random.Random) -> None:
    """Two hosts list the URLs as they like."""
    listed = list(shards)
    dice.shuffle(listed)
    assert by_weight(tenant_of(name), listed) == by_weight(tenant_of(name), sorted(shards))
    assert sorted(by_weight(tenant_of(name), listed)) == sorted(shards)


@given(NAMES, SHARDS, st.uuids().map(str))
def test_one_more_log_only_takes(name: str, shards: set[str], new: str) -> None:
    """Between the others nothing moves, not even for tenants that never wrote."""
    before, after = by_weight(tenant_of(name), shards), by_weight(tenant_of(name), shards | {new})
    assert [shard for shard in after if shard != new] == [shard for shard in before if shard != new]


def test_tenants_are_spread_evenly() -> None:
    """Of 3,000 tenants each of five logs gets its fifth, within six standard deviations."""
    shards = [f"log-{number}" for number in range(5)]
    count = Counter(by_weight(Tenant(f"t{n}", "w", "d"), shards)[0] for n in range(3_000))
    assert set(count) == set(shards)
    assert all(abs(found - 600) < 6 * (3_000 * 0.2 * 0.8) ** 0.5 for found in count.values())


def test_the_rule_is_the_same_in_every_version() -> None:
    """Routers of two versions side by side place a new tenant alike."""
    shards = ["0ff1ce00-0000-4000-8000-00000000000" + digit for digit in "123"]
    assert [by_weight(Tenant(f"t{n}", "w", "d"), shards)[0][-1] for n in range(12)] == list("222111222212")


def test_sets_that_grew_are_told_from_those_that_grew_apart() -> None:
    """Only the latter may have given a tenant two homes."""
    a, ab, abc, ac = (frozenset(text) for text in ("a", "ab", "abc", "ac"))
    assert grew([])
    assert grew([abc, a, ab, ab])
    assert not grew([ab, ac, abc])
    assert missing([ab, ac], "a") == ["b", "c"]
    one, two = Tenant("one"), Tenant("two")
    assert in_two([("x", {one, two}), ("y", {two})]) == {two: ["x", "y"]}


def test_every_process_finds_the_same_home(engine: ShardedEngine, tmp_path: Path) -> None:
    """In another order, by another spelling of the URLs, before anything was written and after."""
    found = homes(engine)
    assert set(found.values()) == {"a", "b", "c"}
    for tenant in TENANTS[:9]:
        submit(engine, tenant)
    twisted = [f"sqlite:///{tmp_path}/../{tmp_path.name}/{name}.db" for name in "cab"]
    with redrive.open(twisted) as other:
        assert homes(other) == found


def test_one_more_log_moves_nobody_who_wrote(tmp_path: Path) -> None:
    """Those who never wrote may go to it, and a part of them does."""
    with redrive.open(urls(tmp_path)) as engine:
        for tenant in TENANTS[:20]:
            submit(engine, tenant)
        before = homes(engine)
    with redrive.open(urls(tmp_path, "dabc")) as engine:
        after = homes(engine)
        assert all(after[tenant] == before[tenant] for tenant in TENANTS[:20])
        assert {after[tenant] for tenant in TENANTS[20:] if after[tenant] != before[tenant]} == {"d"}
        submit(engine, next(tenant for tenant in TENANTS if after[tenant] == "d"))
