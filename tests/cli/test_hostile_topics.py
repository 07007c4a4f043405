"""Topics that no version knows, with what a terminal would act on: every command that names them says so in letters."""

import sqlite3
from contextlib import closing

import pytest

from tests.cli.logs import World

HOSTILE = "future.\x1b[31m<b>/&\x07/1"


def rename(world: World, topic: str) -> int:
    """Give the last event of a topic a hostile one; its position."""
    with closing(sqlite3.connect(world.url.removeprefix("sqlite:///"))) as connection:
        connection.execute("DROP TRIGGER events_no_update")
        query = "SELECT max(position) FROM events WHERE topic LIKE ?"
        (position,) = connection.execute(query, (f"{topic}/%",)).fetchone()
        connection.execute("UPDATE events SET topic = ? WHERE position = ?", (HOSTILE, position))
        connection.commit()
    return int(position)


@pytest.mark.parametrize(
    "command",
    [
        *(("diff", "pos:1", "now"), ("history", "{run}"), ("timeline", "{run}"), ("why", "pos:{at}"), ("log", "tail")),
        *(("blast", "pos:{at}"), ("show", "{run}"), ("replay", "--check"), ("first", "SELECT * FROM unknown_events")),
        ("history", "{run}", "--at", "now"),
    ],
    ids=" ".join,
)
def test_nothing_reaches_the_terminal_raw(world: World, command: tuple[str, ...]) -> None:
    """Colours, bells and markup stay letters."""
    at = rename(world, "run.attempt-succeeded")
    result = world.run(*(word.format(at=at, run=world.ids.completed) for word in command))
    assert not {"\x1b", "\x07"} & {*result.output}
    assert result.exit_code in (0, 1), result.output
