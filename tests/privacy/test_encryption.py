"""Encrypted payloads: none in the log's file, all of them there for whoever has the key, none for whoever has not."""

from pathlib import Path
from typing import Any

import pydantic_core
import pytest

import redrive
from redrive import InvalidValue, KeyReused, PayloadLocked, Privacy, StorageError, StreamDamaged, Tenant
from redrive.domain.payloads import ENCRYPTED, KEYED, paths_of, value_at
from redrive.ledger.copying import copy_log
from redrive.privacy.encryption import key_of_state
from redrive.privacy.key_store import KeyStore
from tests.privacy.vault import CANARY, FLOW, Vault
from tests.processes.workshop import ACME, ONE, Shop, nothing_written
from tests.stores import in_postgres, location_of, log_url, outside, unguard


def states(vault: Vault, topic: str) -> list[dict[str, Any]]:
    """The stored states of a topic."""
    return [pydantic_core.from_json(row[4]) for row in vault.stored() if row[3].startswith(f"{topic}/")]


def forge(vault: Vault, change: str, *values: object) -> None:
    """Write to the log as somebody does who has the file."""
    with outside(vault.path) as connection:
        unguard(connection)
        connection.execute(change, values)


def test_no_payload_is_in_the_log(vault: Vault) -> None:
    """Nor in its write-ahead log; the views have them, as long as the key is there."""
    vault.filled()
    if not in_postgres():
        vault.engine.ledger.recorder.writer.execute("PRAGMA wal_checkpoint(FULL)")
    assert all(".views-" in name for name in vault.found())
    assert vault.acme.runs(text=f"{CANARY}-reason").items


def test_whoever_has_the_key_sees_everything(vault: Vault) -> None:
    """As if nothing were encrypted: also after a restart, when everything is decoded again."""
    run = vault.filled()
    before = vault.acme.history(run), vault.acme.show(run)
    vault.reopen()
    assert (vault.acme.history(run), vault.acme.show(run)) == before
    said = str(before)
    assert all(f"{CANARY}-{what}" in said for what in ("input", "request", "receipt", "reason", "note", "why"))


def test_the_same_key_is_the_same_run(vault: Vault) -> None:
    """Keyed digests are compared as digests are, before and after a restart."""
    run = vault.filled()
    vault.reopen()
    assert vault.submit(FLOW, key="k", input={"who": f"{CANARY}-input"}) == run
    nothing_written(vault, KeyReused, lambda: vault.submit(FLOW, key="k", input={"who": "somebody else"}))


def test_no_digest_can_be_guessed(vault: Vault) -> None:
    """Every digest of a payload in the log is keyed; what is plain says nothing about it."""
    vault.filled()
    for row in vault.stored():
        body = pydantic_core.from_json(row[4])
        for path in paths_of(row[3]).digests:
            assert str(value_at(body, path) or KEYED).startswith(KEYED)
        for path in paths_of(row[3]).payload:
            assert value_at(body, path) in (None, ENCRYPTED)


def test_all_of_a_run_is_encrypted_with_one_key(vault: Vault) -> None:
    """Its effects and dead letters too, whoever writes them; another subject has another key."""
    vault.filled("ana", "k1")
    assert len({key_of_state(row[4]) for row in vault.stored()} - {None}) == 1
    vault.filled("bob", "k2")
    assert len({key_of_state(row[4]) for row in vault.stored()} - {None}) == 2


def test_a_subject_of_another_tenant_is_somebody_else(vault: Vault) -> None:
    """Names are the tenants' own."""
    vault.filled("ana", "k1")
    vault.engine.local.submit(ONE, automation="x", subject="ana")
    assert vault.engine.privacy_status().keys == 2


