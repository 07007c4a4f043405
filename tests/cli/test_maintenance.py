"""tick, views and log."""

import json

import pytest

from tests.cli.logs import THEIRS, World


def test_a_tick_reclaims_and_sweeps(world: World) -> None:
    """It says what it did; the next has nothing to do."""
    result = world.run("tick")
    assert result.exit_code == 0
    assert f"run {world.ids.lost[:8]}: taken from a worker that is gone" in result.stdout
    again = world.run("tick")
    assert (again.stdout, "Nothing was due" in again.stderr) == ("", True)


def test_a_tick_tells_acts_and_reasons(world: World) -> None:
    """As JSON: what was reclaimed, acted on, skipped."""
    world.run("pause", world.ids.blocked, "--reason", "x")
    world.run("dead-letters", "retry", world.ids.letter, "--reason", "x")
    world.run("resume", world.ids.blocked, "--reason", "x")
    item = world.json("tick")["item"]
    assert item["reclaimed"] == [world.ids.lost]
    assert [(act["dead_letter"], act["act"], act["why"]) for act in item["acted"]] == [
        (world.ids.letter, "dispatch", "due")
    ]
    assert item["skipped"] == []


def test_a_tick_of_one_tenant_leaves_the_others_alone(world: World) -> None:
    """Without --tenant it serves all."""
    assert json.loads(world.run("--json", "tick", tenant=str(THEIRS)).stdout)["item"]["reclaimed"] == []
    assert world.json("tick")["item"]["reclaimed"] == [world.ids.lost]


def test_views_tell_where_they_stand(world: World) -> None:
    """And do not fall behind what was asked."""
    world.run("runs")
    item = world.json("views", "status")["item"]
    assert (item["position"], item["lag"]) == (world.events(), 0)
    assert item["path"] in world.run("views", "status").stdout


def test_views_are_rebuilt(world: World) -> None:
    """The answers are the same."""
    before = world.run("--json", "runs").stdout
    result = world.run("views", "rebuild")
    assert f"folded anew from {world.events()} events" in result.stdout
    assert world.run("--json", "runs").stdout == before


def test_the_log_ends_with_the_last_event(world: World) -> None:
    """The oldest of the last ones first; only this tenant's."""
    lines = world.run("log", "tail", "-n", "3").stdout.splitlines()
    positions = [int(line.split()[0]) for line in lines]
    assert (len(lines), positions) == (3, sorted(positions))
    assert positions[-1] == world.events()
    everything = world.run("log", "tail", "-n", "1000").stdout
    assert len(everything.splitlines()) < world.events()
    assert world.run("log", "tail", "-n", "0").output == ""
    assert f"run.blocked  {world.ids.blocked[:8]} the run is blocked" in everything


@pytest.mark.parametrize(
    ("topic", "least"), [("run.completed", 1), ("dead-letter", 3), ("dead-letter.*", 3), ("run.", 20)]
)
def test_topics_are_chosen_whole_or_by_their_beginning(world: World, topic: str, least: int) -> None:
    """At a dot: ``run`` chooses no ``running``."""
    result = world.run("--json", "log", "tail", "-n", "1000", "--topic", topic)
    topics = {json.loads(line)["topic"] for line in result.stdout.splitlines()}
    assert all(name == topic or name.startswith(topic.rstrip(".*") + ".") for name in topics)
    assert len(result.stdout.splitlines()) >= least
    assert "No event is like that." in world.run("log", "tail", "--topic", "runn").stderr


def test_the_tail_is_read_window_by_window(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the end, as far as needed."""
    from redrive.cli import log

    whole = world.run("log", "tail", "-n", "1000").stdout.splitlines()
    monkeypatch.setattr(log, "WINDOW", 2)
    assert world.run("log", "tail", "-n", "7").stdout.splitlines() == whole[-7:]
    submitted = world.run("log", "tail", "-n", "1000", "--topic", "run.submitted").stdout.splitlines()
    assert submitted == [line for line in whole if "run.submitted" in line]


def test_an_event_is_shown_in_full(world: World) -> None:
    """Who, why, what led to it, and its body."""
    world.run("cancel", world.ids.queued, "--reason", "not\x1bneeded", "--actor", "ana")
    position = str(world.events())
    told = world.run("log", "show", position).stdout
    assert "human:ana" in told
    assert "not\\x1bneeded" in told
    assert world.json("log", "show", position)["item"]["data"]["was"] == "queued"


@pytest.mark.parametrize("position", ["0", "-1", "999999", "99999999999999999999999"])
def test_a_position_without_an_event_is_not_found(world: World, position: str) -> None:
    """Exit 4; another tenant's event looks the same."""
    assert world.run("log", "show", "--", position).exit_code == 4
    their_events = world.run("--json", "log", "tail", tenant=str(THEIRS)).stdout.splitlines()
    theirs = str(json.loads(their_events[0])["position"])
    told = world.run("log", "show", theirs)
    assert (told.exit_code, told.stderr) == (4, f"Error: event at position '{theirs}' was not found\n")
