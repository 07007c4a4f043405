"""A commit that fails is no guide to keys: others may begin the same records meanwhile, for somebody else."""

import sqlite3

import pytest

from redrive import StorageError
from tests.privacy.vault import CANARY, FLOW, Vault
from tests.processes.workshop import ACME


@pytest.fixture
def undone(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """A submission of Ana's was encrypted, and not written."""

    def full() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(vault.engine.ledger.recorder, "commit", full)
        with pytest.raises(StorageError):
            vault.submit(FLOW, key="k", subject="ana")
    return vault


def test_a_run_that_somebody_else_begins_has_the_key_it_began_with(undone: Vault) -> None:
    """What this process writes to it is erased with it."""
    with undone._open() as other:
        other.for_tenant(ACME).submit(FLOW, automation="nightly", key="k", subject="bob")
    undone.acme.complete_attempt(undone.claim().attempts[0], {"secret": CANARY})
    undone.destroy("bob")
    undone.reopen()
    assert CANARY not in str(undone.log())
    assert undone.found() == []
