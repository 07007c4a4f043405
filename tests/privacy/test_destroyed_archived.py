"""A key that is destroyed through a copy of the log, after all that it encrypted was archived."""

from contextlib import closing
from pathlib import Path

import pytest

import redrive
from redrive import ArchiveUnreadable
from redrive.ledger.copying import copy_log
from tests.privacy.vault import ERASE, Vault
from tests.processes.workshop import ACME, ANA
from tests.stores import location_of, log_url


@pytest.fixture(name="archive")
def _archive(vault: Vault, tmp_path: Path) -> Path:
    """Where the run of ana lies, of whom the views here tell, and whose key is gone by way of a copy."""
    run = vault.filled()
    vault.acme.ignore(vault.the_letter(), **ANA)
    vault.acme.cancel(run, **ANA)
    archive = tmp_path / "old.archive"
    assert vault.engine.archive(older_than_ms=0, to=str(archive), **ANA).runs == 1
    vault.engine.close()
    (tmp_path / "copy").mkdir()
    copy = tmp_path / "copy" / "log.db"
    copy_log(location_of(vault.path), location_of(copy))
    privacy, views = redrive.Privacy(str(vault.keys)), str(tmp_path / "copy")
    with closing(redrive.open(log_url(copy), privacy=privacy, views=views)) as engine:
        engine.destroy_key("ana", tenant=ACME, **ERASE)
    return archive


def test_the_log_it_was_copied_from_follows(vault: Vault, archive: Path) -> None:
    """As soon as it is opened: it says so, and its views are folded anew."""
    vault.engine = vault._open()
    assert archive.exists()
    assert vault.found() == []
    assert [event.topic for event in vault.log()][-1] == "log.key-destroyed"


def test_it_follows_later_where_the_archive_is_elsewhere(vault: Vault, archive: Path) -> None:
    """Whose it was is not to be told without it; it is asked again with each tick."""
    away = archive.rename(archive.with_suffix(".away"))
    vault.engine = vault._open()
    with pytest.raises(ArchiveUnreadable):
        vault.log()
    away.rename(archive)
    vault.engine.tick()
    assert vault.found() == []
