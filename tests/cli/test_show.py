"""A run, or a dead letter, in full; and the history of a run."""

import json

import pytest

from tests.cli.logs import World


def test_a_run_is_shown_with_its_nodes(world: World) -> None:
    """How it stands, what failed, and what can be done."""
    result = world.run("show", world.ids.blocked[:8])
    assert world.ids.blocked in result.stdout
    assert "nodes       2: 1 failed, 1 blocked" in result.stdout
    assert "execution_error  [bold]boom[/bold] \\x1b[31mred\\x00\\nsecond line" in result.stdout
    assert f"dead-letters retry {world.ids.letter[:8]} --reason WHY" in result.stderr


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("completed", "history"),
        ("paused", "resume"),
        ("pair", "retry --all --run"),
        ("lost", "pause"),
        ("queued", "queues ready"),
    ],
)
def test_the_next_command_fits_the_run(world: World, name: str, told: str) -> None:
    """Ready to be typed."""
    assert f" {told} " in world.run("show", getattr(world.ids, name)).stderr.replace("\n", " ")


def test_secrets_are_redacted_on_display(world: World) -> None:
    """Inputs and outputs are stored exactly, and shown without secrets."""
    for command in (["show", world.ids.queued], ["show", world.ids.completed], ["log", "tail"], ["history"]):
        words = [*command, world.ids.queued] if command == ["history"] else command
        assert "hunter2" not in world.run(*words).output + world.run("--json", *words).output
    assert world.json("show", world.ids.queued)["item"]["input"] == {"password": "[redacted]", "n": 1}


def test_a_dead_letter_is_shown_with_its_history(world: World) -> None:
    """Who decided what, and why; with either command."""
    world.run("dead-letters", "ignore", world.ids.letter, "--reason", "known since May", "--actor", "ana")
    world.run("dead-letters", "note", world.ids.letter, "see the wiki", "--actor", "bo")
    result = world.run("dead-letters", "show", world.ids.letter[:8])
    assert "decided       ignore by human:ana: known since May" in result.stdout
    assert "fetch" in result.stdout
    assert "ignored (by ana: known since May)" in result.stdout
    assert "note: see the wiki (by bo)" in result.stdout
    assert "dead-letters reopen" in result.stderr
    assert world.run("show", world.ids.letter).stdout.splitlines()[:5] == result.stdout.splitlines()[:5]


def test_dead_letters_show_takes_no_run(world: World) -> None:
    """A run is not a dead letter."""
    assert world.run("dead-letters", "show", world.ids.blocked).exit_code == 4


def test_the_history_tells_everything_in_order(world: World) -> None:
    """One printable line for each event."""
    lines = world.run("history", world.ids.blocked).stdout.splitlines()
    topics = [line.split()[2] for line in lines]
    assert topics[:3] == ["run.submitted", "run.claimed", "run.attempt-started"]
    assert topics[-1] in {"dead-letter.opened", "run.blocked"}
    assert [int(line.split()[0]) for line in lines] == sorted(int(line.split()[0]) for line in lines)
    assert all(line.isprintable() for line in lines)


def test_the_history_is_a_stream_of_json(world: World) -> None:
    """One object per line, with who, why and what led to it."""
    world.run("cancel", world.ids.queued, "--reason", "not needed", "--actor", "ana")
    result = world.run("--json", "history", world.ids.queued)
    entries = [json.loads(line) for line in result.stdout.splitlines()]
    assert {entry["schema"] for entry in entries} == {"redrive.event/1"}
    cancelled = next(entry for entry in entries if entry["topic"] == "run.cancelled")
    assert (cancelled["actor"], cancelled["reason"]) == ("human:ana", "not needed")


def test_the_history_can_be_searched(world: World) -> None:
    """Words, or beginnings of words; nothing in them is syntax."""
    found = world.run("history", world.ids.blocked, "--search", "SECOND lin").stdout.splitlines()
    assert [line.split()[2] for line in found] == ["run.attempt-failed", "dead-letter.opened"]
    nothing = world.run("history", world.ids.blocked, "--search", 'elsewhere" OR *')
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert "No event of this history says that." in nothing.stderr
    assert world.run("history", world.ids.blocked, "--search", "  ").exit_code == 2
    assert world.run("history", world.ids.blocked, "--text", "SECOND lin").stdout.splitlines() == found


def test_the_help_says_what_is_searched(world: World) -> None:
    """Texts that were written down, with the node of a failure; not the sentences that are printed."""
    assert "what was written down" in " ".join(world.run("history", "--help").stdout.split())
    found = world.run("history", world.ids.blocked, "--search", "fetch").stdout.splitlines()
    assert [line.split()[2] for line in found] == ["run.attempt-failed", "dead-letter.opened"]
    assert world.run("history", world.ids.blocked, "--search", "started").stdout == ""


def test_a_large_run_lists_what_matters(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal; in a pipe, and with --all-nodes, every node."""
    from redrive.cli import show_run
    from redrive.cli.context import Session
    from redrive.cli.output import Output

    monkeypatch.setattr(show_run, "MANY", 1)
    monkeypatch.setattr(Session, "output", Output(json=False, terminal=True, width=80))
    told = world.run("show", world.ids.queued).stdout
    assert "1 more node, succeeded, blocked or not begun: --all-nodes" in told
    assert "publish" not in told
    assert "publish" in world.run("show", world.ids.queued, "--all-nodes").stdout
