"""Approvals on the command line: asked, decided, shown, and a run that goes on."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from redrive.cli.root import cli

WHY = ("--reason", "looked at it", "--actor", "ana")
FLOW: dict[str, Any] = {
    "automation": "release",
    "version": 1,
    "nodes": [
        {"id": "build", "run": ["true"]},
        {"id": "ask", "after": ["build"], "approval": {"prompt": "Publish [bold]this[/bold]?"}},
        {"id": "publish", "after": ["ask"], "run": ["true"]},
    ],
}


class Desk:
    """A folder with a flow file and a log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = str(folder / "release.json")
        self.write(FLOW)

    def write(self, flow: dict[str, Any]) -> None:
        """Write the flow file."""
        Path(self.file).write_text(json.dumps(flow))

    def run(self, *args: str) -> Result:
        """Run a command in this process."""
        return CliRunner().invoke(cli, ["--db", f"sqlite:///{self.folder / 'log.db'}", *args])

    def only(self) -> str:
        """The id of the one run."""
        run: str = json.loads(self.run("runs", "--json").stdout)["items"][0]["run_id"]
        return run


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A run that reached its approval."""
    desk = Desk(tmp_path)
    result = desk.run("run", desk.file)
    assert result.exit_code == 1, result.output
    assert "ask awaits an approval: Publish [bold]this[/bold]?" in result.stdout
    assert f"approve {desk.only()} ask --reason WHY" in result.output
    return desk


def test_an_approved_run_is_finished_by_the_same_command(desk: Desk) -> None:
    """What succeeded before is kept."""
    approved = desk.run("approve", desk.only()[:8], "ask", *WHY)
    assert approved.exit_code == 0
    assert "Node ask of run " in approved.stdout
    assert "(release) is approved; the run is queued." in approved.stdout
    done = desk.run("run", desk.file)
    assert (done.exit_code, "completed: 3 of 3" in done.stdout) == (0, True)
    assert "ask: approved (by ana: looked at it)" in desk.run("history", desk.only()).stdout


def test_a_denied_run_ends_and_can_be_asked_again(desk: Desk) -> None:
    """As the node's policy says; recover is worth typing next."""
    denied = desk.run("deny", desk.only(), "ask", *WHY)
    assert (denied.exit_code, "is denied; the run is failed." in denied.stdout) == (0, True)
    assert "recover" in denied.output
    assert desk.run("recover", desk.only(), *WHY).exit_code == 0
    assert desk.run("approve", desk.only(), "ask", *WHY).exit_code == 0


@pytest.mark.parametrize("command", ["approve", "deny"])
def test_what_cannot_be_decided_is_refused(desk: Desk, command: str) -> None:
    """Exit 3 for what is not pending, 2 for an unknown node or without a reason, 4 for an unknown run."""
    assert desk.run(command, desk.only(), "publish", *WHY).exit_code == 3
    assert desk.run(command, desk.only(), "nobody", *WHY).exit_code == 2
    assert desk.run(command, desk.only(), "ask").exit_code == 2
    assert desk.run(command, "00000000", "ask", *WHY).exit_code == 4
    assert desk.run(command, desk.only(), "ask", *WHY, "--json").exit_code == 0
    assert desk.run(command, desk.only(), "ask", *WHY).exit_code == 3


def test_what_is_asked_is_shown_everywhere(desk: Desk) -> None:
    """In its queue, in the counts, in the list of runs, and node by node."""
    queue = desk.run("queues", "awaiting-approval")
    assert "Publish [bold]this[/bold]?" in queue.stdout
    assert "approve" in queue.output
    counts = {row["queue"]: row["count"] for row in json.loads(desk.run("queues", "--json").stdout)["items"]}
    assert counts["awaiting_approval"] == 1
    assert "release" in desk.run("runs", "--status", "awaiting_approval").stdout
    shown = desk.run("show", desk.only())
    assert "approval" in shown.stdout
    assert "deny" in shown.output


def test_a_timed_wait_is_waited_for_and_an_expiry_is_not(tmp_path: Path) -> None:
    """`redrive run` ends at the approval at once; a tick after its expiry opens the dead letter."""
    desk = Desk(tmp_path)
    rest = {"id": "rest", "wait": {"delay_ms": 30}}
    ask = {"id": "ask", "after": ["rest"], "approval": {"prompt": "?", "timeout_ms": 1}}
    desk.write({**FLOW, "nodes": [rest, ask]})
    assert desk.run("run", desk.file).exit_code == 1
    assert "expired" in desk.run("tick").stdout or "expired" in desk.run("history", desk.only()).stdout
    assert "stateful_wait" in desk.run("dead-letters", "list", "--json", "--source", "stateful_wait").stdout
    assert "recover" in desk.run("show", desk.only()).output


def test_a_tandem_automation_is_simulated_and_asks_in_earnest(tmp_path: Path) -> None:
    """It names no commands: without --simulate it is refused before anything is written."""
    desk = Desk(tmp_path)
    gate = {"required": True, "instructions": "sure?"}
    nodes = [{"node_id": "a"}, {"node_id": "ask", "depends_on": ["a"], "gate": gate}]
    desk.write({"automation_id": "t", "flow": {"nodes": nodes}})
    assert desk.run("run", desk.file).exit_code == 2
    assert desk.run("run", desk.file, "--simulate", "--time-scale", "0").exit_code == 1
    assert desk.run("approve", desk.only(), "ask", *WHY).exit_code == 0
    assert "completed" in desk.run("runs").stdout
