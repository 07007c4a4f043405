"""Events in words."""

import redrive
from redrive.cli import saying
from redrive.domain.event import CATALOGUE
from redrive.history import entry_of
from tests.cli.logs import World


def test_every_event_has_words() -> None:
    """A history of bare topics explains nothing."""
    topics = {cls.TOPIC for cls in CATALOGUE.values() if cls.__module__.startswith("redrive.")}
    assert topics <= set(saying.WORDS)


def test_every_event_of_a_log_is_told_on_one_line(world: World) -> None:
    """Also with hostile reasons, and after every operator command."""
    ids = world.ids
    for command in (["retry", ids.letter], ["ignore", ids.left], ["reopen", ids.left], ["grant", ids.right, "2"]):
        assert world.run("dead-letters", *command, "--reason", "why\x1b").exit_code == 0
    assert world.run("dead-letters", "resolve", ids.left, "--reason", "by hand", "--actor", "ana").exit_code == 0
    assert world.run("cancel", ids.queued, "--reason", "why").exit_code == 0
    with redrive.open(world.url) as engine:
        told = [saying.sentence_of(entry_of(event)) for event in engine.ledger.read(0, 1_000)]
    assert all(line.isprintable() for line in told)
    assert any("retry requested (by " in line and ": why\\x1b)" in line for line in told)
    assert "publish: succeeded" in told
    assert "resolved: done otherwise (by ana: by hand)" in told


def test_an_unknown_event_is_told_as_such() -> None:
    """A newer version wrote it; it is shown, never guessed."""
    from redrive.domain.event import Recorded, UnknownEvent
    from redrive.domain.identity import EventId, StreamId

    event = UnknownEvent("run.teleported/3", b'{"where": "\x1b"}')
    recorded = Recorded(StreamId("s"), 1, event, EventId("e"), 0, redrive.Tenant(), "run")
    assert saying.sentence_of(entry_of(recorded)) == "run.teleported (of a version that is not known here)"
