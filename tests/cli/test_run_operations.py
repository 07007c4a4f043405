"""What operators do to runs: done, refused, and nothing happened."""

import json

import pytest

from redrive.cli import options
from tests.cli.logs import World

WHY = ("--reason", "checked", "--actor", "ana")


@pytest.mark.parametrize(
    ("command", "name", "status", "told"),
    [
        ("pause", "queued", "paused", "Nothing new starts in run "),
        ("pause", "lost", "running", "Nothing new starts in run "),
        ("resume", "paused", "queued", " may go on; it is queued."),
        ("cancel", "backoff", "cancelled", " is cancelled."),
        ("recover", "blocked", "queued", " is queued again, as generation 2."),
    ],
)
def test_an_operation_is_done_and_told(world: World, command: str, name: str, status: str, told: str) -> None:
    """In one sentence, with the next commands worth typing; actor and reason are in the log."""
    run = getattr(world.ids, name)
    result = world.run(command, run[:8], *WHY)
    assert result.exit_code == 0
    assert told in result.stdout
    assert "\n  redrive --db " in result.stderr
    assert world.json("show", run)["item"]["status"] == status
    assert "(by ana: checked)" in world.run("history", run).stdout


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("pause", "completed"),
        ("resume", "queued"),
        ("cancel", "completed"),
        ("recover", "queued"),
        ("recover", "completed"),
    ],
)
def test_what_does_not_fit_is_refused(world: World, command: str, name: str) -> None:
    """Exit 3, the stable code and a sentence; nothing was written."""
    before = world.events()
    result = world.run(command, getattr(world.ids, name), *WHY)
    assert result.exit_code == 3
    assert result.stderr.startswith("Refused (not-allowed): cannot ")
    assert (result.stdout, world.events()) == ("", before)


def test_a_refusal_is_json_too(world: World) -> None:
    """One object on standard error."""
    result = world.run("cancel", world.ids.completed, *WHY, "--json")
    error = json.loads(result.stderr)
    assert (error["schema"], error["code"]) == ("redrive.error/1", "not-allowed")
    assert error["message"].startswith("cannot cancel run ")


@pytest.mark.parametrize("command", ["pause", "resume", "cancel", "recover"])
@pytest.mark.parametrize("reason", [[], ["--reason", " "]])
def test_every_operation_demands_a_reason(world: World, command: str, reason: list[str]) -> None:
    """Exit 2 with a sentence; nothing was written."""
    before = world.events()
    result = world.run(command, world.ids.blocked, *reason)
    assert result.exit_code == 2
    assert "--reason TEXT is required: say why" in result.stderr
    assert world.events() == before


def test_recover_from_the_nodes_that_are_named(world: World) -> None:
    """Others stay failed; an unknown node is a mistake."""
    assert world.run("recover", world.ids.pair, "--node", "left", *WHY).exit_code == 0
    nodes = {node["node"]: node["status"] for node in world.json("show", world.ids.pair)["item"]["nodes"]}
    assert nodes == {"left": "ready", "right": "failed"}
    assert world.run("recover", world.ids.blocked, "--node", "nosuch", *WHY).exit_code == 2


def test_a_resumed_run_that_is_not_queued_needs_no_worker(world: World) -> None:
    """What is blocked stays so when the pause is lifted: only what is queued is offered to be executed."""
    assert world.run("pause", world.ids.blocked, *WHY).exit_code == 0
    result = world.run("resume", world.ids.blocked, *WHY)
    assert "it is blocked" in result.stdout
    assert "queues ready" not in result.stderr
    assert "show" in result.stderr


def test_the_actor_is_the_login_name_unless_given(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a machine has no names, an operator."""
    monkeypatch.setattr("getpass.getuser", lambda: "zoe")
    world.run("cancel", world.ids.queued, "--reason", "x")
    assert "(by zoe: x)" in world.run("history", world.ids.queued).stdout

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert options.login_name() == "operator"
    assert world.run("pause", world.ids.backoff, "--reason", "x", "--actor", " ").exit_code == 2
