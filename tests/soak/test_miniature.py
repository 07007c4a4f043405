"""Workers that are killed, a shop that misbehaves, an operator: in the end everything agrees."""

from pathlib import Path

import pytest

from benchmarks.soak.__main__ import report, soak

SECONDS = 12.0


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.acceptance
@pytest.mark.timeout(1800)
def test_everything_settles_and_agrees(tmp_path: Path) -> None:
    """Every run completes, nothing is sent after its success, views and agenda equal those of the log."""
    result = soak(tmp_path, seconds=SECONDS, workers=4, seed=7, mean_life_s=4.0)
    assert result.found.broken == []
    assert result.found.sent_after_success == 0
    assert result.runs > 0
    assert result.kills > 0
    assert "| broken invariants | 0 |" in report(result)
