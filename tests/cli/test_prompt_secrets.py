"""A secret in the prompt of an approval: the flow keeps it, the events do not, and nobody is shown it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import redrive
from redrive.cli.root import cli

PROMPT = "Publish with password=hunter2 now?"
COMMANDS = (["show", "RUN"], ["history", "RUN"], ["queues", "awaiting_approval"], ["log", "tail"])


@pytest.fixture(params=["now", "before"])
def log(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A log with a run that asks; one from before keeps in its events what was written."""
    monkeypatch.chdir(tmp_path)
    nodes = [{"id": "ask", "approval": {"prompt": PROMPT}}]
    Path("ask.json").write_text(json.dumps({"automation": "release", "version": 1, "nodes": nodes}))
    if request.param == "before":
        monkeypatch.setattr("redrive.domain.run.stateful_waits.redact_text", str)
    said = CliRunner().invoke(cli, ["run", "ask.json"]).output
    assert "password=[redacted] now?" in said
    assert "hunter2" not in said
    return str(request.param)


def test_the_event_is_redacted_and_the_flow_is_not(log: str) -> None:
    """Its digest names the flow: it stays what it was."""
    with redrive.open("sqlite:///redrive.db") as engine:
        (run,) = engine.local.runs().items
        (asked,) = [one for one in engine.local.whole_history(run.run_id) if one.topic == "run.approval-requested"]
        (node,) = engine.local.show(run.run_id).nodes
    assert node.prompt == PROMPT
    assert ("hunter2" in str(asked.data["prompt"])) == (log == "before")


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_nobody_is_shown_it(command: list[str], form: list[str]) -> None:
    """In no form, also where the log is older."""
    with redrive.open("sqlite:///redrive.db") as engine:
        (run,) = engine.local.runs().items
    words = [run.run_id if word == "RUN" else word for word in command]
    shown = CliRunner().invoke(cli, [*words, *form])
    assert shown.exit_code == 0, shown.output
    assert "hunter2" not in shown.output
    assert "[redacted]" in shown.output
