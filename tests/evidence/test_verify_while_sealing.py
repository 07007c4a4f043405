"""A log that is sealed while it is verified."""

import pytest

import redrive
from redrive.evidence.log_store import LogEvidence
from redrive.evidence.store import StoredCheckpoint
from tests.evidence.sealed import FLOW, Sealed


def test_a_seal_during_the_scan_is_no_tampering(sealed: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's sealer goes on while somebody verifies: the leaves beyond have a checkpoint of their own."""
    last = LogEvidence.last
    with sealed.open() as engine:

        def then_sealed(store: LogEvidence) -> StoredCheckpoint | None:
            found = last(store)
            monkeypatch.setattr(LogEvidence, "last", last)
            engine.local.submit(FLOW, automation="later", key="meanwhile")
            engine.seal()
            return found

        monkeypatch.setattr(LogEvidence, "last", then_sealed)
        report = engine.verify(views=False, agenda=False)
    assert (report.findings, report.result) == ((), redrive.VerifyResult.VERIFIED)
