"""The oracle of acknowledgements finds what is lost, and what is there twice."""

from typing import Any

from redrive.domain.event import Event, Recorded
from redrive.domain.identity import EventId, StreamId, Tenant
from redrive.domain.run.events import NoteAdded, RunPauseRequested
from redrive.faults.acknowledged import Acknowledged, key_of


def recorded(event: Event, position: int, *, command: int = 1, reason: str | None = None) -> Recorded:
    """An event as the log holds it."""
    id_ = EventId(f"{command:020x}{position:04x}")
    return Recorded(StreamId("r"), position, event, id_, 0, Tenant(), "r", reason=reason, position=position)


def broken(told: Acknowledged, *events: Recorded, heard: Any = ()) -> list[str]:
    """What is found."""
    return told.broken(events, heard)


def test_a_mark_that_was_acknowledged_is_there_once() -> None:
    """Lost, there, and there twice."""
    told = Acknowledged()
    mark = told.mark()
    told.kept(mark)
    note = NoteAdded(text=mark)
    assert "took place 0 times" in broken(told)[0]
    assert broken(told, recorded(note, 1)) == []
    assert "took place 2 times" in broken(told, recorded(note, 1), recorded(note, 2, command=2))[0]


def test_a_command_without_an_answer_may_be_there_once() -> None:
    """Nobody knows; but twice is always wrong. Its events have the reason that it gave."""
    told = Acknowledged()
    mark = told.mark()
    first, again = (recorded(RunPauseRequested(), n, command=n, reason=mark) for n in (1, 2))
    assert broken(told) == broken(told, first) == []
    assert "not acknowledged took place 2 times" in broken(told, first, again)[0]


def test_a_promise_is_kept_exactly_once() -> None:
    """It names the event that must be there."""
    told = Acknowledged()
    told.promise([("submitted", "r")], "submit")
    assert "acknowledged (submit), and 0 times in the log" in broken(told)[0]
    assert key_of(recorded(NoteAdded(text="x"), 1)) is None


def test_what_a_listener_heard_is_in_the_log() -> None:
    """The same event, at the same position."""
    event = recorded(NoteAdded(text="x"), 1)
    assert broken(Acknowledged(), event, heard=[(1, event.event_id)]) == []
    assert "a listener was told" in broken(Acknowledged(), event, heard=[(1, "other")])[0]
    assert "a listener was told" in broken(Acknowledged(), event, heard=[(2, event.event_id)])[0]
