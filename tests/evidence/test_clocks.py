"""Events that claim to be older than what was told to somebody before them."""

import pytest

import redrive
from tests.evidence.outworld import Witness, serving
from tests.evidence.sealed import FLOW, Sealed

LATE_MS = 1_800_000_005_000
"""When the witness signed."""


@pytest.fixture
def witnessed(sealed: Sealed) -> redrive.VerifyPolicy:
    """A log that a witness has seen, and that went on."""
    witness = Witness(sealed.keys.read()[0].verifier)
    with serving(witness) as url, sealed.open(now_ms=LATE_MS) as engine:
        engine.anchor(redrive.WitnessAnchor(url, str(witness.key)), actor="ana", reason="x")
        for number in range(3):
            engine.local.submit(FLOW, automation="later", key=str(number))
    return redrive.VerifyPolicy(witnesses=[str(witness.key)], clock_tolerance_ms=60_000)


def report_of(sealed: Sealed, policy: redrive.VerifyPolicy) -> redrive.VerifyReport:
    """What verify finds."""
    with sealed.open(now_ms=LATE_MS + 100_000) as engine:
        return engine.verify(policy, views=False, agenda=False)


@pytest.mark.parametrize("backdated", [{482}, {482, 483}, {481, 482, 483}])
def test_a_later_event_is_not_older_than_an_anchor(
    sealed: Sealed, witnessed: redrive.VerifyPolicy, backdated: set[int]
) -> None:
    """Each that claims it is named, also before it is sealed; the clock of an untouched log is in order."""
    assert report_of(sealed, witnessed).result == "VERIFIED"
    for position in backdated:
        sealed.sql("UPDATE events SET recorded_at_ms = ? WHERE position = ?", LATE_MS - 60_001, position)
    report = report_of(sealed, witnessed)
    assert report.result == "TAMPERED"
    assert {found.position for found in report.findings if "backdated" in found.what} == backdated


def test_within_the_tolerance_it_is_a_clock_that_went_back(sealed: Sealed, witnessed: redrive.VerifyPolicy) -> None:
    """It is counted, and not called a forgery."""
    sealed.sql("UPDATE events SET recorded_at_ms = ? WHERE position = 482", LATE_MS - 59_999)
    report = report_of(sealed, witnessed)
    assert (report.result, report.regression_positions) == ("VERIFIED", (482,))


def test_nobody_is_backdated_by_a_witness_that_is_not_trusted(sealed: Sealed, witnessed: redrive.VerifyPolicy) -> None:
    """Whoever writes the log could have written that anchor."""
    sealed.sql("UPDATE events SET recorded_at_ms = 5 WHERE position = 482")
    report = report_of(sealed, redrive.VerifyPolicy())
    assert (report.result, report.regressions) == ("VERIFIED", 1)
    assert witnessed.witnesses
