"""What is due, and what limits count, of runs that a process without the keys cannot read."""

from pathlib import Path

import pytest

import redrive
from redrive import Limit
from redrive.evidence.rebuilt import agenda_compared
from redrive.ledger.copying import copy_log
from redrive.ledger.urls import location_of
from tests.privacy.vault import FLOW, Vault
from tests.processes.workshop import ACME
from tests.stores import log_url


@pytest.fixture
def busy(vault: Vault) -> Vault:
    """One of two runs is being executed, and a limit allows no more."""
    vault.engine.set_limit(Limit("total", concurrency=1), actor="ana", reason="one at a time")
    for key in "kl":
        vault.submit(FLOW, key=key, subject="ana")
    vault.claim()
    return vault


def test_a_copy_without_the_keys_loses_no_work(busy: Vault, tmp_path: Path) -> None:
    """What is due there, and what is in use, is what it was here."""
    busy.engine.close()
    (tmp_path / "there").mkdir()
    copy_log(location_of(log_url(busy.path)), str(tmp_path / "there" / "log.db"))
    copy = f"sqlite:///{tmp_path / 'there' / 'log.db'}"
    with redrive.open(copy, clock=lambda: busy.now, privacy=redrive.Privacy(str(busy.keys))) as engine:
        assert agenda_compared(engine.ledger).state == "equal"
        assert engine.for_tenant(ACME).claim(worker="w") is None
        engine.remove_limit("total", actor="ana", reason="more at a time")
        assert engine.for_tenant(ACME).claim(worker="w") is not None
    busy.engine = busy._open()


def test_a_rebuild_without_the_keys_lets_nobody_exceed_a_limit(busy: Vault) -> None:
    """What cannot be counted stays counted."""
    with redrive.open(log_url(busy.path), clock=lambda: busy.now) as locked:
        locked.ledger.rebuild_agenda()
    busy.reopen()
    assert busy.acme.claim(worker="w") is None
    assert agenda_compared(busy.engine.ledger).state == "equal"


def test_nobody_without_the_keys_finds_limits_tampered_with(busy: Vault) -> None:
    """Unless less is in use than by those runs that can be read."""
    with redrive.open(log_url(busy.path), clock=lambda: busy.now) as locked:
        assert agenda_compared(locked.ledger).state == "equal"
        with locked.ledger.committer.writing() as writer:
            writer.execute("UPDATE capacity SET in_use = -1")
        assert agenda_compared(locked.ledger).state == "different"
    busy.engine.ledger.rebuild_agenda()
