"""``redrive limits``: set, seen, removed; and what is held back is told."""

import pytest

from tests.cli.logs import World
from tests.cli.test_schemas import FROZEN

WHY = ("--reason", "the bank asked for it")


def test_a_limit_is_set_listed_and_removed(world: World) -> None:
    """Also as JSON, with what is in use: the lost worker holds a run."""
    assert world.run("limits", "set", "total", "--concurrency", "1", *WHY).exit_code == 0
    (item,) = world.json("limits", "list")["items"]
    assert (item["scope"], item["concurrency"], item["in_use"], item["tokens"]) == ("total", 1, 1, None)
    assert sorted(item) == FROZEN["redrive.limits/1"]
    assert "total" in world.run("limits", "list").stdout
    assert world.json("limits", "remove", "total", *WHY)["item"]["command"] == "remove"
    assert world.json("limits", "list")["items"] == []


def test_a_rate_has_a_period_and_a_burst(world: World) -> None:
    """In words that people type."""
    command = ("limits", "set", "provider", "stripe", "--rate", "10", "--per", "2min", "--burst", "3")
    item = world.json(*command, *WHY)["item"]
    assert item["rate"] == {"tokens": 10, "period_ms": 120_000, "burst": 3}
    assert "provider:stripe, 10 per 2 min, 3 at once" in world.run("log", "tail", "-n", "1").stdout


def test_a_limit_needs_a_reason_and_numbers(world: World) -> None:
    """Refused with exit code 2; nothing was written."""
    before = world.events()
    for wrong in (["--concurrency", "1"], WHY, ["--concurrency", "-1", *WHY], ["--rate", "1", "--per", "soon", *WHY]):
        assert world.run("limits", "set", "resource", "bank", *wrong).exit_code == 2
    assert world.run("limits", "remove", "resource", "bank", *WHY).exit_code == 4
    assert world.events() == before


def test_a_run_beyond_the_capacity_says_so(world: World) -> None:
    """In the queue, at query time: no event is needed for that."""
    assert world.run("limits", "set", "total", "--concurrency", "1", *WHY).exit_code == 0
    ready = world.json("queues", "ready")["items"]
    assert {(entry["held_back"], *entry["held_by"]) for entry in ready} == {("capacity", "total")}


def test_what_is_not_named_is_kept(world: World) -> None:
    """The answer shows the whole limit; what is to go is named."""
    bank = ("limits", "set", "provider", "bank")
    world.run(*bank, "--rate", "10", "--per", "2min", *WHY)
    told = world.run(*bank, "--concurrency", "3", *WHY).stdout
    assert "set: provider:bank, 3 at a time, 10 per 2 min, 10 at once" in told
    assert world.json(*bank, "--no-rate", *WHY)["item"]["rate"] is None
    world.run(*bank, "--rate", "5", *WHY)
    dropped = world.json(*bank, "--no-concurrency", *WHY)["item"]
    assert (dropped["concurrency"], dropped["rate"]["tokens"]) == (None, 5)


@pytest.mark.parametrize(
    "wrong", [["--no-rate"], ["--rate", "1", "--no-rate"], ["--concurrency", "1", "--no-concurrency"], ["--per", "1s"]]
)
def test_a_change_that_means_nothing_is_refused(world: World, wrong: list[str]) -> None:
    """Exit 2: what would be left is no limit, or the words contradict each other. Nothing was written."""
    assert world.run("limits", "set", "total", "--rate", "1", *WHY).exit_code == 0
    before = world.events()
    assert world.run("limits", "set", "total", *wrong, *WHY).exit_code == 2
    assert world.events() == before
