"""Which logs belong together: on record in each, never fewer, and never with a tenant in two of them."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive import InvalidValue, ShardMissing, StorageError, WrongShard
from redrive.domain.records import ShardsRecorded, TenantPlaced
from redrive.ledger.ledger import LogLedger
from redrive.sharding import shard_set
from tests.processes.workshop import ONE
from tests.sharding.shards import TENANTS, check, facts, home, homes, submit, urls


def copy(source: Path, target: Path) -> None:
    """An online backup."""
    with closing(sqlite3.connect(source)) as log, closing(sqlite3.connect(target)) as copied:
        log.backup(copied)


def test_a_missing_log_is_refused_by_its_id(tmp_path: Path) -> None:
    """Whatever subset is given; nothing is placed elsewhere because of that."""
    with redrive.open(urls(tmp_path)) as engine:
        ids = {Path(shard.ledger.path).stem: shard.ledger.id for shard in engine.shards}
    for names, lacking in (("ab", "c"), ("c", "ab"), ("abd", "c")):
        with pytest.raises(ShardMissing, match="shares its tenants with") as refused:
            redrive.open(urls(tmp_path, names))
        assert refused.value.missing == tuple(sorted(ids[name] for name in lacking))


def test_what_cannot_be_opened_opens_nothing(tmp_path: Path) -> None:
    """The engines before it are closed again."""
    (tmp_path / "b.db").write_text("no database at all, but long enough to be taken for one" * 50)
    with pytest.raises(StorageError):
        redrive.open(urls(tmp_path))
    with redrive.open(urls(tmp_path)[0]) as alone:
        assert facts(alone, ShardsRecorded) == []


@pytest.mark.parametrize("given", [[], [3], ["sqlite:///a.db", None], ["a", "b"]])
def test_bad_lists_are_refused(given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is recorded."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidValue, match=r"^db: "):
        redrive.open(given)


def test_a_log_and_its_copy_are_no_two_logs(tmp_path: Path) -> None:
    """They have one identity; each would take in the other's tenants."""
    with redrive.open(urls(tmp_path)[0]) as alone:
        submit(alone, TENANTS[0])
    copy(tmp_path / "a.db", tmp_path / "b.db")
    for names in ("ab", "aa"):
        with pytest.raises(InvalidValue, match="it is the same, or a copy of it"):
            redrive.open(urls(tmp_path, names))


@pytest.mark.parametrize("option", [{"pin_file": "x.pin"}, {"limits": [redrive.Limit("total", "", 3)]}])
def test_what_is_meant_for_one_log_is_refused(tmp_path: Path, option: dict[str, object]) -> None:
    """A limit would hold three times, a pin would be written by three."""
    with pytest.raises(InvalidValue, match="shards"):
        redrive.open(urls(tmp_path), **option)  # type: ignore[call-overload]


def test_views_in_one_folder_need_names_of_their_own(tmp_path: Path) -> None:
    """Two logs of one name would fold one file anew by turns."""
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
    given = [f"sqlite:///{tmp_path / name}/log.db" for name in ("x", "y")]
    with pytest.raises(InvalidValue, match=r"^views: "):
        redrive.open(given, views=str(tmp_path))
    redrive.open(given).close()


def test_logs_with_a_past_keep_their_tenants(tmp_path: Path) -> None:
    """Two that stood alone are opened together: whoever wrote is at home where it wrote."""
    for name, tenants in (("a", TENANTS[:10]), ("b", TENANTS[10:20])):
        with redrive.open(urls(tmp_path, name)[0]) as alone:
            for tenant in tenants:
                submit(alone, tenant)
    with redrive.open(urls(tmp_path)) as engine:
        found = homes(engine)
        assert {found[tenant] for tenant in TENANTS[:10]} == {"a"}
        assert {found[tenant] for tenant in TENANTS[10:20]} == {"b"}
        check(engine)


@pytest.mark.parametrize("sets", [("a", "b"), ("ab", "cd")])
def test_a_tenant_of_two_logs_is_named_and_refused(tmp_path: Path, sets: tuple[str, str]) -> None:
    """Which of its histories goes on, nobody could tell; nothing is recorded."""
    for names in sets:
        with redrive.open(urls(tmp_path, names)) as engine:
            submit(engine, TENANTS[0])
    together = "".join(sets)
    with pytest.raises(InvalidValue, match=str(TENANTS[0])):
        redrive.open(urls(tmp_path, together))
    for names in sets:
        redrive.open(urls(tmp_path, names)).close()


def test_two_sets_become_one_when_they_share_no_tenant(tmp_path: Path) -> None:
    """Each tenant stays where it is."""
    for names, tenants in (("ab", TENANTS[:10]), ("cd", TENANTS[10:20])):
        with redrive.open(urls(tmp_path, names)) as engine:
            for tenant in tenants:
                submit(engine, tenant)
    with redrive.open(urls(tmp_path, "dcba")) as engine:
        assert {home(engine, tenant) for tenant in TENANTS[:10]} <= set("ab")
        assert {home(engine, tenant) for tenant in TENANTS[10:20]} <= set("cd")
        check(engine)


