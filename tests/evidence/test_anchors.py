"""Anchors: who is told, what is recorded, and what is refused."""

import shutil
import sys
from pathlib import Path

import pytest

import redrive
from redrive.domain.errors import AnchorFailed, InvalidValue
from redrive.evidence.notes import Signer
from redrive.evidence.verification import ANCHORS_STREAM
from tests.evidence.outworld import Authority, Witness, serving
from tests.evidence.sealed import FLOW, Sealed


def told(engine: redrive.Engine, anchor: redrive.Anchor) -> redrive.AnchorRecorded:
    """Anchor the log."""
    return engine.anchor(anchor, actor="ana", reason="end of the month")


def anchors(engine: redrive.Engine) -> list[redrive.Recorded]:
    """The anchors in the log."""
    return engine.ledger.stream(ANCHORS_STREAM)


def test_a_pin_is_written_recorded_and_sealed(sealed: Sealed, tmp_path: Path) -> None:
    """With who did it, and why; the event itself is sealed when the call returns."""
    with sealed.open() as engine:
        event = told(engine, redrive.PinAnchor(tmp_path / "elsewhere" / "pin"))
        (recorded,) = anchors(engine)
        assert (recorded.event, recorded.actor.id, recorded.reason) == (event, "ana", "end of the month")
        assert (tmp_path / "elsewhere" / "pin").read_text() == event.checkpoint
        last = engine.evidence.store.last()
        assert last is not None
        assert last.position == recorded.position == engine.ledger.last_position()
        told(engine, redrive.PinAnchor(tmp_path / "elsewhere" / "pin"))
        assert [one.version for one in anchors(engine)] == [1, 2]


def test_a_command_gets_the_checkpoint_and_what_it_prints_is_kept(sealed: Sealed, tmp_path: Path) -> None:
    """Without a shell."""
    script = tmp_path / "keep it.py"
    script.write_text("import sys; open(sys.argv[1], 'a').write(sys.stdin.read()); print('kept as #7')")
    kept = tmp_path / "kept"
    with sealed.open() as engine:
        event = told(engine, redrive.CommandAnchor(f"{sys.executable} '{script}' {kept}"))
        assert (event.evidence, kept.read_text()) == ("kept as #7\n", event.checkpoint)


@pytest.mark.parametrize("command", ["false", "/no/such/command", "sleep 5"])
def test_a_command_that_fails_records_nothing(sealed: Sealed, command: str) -> None:
    """Who was not told cannot vouch."""
    with sealed.open() as engine, pytest.raises(AnchorFailed):
        told(engine, redrive.CommandAnchor(command, timeout_ms=100))
    with sealed.open() as engine:
        assert anchors(engine) == []


@pytest.mark.parametrize("command", ["", "'", "   "])
def test_what_is_no_command_is_refused(sealed: Sealed, command: str) -> None:
    """Before anything runs."""
    with sealed.open() as engine, pytest.raises(InvalidValue, match="anchor_cmd"):
        told(engine, redrive.CommandAnchor(command))


def test_an_empty_log_cannot_be_anchored(tmp_path: Path) -> None:
    """There is nothing to vouch for."""
    with redrive.open(f"sqlite:///{tmp_path}/ops.db") as engine, pytest.raises(AnchorFailed, match="empty"):
        told(engine, redrive.PinAnchor(tmp_path / "pin"))


def test_a_witness_signs_what_continues_what_it_saw(sealed: Sealed) -> None:
    """First from nothing, then with a proof; verify trusts it by its key."""
    witness = Witness(sealed.keys.read()[0].verifier)
    policy = redrive.VerifyPolicy(witnesses=[str(witness.key)], require_witnesses=1)
    with serving(witness) as url, sealed.open(pin=False) as engine:
        assert engine.verify(policy).result == "INCOMPLETE"
        for _ in range(2):
            event = told(engine, redrive.WitnessAnchor(url, str(witness.key)))
            assert (event.at_ms, event.size) == (witness.time_s * 1_000, witness.size)
        assert witness.asked[-1].startswith(b"old 479\n")
        assert engine.verify().result == "SELF-CONSISTENT"
        report = engine.verify(policy)
        assert (report.result, report.unanchored) == ("VERIFIED", 1)


