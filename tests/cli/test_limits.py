"""``redrive limits``: set, seen, removed; and what is held back is told."""

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
    assert {entry["held_back"] for entry in ready} == {"capacity"}
