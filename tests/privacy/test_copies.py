"""Copies of payloads that are being made while a key is destroyed, or that a process left behind that was killed."""

import pytest

import redrive
from redrive.evidence import rebuilt
from redrive.forensics import checkpoints, private
from redrive.forensics.checkpoints import ViewCheckpoints
from redrive.forensics.past import keep_checkpoints
from tests.privacy.vault import ERASE, Vault
from tests.processes.workshop import ACME
from tests.stores import log_url

OF_OTHERS = private.PrivateFolder


def test_a_view_checkpoint_in_the_making_is_not_kept(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its events were folded before another process destroyed the key; it is written after."""
    vault.filled()
    monkeypatch.setattr(checkpoints, "LEAST_EVERY", 9)
    monkeypatch.setattr(ViewCheckpoints, "keep", destroying(vault, ViewCheckpoints.keep))
    monkeypatch.setattr(private, "PrivateFolder", lambda _live: OF_OTHERS(None))  # where nobody removes it
    keep_checkpoints(vault.engine, 9)
    monkeypatch.undo()
    vault.engine.views.catch_up()
    assert vault.engine.privacy_status().destroyed == 1
    assert vault.found() == []
    assert vault.engine.at("pos:10", checkpoint_events=9).local is not None


def destroying(vault: Vault, then: object) -> object:
    """Another process destroys ana's key, once, before something is done."""
    done: list[int] = []

    def do(self: object, *arguments: object) -> object:
        if not done:
            done.append(1)
            other = redrive.open(log_url(vault.path), privacy=redrive.Privacy(str(vault.keys)))
            other.destroy_key("ana", tenant=ACME, **ERASE)
            other.close()
        return then(self, *arguments)  # type: ignore[operator]

    return do


def test_a_what_if_that_was_never_closed_leaves_nothing(vault: Vault) -> None:
    """Its process was killed: what it folded lies where a destruction finds it."""
    vault.filled()
    answer = vault.engine.what_if({"version": 1, "default": {"retry": {"max_attempts": 3}}})
    assert answer.upper.runs().items
    assert answer.lower.view.path in [str(path) for path in vault.files()]
    vault.destroy()
    assert vault.found() == []
    answer.close()


def test_views_that_were_folded_to_verify_lie_beside_the_others(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a what-if."""
    vault.filled()
    places: list[str] = []
    monkeypatch.setattr(rebuilt, "_difference", lambda *_: places.extend(vault.found()))
    assert vault.engine.verify().views.state == "equal"
    assert any(name.startswith("views.db") for name in places)
    assert [path for path in vault.files() if ".past-" in str(path)] == []
