"""Decisions about dead letters: done, refused, and nothing happened."""

import json
from typing import Any

import pytest

import redrive
from tests.cli.logs import World

WHY = ("--reason", "checked", "--actor", "ana")


def standing(world: World, name: str) -> Any:
    """A dead letter as JSON."""
    return world.json("show", getattr(world.ids, name))["item"]


def test_a_retry_is_dispatched_at_once(world: World) -> None:
    """The run is queued again; who and why is in the log."""
    result = world.run("dead-letters", "retry", world.ids.letter[:8], *WHY)
    assert result.exit_code == 0
    assert "dispatched, its run is queued again; 1 of 5 dispatches used" in result.stdout
    assert "redrive --db " in result.stderr
    letter = standing(world, "letter")
    assert (letter["status"], letter["decided_by"], letter["decided_reason"]) == ("retrying", "human:ana", "checked")
    assert world.json("show", world.ids.blocked)["item"]["status"] == "queued"


def test_dead_letters_of_one_run_are_dispatched_together(world: World) -> None:
    """Several ids are one decision: one requeue, one generation."""
    result = world.run("dead-letters", "retry", world.ids.left, world.ids.right, *WHY)
    assert "retry: 2 done, 0 refused." in result.stdout
    assert {standing(world, name)["status"] for name in ("left", "right")} == {"retrying"}
    history = world.run("history", world.ids.pair).stdout
    assert history.count("run.requeued") == 1
    assert "2 nodes from left, right" in history


def test_all_that_the_filters_leave(world: World) -> None:
    """Open ones, unless a status says otherwise; nothing else is touched."""
    result = world.run("dead-letters", "retry", "--all", "--run", world.ids.pair[:8], *WHY)
    assert "retry: 2 done, 0 refused." in result.stdout
    assert standing(world, "letter")["status"] == "open"
    again = world.run("dead-letters", "retry", "--all", "--run", world.ids.pair, *WHY)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "nothing to retry" in again.stderr


@pytest.mark.parametrize(("command", "status"), [("ignore", "ignored"), ("abandon", "abandoned")])
def test_dead_letters_are_settled_and_reopened(world: World, command: str, status: str) -> None:
    """Both ways, many at a time."""
    done = world.json("dead-letters", command, "--all", "--automation", "pair", *WHY)
    assert [item["status"] for item in done["items"]] == [status, status]
    back = world.json("dead-letters", "reopen", "--all", "--status", status, *WHY)
    assert [item["status"] for item in back["items"]] == ["open", "open"]


def test_a_grant_renews_and_retries(world: World) -> None:
    """One more dispatch is allowed, and used."""
    result = world.run("dead-letters", "grant", world.ids.letter, "2", *WHY)
    assert "dispatched, its run is queued again; 1 of 7 dispatches used" in result.stdout


def test_a_grant_to_many(world: World) -> None:
    """What was parked alike is granted alike; open ones only when a status says so."""
    before = world.events()
    none = world.run("dead-letters", "grant", "--all", "1", *WHY)
    assert (none.exit_code, world.events(), "nothing to grant" in none.stderr) == (0, before, True)
    done = world.run("dead-letters", "grant", "--all", "--automation", "pair", "--status", "open", "2", *WHY)
    assert done.stdout.count("1 of 7 dispatches used") == 2
    assert "grant: 2 done, 0 refused." in done.stdout
    assert standing(world, "letter")["status"] == "open"


def test_a_note_on_many(world: World) -> None:
    """One text, an event for each; without a choice nothing is written."""
    done = world.run("dead-letters", "note", world.ids.left, world.ids.right, "bank was down", "--actor", "ana")
    assert "note: 2 done, 0 refused." in done.stdout
    assert world.run("history", world.ids.pair).stdout.count("note: bank was down (by ana)") == 2
    before = world.events()
    for words in (["text"], [world.ids.left, "--all", "text"], [world.ids.left, "nothing", "text"]):
        assert world.run("dead-letters", "note", *words).exit_code in (2, 4)
    assert world.events() == before


def test_a_retry_that_has_to_wait_says_why(world: World) -> None:
    """The run is paused: the request stands, and is dispatched later."""
    world.run("pause", world.ids.blocked, *WHY)
    result = world.run("dead-letters", "retry", world.ids.letter, *WHY)
    assert result.exit_code == 0
    assert "retry requested, to be dispatched later: " in result.stdout