def test_the_host_says_whom_a_run_is_about(tmp_path: Path) -> None:
    """By tenant and automation; None: its payload stays plain. Without a word, it is the tenant."""
    about = {"public": None, "nightly": "everybody"}
    privacy = Privacy(str(tmp_path / "keys"), subject_of=lambda tenant, automation: about[automation])
    shop = Shop(tmp_path / "log.db", privacy=privacy)
    for automation in about:
        shop.submit(automation=automation, input=f"in {automation}")
    first = [row[0] for row in shop.engine.ledger.recorder.writer.execute("SELECT state FROM events").fetchall()]
    assert [b"in public" in b"".join(first), b"in nightly" in b"".join(first)] == [True, False]
    assert shop.engine.destroy_key("everybody", tenant=ACME, actor="dpo", reason="x").cancelled == 1
    shop.engine.close()


def test_by_default_the_subject_is_the_tenant(vault: Vault) -> None:
    """One key for all of it."""
    vault.filled(subject=None)
    assert vault.destroy(str(ACME)).cancelled == 1


@pytest.mark.parametrize("subject", ["", " ", 5, "x" * 600])
def test_a_subject_is_a_name(vault: Vault, subject: Any) -> None:
    """What is none is refused before anything is written."""
    nothing_written(vault, InvalidValue, lambda: vault.submit(ONE, subject=subject))


@pytest.mark.parametrize("subject", [5, "", b"x"])
def test_what_the_host_says_is_checked(tmp_path: Path, subject: Any) -> None:
    """The command is refused; nothing is written in plain."""
    shop = Shop(tmp_path / "log.db", privacy=Privacy(str(tmp_path / "keys"), subject_of=lambda *_: subject))
    nothing_written(shop, InvalidValue, lambda: shop.submit(ONE, input=1))
    shop.engine.close()


def test_without_a_key_store_a_subject_is_refused(tmp_path: Path) -> None:
    """Else somebody would believe that it is encrypted."""
    shop = Shop(tmp_path / "log.db")
    nothing_written(shop, InvalidValue, lambda: shop.submit(ONE, subject="ana"))
    for call in (shop.engine.privacy_status, lambda: shop.engine.destroy_key("ana", actor="a", reason="b")):
        with pytest.raises(InvalidValue, match="privacy"):
            call()
    shop.engine.close()


def test_what_was_plain_stays_plain(tmp_path: Path) -> None:
    """A run that began before there were keys goes on as it began, to its end."""
    shop = Shop(tmp_path / "log.db")
    run = shop.submit(ONE, key="k", input="old")
    shop.options["privacy"] = Privacy(str(tmp_path / "keys"))
    shop.reopen()
    assert shop.submit(ONE, key="k", input="old") == run
    shop.acme.complete_attempt(shop.claim().attempts[0], "plain output")
    stored = shop.engine.ledger.recorder.writer.execute("SELECT state FROM events").fetchall()
    assert any(b"plain output" in state for (state,) in stored)
    shop.check()
    shop.engine.close()


# Without the key


@pytest.fixture
def locked(vault: Vault) -> Any:
    """The same log, opened without its keys."""
    vault.run = vault.filled()  # type: ignore[attr-defined]
    vault.queued = vault.submit(FLOW, input=CANARY)  # type: ignore[attr-defined]
    with redrive.open(log_url(vault.path)) as engine:
        yield engine


def test_without_the_key_names_and_states_are_seen(vault: Vault, locked: redrive.Engine) -> None:
    """Everything but the payloads; and the views of those who have the key are left alone."""
    run, acme = vault.run, locked.for_tenant(ACME)  # type: ignore[attr-defined]
    theirs = vault.engine.views.path
    assert [found.status for found in acme.runs().items] == [found.status for found in vault.acme.runs().items]
    history = str(acme.history(run))
    assert ENCRYPTED in history
    assert CANARY not in history
    assert locked.views.path != theirs
    assert vault.acme.runs(text=f"{CANARY}-reason").items


