"""Commands that an imported file recorded: executed as they were, or not at all."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import redrive
from redrive.cli.root import cli

LONG = {
    "an argument": ["-c", f"echo {'x' * 200} > done.txt"],
    "too many arguments": ["-c", "echo $# > done.txt", *["a"] * 60],
    "a number": ["-c", "echo $0 $1 > done.txt", 7, "a"],
}


def imported(arguments: list[object]) -> None:
    """A WfFormat file, `flow.json`, in which one task recorded a command with these *arguments*."""
    task = {"id": "t", "command": {"program": "sh", "arguments": arguments}}
    workflow = {"specification": {"tasks": [{"id": "t"}]}, "execution": {"tasks": [task]}}
    Path("flow.json").write_text(json.dumps({"name": "w", "schemaVersion": "1.5", "workflow": workflow}))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDRIVE_DB", raising=False)


def test_a_command_that_was_kept_whole_is_executed() -> None:
    """With --allow-commands, as the file has it."""
    imported(["-c", "echo $0 > done.txt", "x y"])
    assert CliRunner().invoke(cli, ["run", "flow.json", "--allow-commands"]).exit_code == 0
    assert Path("done.txt").read_text() == "x y\n"


@pytest.mark.parametrize("arguments", LONG.values(), ids=LONG)
def test_part_of_a_command_is_not_executed(arguments: list[object]) -> None:
    """It would be another command. Nothing is written; a simulation is possible."""
    imported(arguments)
    result = CliRunner().invoke(cli, ["run", "flow.json", "--allow-commands"])
    assert (result.exit_code, "kept whole" in result.output) == (2, True), result.output
    assert not Path("done.txt").exists()
    assert not Path("redrive.db").exists()
    assert CliRunner().invoke(cli, ["run", "flow.json", "--simulate", "--time-scale", "0"]).exit_code == 0


@pytest.mark.parametrize("arguments", LONG.values(), ids=LONG)
def test_a_worker_does_not_execute_part_of_a_command_either(arguments: list[object]) -> None:
    """It meets it in the log, and says why the task failed."""
    imported(arguments)
    assert CliRunner().invoke(cli, ["submit", "flow.json"]).exit_code == 0
    assert CliRunner().invoke(cli, ["work", "--allow-commands", "--until-idle"]).exit_code == 0
    assert not Path("done.txt").exists()
    with redrive.open(seal=False) as engine:
        (letter,) = engine.local.dead_letters().items
        assert (letter.failure_class, "kept whole" in letter.reason) == ("missing_config", True)
