"""Destroying a key among processes that are killed, and among others that are at work."""

import threading
from pathlib import Path

import pytest

import redrive
from redrive.domain.records import KeyDestroyed
from redrive.privacy.encryption import key_of_state
from tests.ledger.child import SERVER, stores
from tests.privacy.destroyer import STEPS, busy, destroy
from tests.privacy.vault import CANARY, FLOW, Vault
from tests.processes.workshop import ACME, until


def destroyed_in_another(folder: Path, step: str) -> int | None:
    """Have another process destroy the key; how it ended."""
    process = SERVER.Process(target=destroy, args=(folder, step, stores()))
    process.start()
    process.join(240)
    return process.exitcode


@pytest.mark.parametrize("step", STEPS)
def test_whoever_opens_the_log_next_finishes_it(vault: Vault, tmp_path: Path, step: str) -> None:
    """Whatever the process was killed in front of: all of it, or, before the intent, nothing."""
    run = vault.filled()
    vault.engine.close()
    assert destroyed_in_another(tmp_path, step) == -9
    vault.engine = vault._open()
    intended = step != "before the intent"
    assert sum(isinstance(event.event, KeyDestroyed) for event in vault.log()) == intended
    vault.engine.views.catch_up()
    assert (vault.found() == []) is intended
    assert (vault.run_status(run) == "cancelled") is intended
    assert vault.engine.privacy_status().unfinished == 0


@pytest.mark.parametrize("step", ["before the event", "before the views are purged"])
def test_an_open_engine_reads_nothing_meanwhile(vault: Vault, tmp_path: Path, step: str) -> None:
    """From the moment the key is gone, whoever else has the log open: nothing of it is decoded any more."""
    run = vault.filled()
    assert destroyed_in_another(tmp_path, step) == -9
    assert CANARY not in str(vault.acme.history(run))
    with pytest.raises(redrive.PayloadDestroyed):
        vault.submit(FLOW, key="k", input={"who": f"{CANARY}-input"})
    vault.engine.tick()  # finishes it
    assert vault.found() == []


def test_another_process_destroys(vault: Vault, tmp_path: Path) -> None:
    """Views and states of this one follow with the next query."""
    run = vault.filled()
    assert destroyed_in_another(tmp_path, "") == 0
    assert vault.acme.runs(text=CANARY).items == ()
    assert vault.run_status(run) == "cancelled"
    assert vault.found() == []


def test_nothing_is_encrypted_with_a_key_that_is_gone(vault: Vault, tmp_path: Path) -> None:
    """Other writers at full speed: after the event, no row holds a ciphertext of the destroyed key."""
    stop = threading.Event()
    worker = threading.Thread(target=lambda: busy(vault, stop.is_set))
    vault.submit(subject="ana")
    worker.start()
    assert destroyed_in_another(tmp_path, "") == 0
    until(lambda: vault.engine.privacy_status().keys >= 3)  # ana comes back, with a new key
    stop.set()
    worker.join()
    said = next(event for event in vault.log() if isinstance(event.event, KeyDestroyed))
    assert isinstance(said.event, KeyDestroyed)
    later = [row for row in vault.stored() if row[0] > said.position and key_of_state(row[4]) == said.event.key]
    assert all(b'"box":null' in row[4] for row in later)


def test_two_destroy_at_once(vault: Vault) -> None:
    """One event; the other one finds no key, or finishes the same."""
    vault.filled()
    second = Vault(vault.keys.parent)
    outcomes: list[object] = []

    def destroy(one: Vault) -> None:
        try:
            outcomes.append(one.destroy().key)
        except redrive.NotFound as error:
            outcomes.append(error)

    threads = [threading.Thread(target=destroy, args=(one,)) for one in (vault, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 2
    assert sum(isinstance(event.event, KeyDestroyed) for event in vault.log()) == 1
    assert second.engine.for_tenant(ACME).runs(text=CANARY).items == ()
    second.engine.close()
