"""Forensics on a log with sealed payloads: with the keys, without them, and after a key is destroyed."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import redrive
from redrive import Failure
from redrive.domain.payloads import DESTROYED, ENCRYPTED
from redrive.domain.retry_policy import Backoff
from redrive.forensics.decided_again.retrial import ERASED
from tests.privacy.vault import CANARY, Vault
from tests.processes.workshop import ACME, ANA, ONE, beside, policy
from tests.stores import log_url

NOTE: dict[str, Any] = {"actor": "ana", "reason": f"{CANARY} asked"}


def busy(vault: Vault) -> None:
    """Ana's runs: one failed and resumed, one retried with an effect whose outcome nobody knew for a while. Outside of
    runs, about nobody but the tenant: an effect that ended silently."""
    vault.acme.resume(vault.filled("ana", "first"), **ANA)
    vault.submit(beside("a", retry=policy(3, delay_ms=1)), subject="ana", input=CANARY)
    attempt = vault.claim().attempts[0]
    standing = vault.begun(attempt)
    vault.now += 2_000_000
    vault.engine.tick()
    vault.acme.reconcile_effect(standing.id, "succeeded", receipt={"iban": CANARY}, **NOTE)
    vault.now += 10_000
    vault.acme.fail_attempt(vault.claim().attempts[0], Failure("provider_transient", CANARY))
    noted(vault)
    vault.begun(None, "noticed by the next")
    vault.now += 2_000_000
    vault.begun(None, "noticed by the next")
    vault.begun(None, "given up")
    vault.now += 2_000_000
    vault.engine.tick()


def noted(vault: Vault) -> None:
    """Notes about an effect of a run, and about an event of it."""
    vault.acme.annotate(vault.acme.effects().items[0].id, f"{CANARY} of an effect", **NOTE)
    vault.acme.annotate("pos:4", f"{CANARY} of an event", **NOTE)


@contextmanager
def read(vault: Vault, state: str) -> Iterator[redrive.Engine]:
    """The log, with its keys at hand, without them (locked), or destroyed."""
    if state == "destroyed":
        vault.destroy()
        with suppress(redrive.NotFound):  # of the tenant, when something was about nobody else
            vault.destroy(str(ACME))
    if state != "locked":
        yield vault.engine
        return
    with closing(redrive.open(log_url(vault.path), clock=lambda: vault.now)) as engine:
        yield engine


STATES = pytest.mark.parametrize("state", ["at hand", "locked", "destroyed"])


def test_notes_are_sealed_with_the_key_of_their_run(vault: Vault) -> None:
    """And gone with it."""
    run = vault.filled()
    noted(vault)
    vault.engine.views.catch_up()
    assert not {"log.db", "log.db-wal"} & {*vault.found()}
    assert f"{CANARY} of an event" in str(vault.acme.timeline(run).entries)
    vault.destroy()
    assert vault.found() == []
    assert [r.event.text for r in vault.log() if r.topic == "note.written"] == [DESTROYED] * 2  # type: ignore[union-attr]


@STATES
def test_a_replay_check_raises_no_false_alarm(vault: Vault, state: str) -> None:
    """Digests that nobody can make again, and payloads that are gone, are no drift."""
    busy(vault)
    with read(vault, state) as engine:
        report = engine.replay_check()
        assert report.same, report.first
        assert {"submit", "fail", "intend effect", "effect unknown", "reconcile"} <= report.checked.keys()


@STATES
def test_drift_is_found_all_the_same(vault: Vault, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, times and verdicts are not sealed."""
    busy(vault)
    with read(vault, state) as engine:
        monkeypatch.setattr(Backoff, "delay_ms", lambda _self, number: 1_500 * number)
        first = engine.replay_check().first
        assert first is not None
        assert {path.rpartition(".")[2] for path in first.fields} >= {"delay_ms"}


@STATES
def test_what_if_parts_no_run_but_those_that_the_policy_concerns(vault: Vault, state: str) -> None:
    """The destruction itself, notes and anchors are taken as they are."""
    busy(vault)
    with read(vault, state) as engine, engine.what_if({"version": 1}) as answer:
        assert answer.report.runs_that_differ == 0


def test_what_was_decided_without_the_payload_is_taken_as_it_is(vault: Vault) -> None:
    """Which effects a cancellation finds depends on what could be read then: no rule says it afterwards."""
    vault.submit(ONE, subject="ana")
    vault.begun(vault.claim().attempts[0])
    vault.destroy()
    for engine in (vault.engine, redrive.open(log_url(vault.path), clock=lambda: vault.now)):
        report = engine.replay_check()
        assert report.same
        assert report.given[ERASED] == 1
    engine.close()


@STATES
def test_a_bundle_of_encrypted_payloads_can_be_opened(vault: Vault, tmp_path: Path, state: str) -> None:
    """It holds what is stored: ciphertexts. Its timelines say what happened, not what was said."""
    run = vault.filled()
    vault.engine.seal()
    with read(vault, state) as engine:
        engine.export(tmp_path / "case.tar", run=run)
    assert CANARY.encode() not in (tmp_path / "case.tar").read_bytes()
    with closing(redrive.open_bundle(tmp_path / "case.tar")) as opened:
        told = opened.for_tenant(ACME).timeline(run)
        assert told.status == vault.acme.show(run).status
        assert ENCRYPTED in str(told)
        assert opened.replay_check().same