def test_without_the_key_nothing_is_decided(vault: Vault, locked: redrive.Engine) -> None:
    """No claim, no sweep, no operator: nothing is written."""
    acme, run = locked.for_tenant(ACME), vault.run  # type: ignore[attr-defined]
    before = vault.engine.ledger.last_position()
    assert acme.claim(worker="w") is None
    with pytest.raises(PayloadLocked, match="open the log with its key store"):
        acme.cancel(run, actor="a", reason="b")
    with pytest.raises(PayloadLocked):
        acme.submit(FLOW, automation="nightly", key="k", input={"who": f"{CANARY}-input"})
    locked.tick()
    assert vault.engine.ledger.last_position() == before


def test_without_the_key_nothing_begins_that_would_be_plain(tmp_path: Path) -> None:
    """Refused, and nothing is written, a run or an effect outside runs; what is plain already goes on; with the key
    store everything does."""
    shop = Shop(tmp_path / "log.db")
    run = shop.submit(ONE)
    shop.engine.close()
    keys = Privacy(tmp_path / "keys")
    redrive.open(log_url(shop.path), privacy=keys).close()
    shop.engine = shop._open()
    for begin in (
        lambda: shop.acme.submit(ONE, automation="x", input=CANARY),
        lambda: shop.acme.effect("k", operation="POST /pay", request=CANARY, send=lambda: CANARY),
    ):
        refused = nothing_written(shop, PayloadLocked, begin)
        assert "setting key_store" in str(refused)
    assert shop.claim().run_id == run
    shop.engine.close()
    shop.options["privacy"] = keys
    shop.engine = shop._open()
    assert shop.acme.submit(ONE, automation="x", input=CANARY)
    shop.engine.close()


def test_who_opened_before_there_were_keys_must_open_again(tmp_path: Path) -> None:
    """Else it would write placeholders into the views of the others."""
    old = Shop(tmp_path / "log.db")
    new = Shop(tmp_path / "log.db", privacy=Privacy(str(tmp_path / "keys")))
    new.submit(ONE, input=CANARY)
    with pytest.raises(StorageError, match="open it anew"):
        old.acme.runs()
    assert new.acme.runs().items
    for shop in (old, new):
        shop.engine.close()


def test_a_copy_without_a_key_store_is_read_without(vault: Vault, tmp_path: Path) -> None:
    """Rows that were copied elsewhere, as an auditor gets them."""
    run = vault.filled()
    copy_log(location_of(vault.path), location_of(tmp_path / "copy.db"))
    with outside(tmp_path / "copy.db") as copy:
        copy.execute("DELETE FROM meta WHERE name = 'key_store'")
    with redrive.open(log_url(tmp_path / "copy.db")) as engine:
        assert ENCRYPTED in str(engine.for_tenant(ACME).history(run))
        assert engine.for_tenant(ACME).runs().items[0].last_failure_reason == ENCRYPTED


def test_a_log_has_one_key_store(vault: Vault, tmp_path: Path) -> None:
    """Another one, or none where it was, is refused before a second is made."""
    vault.filled()
    url = log_url(vault.path)
    with pytest.raises(StorageError, match="is missing"):
        redrive.open(url, privacy=Privacy(str(tmp_path / "none")))
    assert not (tmp_path / "none").exists()
    other = Shop(tmp_path / "other.db", privacy=Privacy(str(tmp_path / "theirs")))
    with pytest.raises(StorageError, match="key store of another log"):
        redrive.open(url, privacy=Privacy(str(tmp_path / "theirs")))
    other.engine.close()


def spoiled(folder: Path, how: str) -> Privacy:
    """A key store that is refused."""
    keys, master = folder / "k", folder / "master"
    master.write_bytes(b"x" * (31 if how == "bad master key" else 32))
    if how == "text":
        keys.write_text("no database at all" * 40)
        keys.chmod(0o600)
    if how in ("others may read", "no master key"):
        KeyStore(str(keys), None if how == "others may read" else str(master)).close()
        keys.chmod(0o644 if how == "others may read" else 0o600)
    if how == "no folder":
        keys = folder / "no" / "k"
    return Privacy(keys, master_key=master if how == "bad master key" else None)


