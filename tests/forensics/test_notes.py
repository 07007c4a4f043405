"""Notes about anything: kept with who and why, shown where people look, and deciding nothing."""

import pytest

import redrive
from tests.forensics.incidents import Incident

STRANGER = redrive.Tenant("acme", "billing", "prod")


def test_a_note_about_an_effect_or_an_event_is_in_history_timeline_and_search(incident: Incident) -> None:
    """It belongs to the run, and nothing of the run changed."""
    effect = incident.acme.effects().items[0].id
    before = incident.acme.show(incident.run)
    incident.acme.annotate(effect, "charged twice?", actor="ana", reason="ticket 4711")
    incident.acme.annotate("pos:8", "the first 503", actor="ana", reason="review")
    assert incident.acme.show(incident.run) == before
    history = [entry for entry in incident.acme.whole_history(incident.run) if entry.topic == "note.written"]
    assert [(one.actor, one.reason, one.data["text"]) for one in history] == [
        ("human:ana", "ticket 4711", "charged twice?"),
        ("human:ana", "review", "the first 503"),
    ]
    assert incident.acme.history(incident.run, text="twice").items[0].topic == "note.written"
    notes = [one.what for one in incident.acme.timeline(effect).entries if one.kind == "note"]
    assert notes == ["charged twice?"]


def test_a_note_about_a_run_or_a_dead_letter_lies_in_its_own_stream(incident: Incident) -> None:
    """As ``note`` and ``note_dead_letter`` put it, with a reason."""
    for key, topic in ((incident.run, "run.note-added"), (incident.letter, "dead-letter.noted")):
        incident.acme.annotate(key, "seen", actor="ana", reason="review")
        last = incident.engine.ledger.stream(key)[-1]
        assert (last.topic, last.reason) == (topic, "review")


def test_a_secret_in_a_note_is_not_kept(incident: Incident) -> None:
    """As in every text that people give."""
    incident.acme.annotate("pos:8", "password=hunter2", actor="ana", reason="review")
    assert b"hunter2" not in incident.engine.ledger.recorder.rows_after(incident.last() - 1, 1)[0][4]


@pytest.mark.parametrize("key", ["pos:1000", "pos:x", "nothing", "", 7])
def test_what_is_not_there_cannot_be_noted(incident: Incident, key: object) -> None:
    """And nothing is written."""
    last = incident.last()
    with pytest.raises((redrive.NotFound, redrive.InvalidValue)):
        incident.acme.annotate(key, "x", actor="ana", reason="y")  # type: ignore[arg-type]
    assert incident.last() == last


def test_another_tenants_records_cannot_be_noted(incident: Incident) -> None:
    """They look as if they did not exist."""
    last = incident.last()
    for key in ("pos:8", incident.run, incident.letter, incident.acme.effects().items[0].id):
        with pytest.raises(redrive.NotFound):
            incident.engine.for_tenant(STRANGER).annotate(key, "x", actor="eve", reason="y")
    assert incident.last() == last


@pytest.mark.parametrize(("text", "reason"), [("", "y"), (" ", "y"), ("x", ""), ("x", " ")])
def test_a_note_says_something_and_why(incident: Incident, text: str, reason: str) -> None:
    """Blank texts are refused."""
    with pytest.raises(redrive.InvalidValue):
        incident.acme.annotate(incident.run, text, actor="ana", reason=reason)


def test_notes_survive_a_rebuild_and_more_of_them(incident: Incident) -> None:
    """The stream goes on, also in another process."""
    for n in range(3):
        incident.acme.annotate("pos:8", f"note {n}", actor="ana", reason="review")
    stream = incident.engine.ledger.read(incident.last() - 3)
    assert [event.version for event in stream] == [1, 2, 3]
    assert incident.engine.ledger.agenda_rows() == incident.engine.ledger.agenda_from_log()