def test_a_note_needs_no_reason(world: World) -> None:
    """It is one."""
    result = world.run("dead-letters", "note", world.ids.letter, "ask ana [red]")
    assert result.exit_code == 0
    assert "note: ask ana [red]" in world.run("show", world.ids.letter).stdout
    assert world.run("dead-letters", "note", world.ids.letter, " ").exit_code == 2


@pytest.mark.parametrize(
    ("first", "then", "why"),
    [
        ("retry", ["retry"], "it is retrying"),
        ("ignore", ["ignore"], "it is ignored"),
        ("abandon", ["retry"], "it is abandoned"),
        ("ignore", ["grant", "1"], "it is ignored"),
        ("retry", ["reopen"], "it is retrying"),
    ],
)
def test_what_does_not_fit_is_refused(world: World, first: str, then: list[str], why: str) -> None:
    """Exit 3, the stable code and a sentence; nothing was written."""
    assert world.run("dead-letters", first, world.ids.letter, *WHY).exit_code == 0
    before = world.events()
    result = world.run("dead-letters", then[0], world.ids.letter, *then[1:], *WHY)
    assert result.exit_code == 3
    assert result.stderr.startswith("Refused (not-allowed): cannot ")
    assert result.stderr.endswith(f"{why}\n")
    assert (result.stdout, world.events()) == ("", before)


def test_a_spent_budget_names_the_way_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Granting more is up to an operator."""
    monkeypatch.setenv("REDRIVE_MAX_DISPATCHES", "1")
    for _ in range(2):
        world.run("dead-letters", "retry", world.ids.left, *WHY)
        with redrive.open(world.url, redrive_policy=redrive.RedrivePolicy(max_dispatches=1)) as engine:
            while (claim := engine.local.claim(worker="w", start=True)) is not None:
                for attempt in claim.attempts:
                    engine.local.fail_attempt(attempt, redrive.Failure("provider_auth", "no"))
    result = world.run("dead-letters", "retry", world.ids.left, *WHY)
    assert result.exit_code == 3
    assert "used 1 of 1 dispatches; grant retries first" in result.stderr
    assert world.run("dead-letters", "grant", world.ids.left, "1", *WHY).exit_code == 0


def test_one_refusal_harms_no_other(world: World) -> None:
    """Each is reported; the exit code tells that something was refused."""
    world.run("dead-letters", "ignore", world.ids.left, *WHY)
    result = world.run("dead-letters", "abandon", world.ids.left, world.ids.right, *WHY, "--json")
    assert result.exit_code == 3
    items = json.loads(result.stdout)["items"]
    assert [(item["done"], item["status"]) for item in items] == [(False, "ignored"), (True, "abandoned")]
    assert items[0]["error"]["code"] == "not-allowed"


@pytest.mark.parametrize("unknown", ["ffffffff", "11111111-1111-5111-8111-111111111111"])
def test_an_unknown_id_stops_the_whole_command(world: World, unknown: str) -> None:
    """A typing error among several ids: nothing is done, exit 4."""
    before = world.events()
    result = world.run("dead-letters", "ignore", world.ids.letter, unknown, *WHY)
    assert (result.exit_code, world.events()) == (4, before)


def test_another_tenants_dead_letter_is_not_found(world: World) -> None:
    """Not even to ignore it."""
    assert world.run("dead-letters", "ignore", world.ids.their_letter, *WHY).exit_code == 4


@pytest.mark.parametrize("command", ["retry", "ignore", "abandon", "reopen", "grant"])
@pytest.mark.parametrize("reason", [[], ["--reason", ""], ["--reason", " \t"]])
def test_every_decision_demands_a_reason(world: World, command: str, reason: list[str]) -> None:
    """Exit 2 with a sentence; nothing was written."""
    before = world.events()
    number = ["1"] if command == "grant" else []
    result = world.run("dead-letters", command, world.ids.letter, *number, *reason)
    assert result.exit_code == 2
    assert "--reason TEXT is required" in result.stderr
    assert world.events() == before


@pytest.mark.parametrize(
    "words",
    [
        ["retry"],
        ["retry", "ID", "--all"],
        ["ignore", "ID", "--status", "open"],
        ["grant", "ID", "0"],
        ["grant", "ID", "x"],
        ["grant", "1"],
        ["grant", "ID"],
    ],
)
def test_a_choice_that_makes_no_sense_is_a_usage_error(world: World, words: list[str]) -> None:
    """Exit 2; nothing was written."""
    before = world.events()
    result = world.run("dead-letters", *[world.ids.letter if word == "ID" else word for word in words], *WHY)
    assert (result.exit_code, world.events()) == (2, before)
