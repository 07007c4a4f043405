"""The command line about the past: --at, diff, first."""

import json

import pytest

import redrive
from redrive.forensics import checkpoints
from redrive.forensics.invariants.named import NAMED
from tests.cli.logs import World
from tests.cli.test_commands import EVERY

LOOKING = [
    *(["runs"], ["queues"], ["queues", "blocked"], ["dead-letters", "list"], ["dead-letters", "groups"]),
    *(["effects", "list"], ["compensations", "list"], ["limits", "list"], ["show", "{blocked}"], ["show", "{letter}"]),
    *(["history", "{blocked}"], ["dead-letters", "show", "{letter}"]),
]


def said(world: World, command: list[str], *more: str) -> str:
    """What a command prints, when it succeeds."""
    result = world.run(*(word.format_map(vars(world.ids)) for word in command), *more)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("command", LOOKING, ids=" ".join)
def test_at_the_end_the_past_is_the_present(world: World, command: list[str]) -> None:
    """The same document, and what it stands on."""
    now = [json.loads(line) for line in said(world, command, "--json").splitlines()]
    then = [json.loads(line) for line in said(world, command, "--json", "--at", "now").splitlines()]
    last = world.events()
    if command[0] == "history":
        assert then.pop()["schema"] == "redrive.footing/1"
    else:
        assert then[0].pop("footing")["position"] == last
    for document in (*now, *then):  # what is due, and for how long, is told as of another moment
        for item in document.get("items", ()):
            item.pop("remaining_ms", None)
    if command != ["queues"]:
        assert then == now


def test_the_past_is_another_answer_and_advises_nothing(world: World) -> None:
    """Before the first event there was nothing; no command of today is suggested."""
    result = world.run("runs", "--at", "pos:0")
    assert result.stderr.splitlines()[0] == "No run is like that." or "no runs" in result.stderr
    assert "Next:" not in result.stderr
    assert "position 0, unsealed" in result.stderr
    shown = world.run("show", world.ids.blocked, "--at", "now")
    assert "redrive " + redrive.__version__ in shown.stderr
    assert "resume-plan" not in shown.output


@pytest.mark.parametrize("command", [["runs", "--at", "now"], ["diff", "pos:0", "now"], ["first", "1"]], ids=" ".join)
def test_view_checkpoints_are_as_far_apart_as_is_set(
    world: World, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sets 0 wants no copies of the views on that disk, whichever command looks at the past."""
    found: list[int] = []

    def noted(value: int, *_bounds: object) -> int:
        found.append(value)
        return value

    monkeypatch.setattr(checkpoints, "clean_integer", noted)
    monkeypatch.setenv("REDRIVE_CHECKPOINT_EVENTS", "0")
    said(world, command)
    assert found == [0]


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"diff", "first"}))
def test_who_acts_takes_no_position(world: World, name: str) -> None:
    """Only what shows and lists does; the others say so in a sentence."""
    given = {option for param in EVERY[name].params for option in param.opts}
    if "--at" in given:
        return
    result = world.run(*name.split(), "--at", "pos:1")
    assert result.exit_code == (64 if "verify" in name else 2)
    assert "--at is for commands that show and list" in result.stderr


@pytest.mark.parametrize("at", ["pos:x", "pos:9999999", "time:yesterday", "cp:zz", "soon"])
def test_a_bad_position_is_a_sentence(world: World, at: str) -> None:
    """With what would be accepted."""
    result = world.run("runs", "--at", at)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: position: ")


def test_a_diff_tells_rows_and_events(world: World) -> None:
    """As text and as JSON."""
    told = said(world, ["diff", "pos:3"])
    assert told.splitlines()[0] == "runs"
    assert f"  + {world.ids.blocked}" in told
    document = world.json("diff", "pos:3", "--table", "dead_letters")["item"]
    assert {change["table"] for change in document["changes"]} == {"dead_letters"}
    assert document["footing"]["position"] == document["end"]["position"] == world.events()
    assert world.run("diff", "now").stderr.startswith("Nothing differs")
    assert world.run("diff", "9", "3").exit_code == 2


def test_times_are_told_as_times(world: World) -> None:
    """A diff and a why are read by people; JSON has milliseconds."""
    due = world.json("show", world.ids.backoff)["item"]["due_ms"]
    for words in (["diff", "pos:0", "--table", "runs"], ["why", f"{world.ids.backoff}.due_ms"]):
        assert str(due) not in said(world, words)
        assert str(due) in world.run("--json", *words).stdout


def test_who_was_interrupted_was_classed_by_no_handler(world: World) -> None:
    """It never came to that."""
    assert world.run("tick").exit_code == 0
    told = said(world, ["why", f"{world.ids.lost}.nodes.fetch.status"])
    assert "class interrupted, elapsed" in told


def test_the_first_violation_is_told(world: World) -> None:
    """With its event and a row; the exit code tells whether there was one."""
    result = world.run("first", "SELECT run_id, status FROM runs WHERE status = 'blocked'")
    assert result.exit_code == 1
    assert f"violated by run.blocked of {world.ids.blocked[:8]}, " in result.stdout
    assert "status blocked" in result.stdout
    held = world.run("first", "1 = 1")
    assert held.exit_code == 0
    assert held.stdout.startswith("It holds at every position")
    assert [one["name"] for one in world.json("first", "--list")["items"]] == list(NAMED)
    for bad in ([], ["DELETE FROM runs"], ["1", "--every", "0"], ["1", "--from", "9", "--to", "3"]):
        assert world.run("first", *bad).exit_code == 2


def test_approximate_answers_say_so(world: World) -> None:
    """Nobody takes them for exact."""
    assert "what happened in between is not known" in said(world, ["first", "1", "--every", "7"])
    result = world.run("first", "SELECT 1 FROM runs", "--every", "7")
    assert "asked every 7 events" in result.stderr
