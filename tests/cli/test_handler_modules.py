"""Modules of handlers that cannot be imported."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from redrive.cli.root import cli

FLOW = "automation: leaves\nversion: 1\nnodes:\n  - {id: a, handler: 'leaving_module:work'}\n"
LEAVES = "import sys\nsys.exit('set SHOP first')\n"


def typed(*words: str) -> Result:
    """A command."""
    return CliRunner().invoke(cli, list(words))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a flow whose handler lies in a script that exits, which does not run without a variable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "leaving_module.py").write_text(LEAVES)
    (tmp_path / "flow.yaml").write_text(FLOW)


def test_a_module_that_exits_is_refused_by_its_reason() -> None:
    """Nothing is begun, and the command ends with its own exit code."""
    refused = typed("run", "flow.yaml", "--allow-handlers", "leaving_module")
    assert (refused.exit_code, "it exits: set SHOP first" in refused.stderr) == (2, True)


def test_a_worker_goes_on_when_a_module_exits() -> None:
    """The attempt failed, and says why."""
    assert typed("submit", "flow.yaml", "--key", "1").exit_code == 0
    assert typed("work", "--allow-handlers", "leaving_module", "--until-idle").exit_code == 0
    assert "set SHOP first" in typed("runs").stdout
