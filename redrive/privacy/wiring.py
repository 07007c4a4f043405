"""How a log and its key store find each other when the log is opened."""

from pathlib import Path
from typing import TYPE_CHECKING

from redrive.domain.errors import StorageError
from redrive.domain.identity import Tenant
from redrive.ledger.ledger import LogLedger
from redrive.ledger.storage_errors import storage_errors
from redrive.projections.logs import log

if TYPE_CHECKING:
    from redrive.privacy.encryption import Encryption
    from redrive.privacy.key_store import KeyStore
    from redrive.privacy.options import Privacy

_META = "key_store"
_PAIR = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO NOTHING"


def key_store_id(ledger: LogLedger) -> str | None:
    """The id of the key store that the log was first opened with; None when nothing was ever encrypted."""
    with storage_errors(ledger.path):
        row = ledger.recorder.reader().execute("SELECT value FROM meta WHERE name = ?", (_META,)).fetchone()
    return None if row is None else str(row[0])


def require_usable(privacy: "Privacy") -> None:
    """Raises StorageError for a key store that cannot be used: before a log is made for it."""
    from redrive.privacy.key_store import KeyStore

    KeyStore.require_usable(*_files(privacy))


def attach(ledger: LogLedger, privacy: "Privacy | None") -> "Encryption | None":
    """Have the ledger encrypt and decrypt payloads. Without *privacy*, a log with encrypted ones is readable in
    part, and nothing new begins in it.

    Raises InvalidValue, StorageError when the key store is missing, or another log's.
    """
    known = key_store_id(ledger)
    if privacy is None:
        ledger.locked = ledger.recorder.keys_away = known is not None
        if ledger.locked:
            log.warning("privacy.locked", path=ledger.path, key_store=known)
        return None
    from redrive.privacy.encryption import Encryption
    from redrive.privacy.key_store import KeyStore

    if known is not None and not Path(privacy.keys).exists():
        raise StorageError(
            f"{privacy.keys}: the key store of this log is missing; without it nothing encrypted is readable"
        )
    keys = KeyStore(*_files(privacy))
    try:
        if known is None:
            known = _paired(ledger, keys.id)
        _require_same(keys, known)
        encryption = Encryption(ledger.recorder, keys, privacy.subject_of or _tenant, ledger.now_ms)
    except BaseException:
        keys.close()
        raise
    ledger.recorder.encryption = encryption
    return encryption


def _files(privacy: "Privacy") -> tuple[str, str | None]:
    return str(privacy.keys), None if privacy.master_key is None else str(privacy.master_key)


def _require_same(keys: "KeyStore", known: str) -> None:
    if known != keys.id:
        raise StorageError(f"{keys.path}: this is the key store of another log (its id is not {known})")


def _paired(ledger: LogLedger, key_store: str) -> str:
    with ledger.committer.writing() as writer:
        writer.execute(_PAIR, (_META, key_store))
    return key_store_id(ledger) or key_store


def _tenant(tenant: Tenant, _automation: str) -> str:
    return str(tenant)
