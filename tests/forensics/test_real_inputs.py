"""Logs of real workflows, simulated: decided again as they were, and under the policy that they had."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import redrive
from redrive.cli.root import cli
from tests.stores import log_url

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "wfinstances"
FILES = ("helloworld-chain-5-chameleon", "srasearch-chameleon-10a-003", "cutandrun-dirt02-001")


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_simulated_workflows_raise_no_alarm(name: str, tmp_path: Path) -> None:
    """Hundreds of decisions with jitter, backoff and dead letters, made by a worker with threads."""
    file = DATA / f"{name}.json"
    if not file.exists():
        pytest.skip(f"{file.name} is not here: the shared inputs are not laid out beside the project")
    url = log_url(tmp_path / "log.db")
    words = ["--db", url, "run", str(file), "--simulate", "--failure-rate", "0.3", "--time-scale", "0.00001"]
    CliRunner().invoke(cli, words)
    with redrive.open(url) as engine, engine.what_if({"version": 1}) as answer:
        assert engine.replay_check().same
        assert answer.report.attempts.recorded > 4
        assert answer.report.runs_that_differ == 0


@pytest.mark.long
def test_more_attempts_of_a_large_workflow_have_bounds(tmp_path: Path) -> None:
    """Too many courses to play them all: the bounds hold, and the report says that they are wide."""
    file = DATA / "cutandrun-dirt02-001.json"
    if not file.exists():
        pytest.skip(f"{file.name} is not here: the shared inputs are not laid out beside the project")
    url = log_url(tmp_path / "log.db")
    words = ["--db", url, "run", str(file), "--simulate", "--failure-rate", "0.4", "--time-scale", "0.00001"]
    CliRunner().invoke(cli, words)
    other = {"version": 1, "default": {"retry": {"max_attempts": 9}}}
    with redrive.open(url) as engine, engine.what_if(other) as answer:
        found = answer.report.attempts
        assert found.recorded < found.counterfactual.low < found.counterfactual.high <= 9 * 120
        assert answer.report.inexact_runs == 1
