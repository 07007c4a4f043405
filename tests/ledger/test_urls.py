"""URLs in messages: no password, whatever stands beside it."""

import pytest

import redrive
from redrive import InvalidValue
from redrive.ledger.urls import hidden, urls_in


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///a.db postgresql://u:hunter2@h/x",
        "postgresql://u:hunter2@h/x,sqlite:///a.db",
        "sqlite:///a.db POSTGRES://u@h/x?password=hunter2",
        "sqlite:///a.db postgresql://u:hunter2/x",
    ],
)
def test_a_server_beside_a_file(text: str) -> None:
    """As where somebody gives several URLs for one."""
    assert "hunter2" not in str(hidden(text))
    assert "a.db" in str(hidden(text)) or text.startswith("postgresql")


def test_the_name_of_a_file_is_left_alone() -> None:
    """It may have any sign in it."""
    assert hidden("sqlite:///ops:7@night.db") == "sqlite:///ops:7@night.db"


@pytest.mark.parametrize("part", ["x", ":", "://", ":@", "postgres://", ", "])
def test_what_is_far_too_long_is_told_at_once(part: str) -> None:
    """A file given for a URL by mistake, say: what reads it ends, for it looks at no sign again and again."""
    text = part * 100_000
    assert hidden(text)
    assert urls_in(text)


@pytest.mark.parametrize("text", ["sqlite:///a.db,sqlite:///b.db", "sqlite:///a.db postgresql://u:hunter2@h/x"])
def test_several_urls_for_one_are_told_apart(text: str) -> None:
    """The command line takes them; a program was told of a folder that is missing."""
    with pytest.raises(InvalidValue, match="several are given as a list") as refused:
        redrive.open(text)
    assert "hunter2" not in str(refused.value)