@pytest.mark.parametrize("after", range(4))
def test_a_crash_while_the_set_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Recorded in some logs and not in others: whoever opens all of them finishes it, whoever opens fewer is
    refused."""
    with redrive.open(urls(tmp_path, "ab")) as engine:
        submit(engine, TENANTS[0])
    transact, count = LogLedger.transact, iter(range(10))

    def crashing(*args: object) -> object:
        if next(count) == after:
            raise KeyboardInterrupt
        return transact(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(LogLedger, "transact", crashing)
        with pytest.raises(KeyboardInterrupt):
            redrive.open(urls(tmp_path, "abcd"))
    if after:
        with pytest.raises(ShardMissing):
            redrive.open(urls(tmp_path, "ab"))
    with redrive.open(urls(tmp_path, "dbca")) as engine:
        submit(engine, TENANTS[1])
        check(engine)


def test_a_log_restored_from_before_it_had_company(tmp_path: Path) -> None:
    """Its record of the set is gone: those who wrote before are placed again, those who wrote after begin anew."""
    with redrive.open(urls(tmp_path)[0]) as alone:
        submit(alone, TENANTS[0])
    copy(tmp_path / "a.db", tmp_path / "backup.db")
    with redrive.open(urls(tmp_path)) as engine:
        late = next(tenant for tenant in TENANTS[1:] if home(engine, tenant) == "a")
        for tenant in TENANTS:
            submit(engine, tenant)
        before = homes(engine)
    for left in tmp_path.glob("a.db*"):
        left.unlink()
    shutil.copy(tmp_path / "backup.db", tmp_path / "a.db")
    with redrive.open(urls(tmp_path)) as engine:
        assert homes(engine) == before
        assert engine.for_tenant(late).runs().items == ()
        submit(engine, late)
        check(engine)


def test_a_log_restored_from_before_the_set_grew(tmp_path: Path) -> None:
    """A smaller set on record is brought up again; whoever gives only that set is refused by the others."""
    with redrive.open(urls(tmp_path)) as engine:
        submit(engine, TENANTS[0])
    copy(tmp_path / "a.db", tmp_path / "backup.db")
    with redrive.open(urls(tmp_path, "abcd")) as engine:
        before = homes(engine)
    for left in tmp_path.glob("a.db*"):
        left.unlink()
    shutil.copy(tmp_path / "backup.db", tmp_path / "a.db")
    with pytest.raises(ShardMissing):
        redrive.open(urls(tmp_path))
    with redrive.open(urls(tmp_path, "abcd")) as engine:
        assert homes(engine) == before
        assert len(facts(engine.shards[0], TenantPlaced)) == (before[TENANTS[0]] == "a")
        check(engine)


def test_a_log_that_is_restored_under_a_router_keeps_no_tenant_that_another_took_in(tmp_path: Path) -> None:
    """A router that remembers where everybody is at home, and one that was opened after the restore: a run of one key
    ran twice, in two logs."""
    with redrive.open(urls(tmp_path, "ab")) as small:
        copy(tmp_path / "a.db", tmp_path / "backup.db")
        for tenant in TENANTS:
            submit(small, tenant)
        before = homes(small)
    with redrive.open(urls(tmp_path, "abcd")) as old:
        known = {tenant: old.for_tenant(tenant) for tenant, at in before.items() if at == "a"}
        copy(tmp_path / "backup.db", tmp_path / "a.db")
        for acme in known.values():
            with pytest.raises(WrongShard):
                acme.submit(ONE, automation="nightly", key="k")
        with redrive.open(urls(tmp_path, "abcd")) as new:
            moved = [tenant for tenant in known if home(new, tenant) != "a"]
            for tenant in moved:
                submit(new, tenant)
            for tenant in moved:
                with pytest.raises(WrongShard):
                    known[tenant].submit(ONE, automation="nightly", key="k")
                submit(old, tenant)
            assert moved
            check(new)


def test_a_log_that_is_restored_under_a_router_to_before_it_had_company(tmp_path: Path) -> None:
    """It takes in nobody, by whoever knew it with others, until all are opened together."""
    with redrive.open(urls(tmp_path)[0]) as alone:
        submit(alone, TENANTS[0])
    copy(tmp_path / "a.db", tmp_path / "backup.db")
    with redrive.open(urls(tmp_path)) as old:
        late = next(tenant for tenant in TENANTS[1:] if home(old, tenant) == "a")
        submit(old, late)
        copy(tmp_path / "backup.db", tmp_path / "a.db")
        for tenant in (TENANTS[0], late):
            with pytest.raises(WrongShard, match="is gone: open them anew"):
                submit(old, tenant, "more")
        assert facts(old.shards[0], TenantPlaced) == []
        with redrive.open(urls(tmp_path)) as new:
            submit(old, late)
            check(new)


def test_who_writes_while_logs_are_brought_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has one of them open for itself: its tenants are found, and from then on it takes in no more."""
    look = shard_set._require_one_home
    with redrive.open(urls(tmp_path)[0]) as alone:
        submit(alone, TENANTS[0])

        def then_written(found: Any) -> None:
            look(found)
            monkeypatch.setattr(shard_set, "_require_one_home", look)
            submit(alone, TENANTS[1])

        monkeypatch.setattr(shard_set, "_require_one_home", then_written)
        with redrive.open(urls(tmp_path)) as engine:
            assert {home(engine, tenant) for tenant in TENANTS[:2]} == {"a"}
            with pytest.raises(WrongShard):
                submit(alone, TENANTS[2])
            submit(alone, TENANTS[1], "more")
            check(engine)
