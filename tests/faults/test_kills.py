"""Real processes, killed with SIGKILL: the miniature of `make kills`."""

from pathlib import Path

import pytest

from benchmarks.kills.__main__ import kill, report


@pytest.mark.long
@pytest.mark.acceptance
@pytest.mark.timeout(1800)
def test_nothing_is_lost_when_processes_are_killed(tmp_path: Path) -> None:
    """Ten of them, wherever they are."""
    result = kill(tmp_path, kills=7, workers=3, seed=3, mean_life_s=1.0)
    assert result.broken == []
    assert result.kills >= 7
    assert result.acknowledged > 0
    assert "| losses | 0 |" in report(result)
