"""Timelines of runs that limits hold back."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import redrive
from redrive.cli.root import cli

FLOW = redrive.Flow([redrive.Node("fetch", resource="api")])


def waiting(path: Path, limit: redrive.Limit) -> list[str]:
    """Two runs under a limit of one, of which the second waits; what its timeline says."""
    url = f"sqlite:///{path}/ops.db"
    with redrive.open(url, limits=[limit]) as engine:
        _, second = (engine.local.submit(FLOW, automation="nightly", key=key) for key in "12")
        assert engine.local.claim(worker="w1", start=True) is not None
        assert engine.local.claim(worker="w2", start=True) is None
    told = CliRunner().invoke(cli, ["--db", url, "timeline", second])
    assert told.exit_code == 0, told.output
    return told.stdout.splitlines()


def test_what_a_run_waits_for_is_a_line_of_its_timeline(tmp_path: Path) -> None:
    """However short it has waited."""
    lines = waiting(tmp_path, redrive.Limit("resource", "api", 1))
    assert any("waits for room: resource:api 1 of 1, not over" in line for line in lines)


@pytest.mark.parametrize("limit", [redrive.Limit("total", "", 1), redrive.Limit("tenant", str(redrive.Tenant()), 1)])
def test_a_limit_on_runs_is_told_too(tmp_path: Path, limit: redrive.Limit) -> None:
    """It writes no event: the run stays in its queue."""
    assert any("waits for room: as many runs as may are running" in line for line in waiting(tmp_path, limit))


def test_a_run_that_is_not_held_back_says_nothing_of_it(tmp_path: Path) -> None:
    """There is room, or it is not its turn that it waits for."""
    url = f"sqlite:///{tmp_path}/ops.db"
    with redrive.open(url, limits=[redrive.Limit("total", "", 2)]) as engine:
        run = engine.local.submit(FLOW, automation="nightly", key="1")
    assert "waits for room" not in CliRunner().invoke(cli, ["--db", url, "timeline", run]).stdout
