"""What a flow file's commands are given secretly is shown by no command, though the log has it to execute them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import redrive
from redrive.cli.root import cli
from redrive.domain.redaction import DEFAULT, REDACTED

NODE = {
    "id": "a",
    "run": ["sh", "-c", "echo password=hidden-said; exit 1", "--token", "hidden-word", "--key=hidden", "-v"],
    "env": {"API_TOKEN": "hidden-env", "MAX_TOKENS": "5"},
    "input": {"password": "hidden-input"},
    "retry": {"max_attempts": 1},
}
WAYS = (
    "history RUN --json",
    "history RUN",
    "show RUN --json",
    "show RUN",
    "log tail --json",
    "timeline RUN --json",
)


def test_the_words_of_a_command_in_a_document_are_redacted_as_a_command() -> None:
    """The word after `--token` goes too; a list that is no command keeps its texts."""
    shown = DEFAULT.value({"run": ["curl", "--token", "abc", "--max-tokens", "7", "-v"], "tags": ["token", "x"]})
    assert shown == {"run": ["curl", "--token", REDACTED, "--max-tokens", "7", "-v"], "tags": ["token", "x"]}


def test_no_command_shows_what_a_command_was_given_secretly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In none of the lines and documents, whichever event holds it."""
    monkeypatch.chdir(tmp_path)
    Path("flow.json").write_text(json.dumps({"automation": "x", "version": 1, "nodes": [NODE]}))
    said = CliRunner().invoke(cli, ["run", "flow.json", "--input", '{"client_secret": "hidden-run"}']).output
    with redrive.open(seal=False) as engine:
        run = engine.local.runs().items[0].run_id
    for command in WAYS:
        said += CliRunner().invoke(cli, command.replace("RUN", run).split()).output
    assert "flow.registered" in said
    assert [word for word in said.split() if "hidden-" in word] == []
