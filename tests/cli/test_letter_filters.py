"""Filters of dead letters: what they leave is what is decided about, never more."""

import pytest

from redrive.cli.letter_filters import given
from tests.cli.logs import World

EPOCH = "1970-01-01T00:00Z"


@pytest.mark.parametrize("option", ["--until", "--since"])
def test_the_first_moment_is_a_time_too(world: World, option: str) -> None:
    """Nothing failed before 1970: nothing is ignored, and not all of it."""
    before = world.json("dead-letters", "list", "--status", "open")["items"]
    result = world.json("dead-letters", "ignore", "--all", option, EPOCH, "--reason", "old")
    assert len(result["items"]) == (0 if option == "--until" else len(before))


def test_what_was_not_given_is_no_filter() -> None:
    """None, no word at all, and a flag that is not set; a zero and an empty text were given."""
    said = {"run": None, "status": (), "active_only": False, "until_ms": 0, "text": ""}
    assert given(said) == {"until_ms": 0, "text": ""}
