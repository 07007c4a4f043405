"""The key store: private, durable, shared by processes, and without a trace of what was destroyed."""

import sqlite3
from pathlib import Path

import pytest

from redrive import StorageError, Tenant
from redrive.privacy.cipher import Cipher
from redrive.privacy.key_store import Intent, KeyStore
from tests.processes.workshop import ACME


def secret_of(path: Path) -> bytes:
    """The key as it lies in the file."""
    with sqlite3.connect(path) as connection:
        secret: bytes = connection.execute("SELECT secret FROM keys").fetchone()[0]
    return secret


def test_a_subject_has_one_key(tmp_path: Path) -> None:
    """Of its own tenant; whoever asks, in whatever process."""
    one, other = KeyStore(str(tmp_path / "k")), KeyStore(str(tmp_path / "k"))
    ana = one.subject_of(ACME, "ana")
    assert ana == other.subject_of(ACME, "ana") != one.subject_of(Tenant(), "ana")
    assert one.key_for(ana, 1) == other.key_for(ana, 2)
    assert isinstance(other.cipher(one.key_for(ana, 1)), Cipher)
    assert one.cipher("unheard of") is None


def test_the_name_of_a_subject_is_not_in_the_file(tmp_path: Path) -> None:
    """Nor what it is called in another log."""
    store = KeyStore(str(tmp_path / "k"))
    store.key_for(store.subject_of(ACME, "ana.banana"), 1)
    assert b"ana.banana" not in (tmp_path / "k").read_bytes()
    assert KeyStore(str(tmp_path / "l")).subject_of(ACME, "ana.banana") != store.subject_of(ACME, "ana.banana")


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_destroyed_key_leaves_no_trace(tmp_path: Path, wrapped: bool) -> None:
    """Neither in the file nor beside it; and it stays destroyed."""
    (tmp_path / "master").write_text("ab" * 32)
    store = KeyStore(str(tmp_path / "k"), str(tmp_path / "master") if wrapped else None)
    subject = store.subject_of(ACME, "ana")
    key = store.key_for(subject, 1)
    secret = secret_of(tmp_path / "k")
    store.destroy(key, 5)
    store.destroy(key, 6)
    assert not [path for path in tmp_path.iterdir() if secret in path.read_bytes()]
    assert (store.cipher(key), store.in_use(subject), store.keys()[0].destroyed_ms) == ("destroyed", None, 5)
    assert store.key_for(subject, 7) != key  # who comes back is encrypted with a new one


def test_another_process_notices(tmp_path: Path) -> None:
    """What it keeps in memory is to be asked for again."""
    one, other = KeyStore(str(tmp_path / "k")), KeyStore(str(tmp_path / "k"))
    other.moved()
    assert not other.moved()
    one.destroy(one.key_for("ana", 1), 2)
    assert other.moved()
    assert not other.moved()


def test_an_intent_stays_until_it_is_finished(tmp_path: Path) -> None:
    """Also when the process ends in between; the first one to intend it is the one that is named."""
    store = KeyStore(str(tmp_path / "k"))
    store.intend(Intent("k1", "a/b/c", "{}", "why", 1))
    store.intend(Intent("k1", "a/b/c", "{}", "again", 2))
    store.close()
    again = KeyStore(str(tmp_path / "k"))
    assert again.intents() == [Intent("k1", "a/b/c", "{}", "why", 1)]
    again.finish("k1")
    assert again.intents() == []


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    """A key that others have read is none."""
    path = tmp_path / "k"
    KeyStore(str(path)).close()
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(StorageError, match="others may read the key store"):
        KeyStore(str(path))


def test_what_is_no_key_store_is_left_alone(tmp_path: Path) -> None:
    """Not even a table is added to it."""
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("CREATE TABLE t (x)")
    (tmp_path / "text").write_text("hello, this is no database at all" * 40)
    for name, why in (
        ("other", "not a redrive key store"),
        ("text", "cannot be used"),
        ("no/such", "cannot be opened"),
    ):
        if (tmp_path / name).exists():
            (tmp_path / name).chmod(0o600)
        with pytest.raises(StorageError, match=why):
            KeyStore(str(tmp_path / name))


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33, b"zz" * 32])
def test_a_bad_master_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """32 bytes or 64 hexadecimal digits; and a file that exists."""
    (tmp_path / "master").write_bytes(content)
    with pytest.raises(StorageError, match="a master key is 32 bytes"):
        KeyStore(str(tmp_path / "k"), str(tmp_path / "master"))
    with pytest.raises(StorageError, match="cannot be read"):
        KeyStore(str(tmp_path / "k"), str(tmp_path / "none"))


def test_a_master_key_is_needed_for_ever(tmp_path: Path) -> None:
    """Without it, or with another one, no key is handed out; and none is added to a store that has none."""
    for name, char in (("one", b"1"), ("two", b"2")):
        (tmp_path / name).write_bytes(char * 32)
    store = KeyStore(str(tmp_path / "k"), str(tmp_path / "one"))
    key = store.key_for("ana", 1)
    with pytest.raises(StorageError, match="needs its master key"):
        KeyStore(str(tmp_path / "k"))
    with pytest.raises(StorageError, match="another master key"):
        KeyStore(str(tmp_path / "k"), str(tmp_path / "two")).cipher(key)
    KeyStore(str(tmp_path / "plain")).close()
    with pytest.raises(StorageError, match="no master key wraps"):
        KeyStore(str(tmp_path / "plain"), str(tmp_path / "one"))