@pytest.mark.parametrize("how", ["text", "others may read", "no master key", "bad master key", "no folder"])
def test_a_refused_key_store_makes_no_log(tmp_path: Path, how: str) -> None:
    """Nothing is left that somebody would take for a log; with a good one it is made."""
    privacy, before = spoiled(tmp_path, how), sorted(tmp_path.iterdir())
    with pytest.raises(StorageError):
        redrive.open(log_url(tmp_path / "log.db"), privacy=privacy)
    assert sorted(tmp_path.iterdir()) == before
    redrive.open(log_url(tmp_path / "log.db"), privacy=Privacy(tmp_path / "good")).close()


# What was changed in the file


def test_a_ciphertext_that_was_changed_is_damage(vault: Vault) -> None:
    """Whoever decides says so; who reads sees the event as one that cannot be read; all else works."""
    run = vault.filled()
    row = next(row for row in vault.stored() if row[3].startswith("run.note-added/"))
    box = pydantic_core.from_json(row[4])["encrypted"]["box"].encode()
    changed = row[4].replace(box, box[:-4] + b"AAAA")
    forge(vault, "UPDATE events SET state = ? WHERE position = ?", changed, row[0])
    vault.reopen()
    other = vault.submit(ONE, input="fine")
    with pytest.raises(StreamDamaged, match="does not decrypt: it was changed"):
        vault.acme.resume(run, actor="a", reason="b")
    assert vault.claim().run_id == other
    assert vault.engine.ledger.read(row[0] - 1, 1)[0].topic == "run.note-added"
    forge(vault, "UPDATE events SET state = ? WHERE position = ?", row[4], row[0])


def test_a_ciphertext_does_not_open_elsewhere(vault: Vault) -> None:
    """A state that was copied to another event of the same subject is damage, not that event."""
    run = vault.filled()
    other = vault.submit(FLOW, subject="ana", input={"who": "other"})
    rows = {row[1]: row for row in vault.stored() if row[3].startswith("run.submitted/")}
    forge(vault, "UPDATE events SET state = ? WHERE position = ?", rows[run][4], rows[other][0])
    vault.reopen()
    with pytest.raises(StreamDamaged, match="moved from another event"):
        vault.acme.cancel(other, actor="a", reason="b")
    forge(vault, "UPDATE events SET state = ? WHERE position = ?", rows[other][4], rows[other][0])


@pytest.mark.parametrize("box", [b"5", b"null", b"[]", b'{"key":5}', b'{"key":[],"box":""}', b'{"key":"x"}', b'"open"'])
def test_a_box_that_makes_no_sense_is_no_crash(vault: Vault, box: bytes) -> None:
    """Hostile bytes in the place of the ciphertext: refused with a sentence, never a traceback of something else."""
    run = vault.filled()
    row = next(row for row in vault.stored() if row[3].startswith("run.submitted/"))
    body = row[4].replace(row[4][: row[4].index(b"}") + 1], b'{"encrypted":' + box)
    forge(vault, "UPDATE events SET state = ? WHERE position = ?", body, row[0])
    vault.reopen()
    with pytest.raises((StreamDamaged, PayloadLocked)):
        vault.acme.cancel(run, actor="a", reason="b")
    assert vault.acme.history(run).items
    forge(vault, "UPDATE events SET state = ? WHERE position = ?", row[4], row[0])


def test_two_tenants_named_alike_share_nothing(vault: Vault) -> None:
    """A destruction is of one tenant's subject."""
    vault.filled("ana", "k1")
    theirs = vault.engine.for_tenant(Tenant("other"))
    run = theirs.submit(ONE, automation="x", subject="ana", input="theirs")
    vault.destroy("ana")
    assert "theirs" in str(theirs.history(run))