def test_a_witness_that_saw_more_tells_that_the_log_was_cut(sealed: Sealed, template: Path) -> None:
    """An old copy was restored; the witness remembers."""
    witness = Witness(sealed.keys.read()[0].verifier)
    with serving(witness) as url:
        anchor = redrive.WitnessAnchor(url, str(witness.key))
        with sealed.open() as engine:
            told(engine, anchor)
            told(engine, anchor)
        shutil.copy(template / "ops.db", sealed.path)
        with sealed.open(pin=False) as engine, pytest.raises(AnchorFailed, match="old copy"):
            told(engine, anchor)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 500])
def test_a_witness_that_refuses_is_told_of(sealed: Sealed, status: int) -> None:
    """With its answer; nothing is recorded."""
    witness = Witness(sealed.keys.read()[0].verifier)
    witness.refuses_with = status
    with serving(witness) as url, sealed.open() as engine:
        with pytest.raises(AnchorFailed, match=str(status)):
            told(engine, redrive.WitnessAnchor(url, str(witness.key)))
        assert anchors(engine) == []


def test_a_signature_of_somebody_else_is_refused(sealed: Sealed) -> None:
    """A witness is its key, not its URL."""
    witness, other = (Witness(sealed.keys.read()[0].verifier) for _ in range(2))
    other._signer = Signer("x", b"o" * 32)
    with serving(other) as url, sealed.open() as engine, pytest.raises(AnchorFailed, match="not that of"):
        told(engine, redrive.WitnessAnchor(url, str(witness.key)))


def test_witnesses_sign_signed_checkpoints_only(tmp_path: Path) -> None:
    """Said before anybody is asked."""
    with redrive.open(f"sqlite:///{tmp_path}/ops.db") as engine:
        engine.local.submit(FLOW, automation="a", key="1")
        witness = Witness(Signer("a", b"o" * 32).verifier)
        with pytest.raises(AnchorFailed, match="not signed"):
            told(engine, redrive.WitnessAnchor("http://127.0.0.1:9", str(witness.key)))


def test_a_timestamp_is_kept_with_its_time(sealed: Sealed) -> None:
    """It is shown, and not counted as an anchor: its signature is not checked here."""
    with serving(Authority()) as url, sealed.open(pin=False) as engine:
        event = told(engine, redrive.TimestampAnchor(url))
        assert event.at_ms == 1_800_000_000_250
        report = engine.verify()
        assert [(one.kind, one.at_ms, one.agrees) for one in report.anchors] == [("timestamp", event.at_ms, None)]
        assert report.result == "SELF-CONSISTENT"


def test_a_timestamp_that_was_not_granted_is_refused(sealed: Sealed) -> None:
    """Nor one that is cut, or of other bytes, or of another request."""
    authority = Authority()
    with serving(authority) as url, sealed.open() as engine:
        authority.status = 2
        with pytest.raises(AnchorFailed, match="not granted"):
            told(engine, redrive.TimestampAnchor(url))
        authority.status = 0
        for spoil in (lambda raw: raw[:-3], lambda _raw: b"", nonce_spoilt, digest_spoilt):
            authority.spoil = spoil
            with pytest.raises(AnchorFailed):
                told(engine, redrive.TimestampAnchor(url))
        assert anchors(engine) == []


def nonce_spoilt(raw: bytes) -> bytes:
    """The answer to another request."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


def digest_spoilt(raw: bytes) -> bytes:
    """Another digest within a response."""
    at = raw.index(bytes.fromhex("0609608648016503040201")) + 20
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
