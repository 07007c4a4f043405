"""Events to stored bytes and back, today and for ever."""

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from redrive.domain.errors import StorageError
from redrive.domain.event import Cause, Event, Recorded, UnknownEvent
from redrive.domain.identity import SYSTEM, EventId, NodeId, StreamId, Tenant
from redrive.domain.run.events import AttemptSucceeded, NoteAdded
from redrive.domain.values import JsonValue
from redrive.ledger.mapper import decode
from redrive.ledger.persistence import EventMapper
from tests.ledger.samples import SAMPLES, enveloped, samples_of
from tests.ledger.world import catalogue, recorded
from tests.ledger.write_history import FOLDER, file_of, write_missing

pytestmark = pytest.mark.sqlite_only  # no log is opened

MAPPER = EventMapper.__new__(EventMapper)
HISTORY = sorted(FOLDER.glob("*.json"))
JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Renamed(Event):
    """An event whose second version renamed a field."""

    TOPIC: ClassVar[str] = "test.renamed"
    VERSION: ClassVar[int] = 2

    name: str

    @classmethod
    def upcast(cls, body: dict[str, JsonValue], version: int) -> dict[str, JsonValue]:
        """Version 1 called it *title*."""
        if version != 1:
            return super().upcast(body, version)
        return {"name": body["title"]}


def stored(topic: str, state: bytes, tenant: str = "local/default/default") -> Recorded:
    """The event of a row with this topic and state."""
    return decode(7, StreamId("s"), 1, topic, state, tenant, "s", 5)


def envelope(data: object, **more: object) -> bytes:
    """A stored state around *data*."""
    state = MAPPER.to_stored_event(recorded("s", 1)).state
    return json.dumps({**json.loads(state), "data": data, **more}).encode()


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.TOPIC)
def test_every_event_comes_back_equal_with_its_envelope(event: Event) -> None:
    """Nothing of an event or of its envelope is lost in the log."""
    before = enveloped(event)
    assert MAPPER.to_domain_event(MAPPER.to_stored_event(before)) == before


@given(st.text(), st.none() | st.text())
@settings(max_examples=100)
def test_an_envelope_is_what_pydantic_would_write(text: str, told: str | None) -> None:
    """The envelope is put together by hand, for speed; not a byte of the log may differ by that."""
    cause = None if told is None else Cause("command", text)
    r = Recorded(StreamId("s"), 1, NoteAdded(text=text), EventId(text), 7, Tenant("é"), text, SYSTEM, told, cause, text)
    stored = MAPPER.to_stored_event(r)
    actor = (r.actor.kind, r.actor.id, r.actor.on_behalf_of)
    written = {"id": text, "at": 7, "tenant": stored.tenant, "actor": actor, "reason": told, "correlation": text}
    cause_written = None if cause is None else (cause.kind, cause.id)
    assert stored.state == to_json({**written, "cause": cause_written, "engine": text, "data": r.event})


def test_every_event_of_the_catalogue_has_a_sample() -> None:
    """A new event needs a sample; one that is gone from the catalogue must not lose its own."""
    assert {event.STORED_AS for event in SAMPLES} == set(catalogue())


@given(output=JSON, text=st.text())
@settings(max_examples=200, deadline=None)
def test_any_document_and_text_comes_back_equal(output: JsonValue, text: str) -> None:
    """Outputs are kept exactly: dependants compute with them."""
    event = AttemptSucceeded(node=NodeId("n"), number=1, lifetime=1, epoch=1, output=output, report=text)
    back = MAPPER.to_domain_event(MAPPER.to_stored_event(recorded("s", 1, event))).event
    assert isinstance(back, AttemptSucceeded)
    assert back == event
    assert json.dumps(back.output) == json.dumps(output)


def test_the_columns_say_what_queries_need() -> None:
    """Topic with version, tenant, correlation, stream and version are readable without decoding."""
    row = MAPPER.to_stored_event(enveloped(NoteAdded(text="x")))
    assert (row.topic, row.tenant, row.originator_version) == ("run.note-added/1", "acme/ü/prod", 1)
    assert row.correlation == row.originator_id


def test_every_event_of_the_catalogue_has_frozen_bytes() -> None:
    """Run ``python -m tests.ledger.write_history`` after adding an event or a version."""
    assert {file_of(key).name for key in catalogue()} <= {path.name for path in HISTORY}


@pytest.mark.parametrize("path", HISTORY, ids=lambda path: path.stem)
def test_what_was_stored_once_can_be_read_for_ever(path: Path) -> None:
    """The frozen bytes of every version decode to the samples; never change a file of tests/history."""
    topic, _, version = path.stem.rpartition(".")
    states = path.read_bytes().splitlines()
    events = [decode(0, StreamId("s"), 1, f"{topic}/{version}", state, "acme/ü/prod", "s", 0) for state in states]
    assert [found.event for found in events] == samples_of(f"{topic}/{version}")
    wanted = enveloped(samples_of(f"{topic}/{version}")[0])
    for name in ("event_id", "occurred_at_ms", "actor", "reason", "causation", "engine", "tenant"):
        assert {getattr(found, name) for found in events} == {getattr(wanted, name)}


@pytest.mark.parametrize("path", HISTORY, ids=lambda path: path.stem)
def test_the_newest_version_is_still_written_as_it_was(path: Path) -> None:
    """Another version of redrive, already installed somewhere, must be able to read what this one writes."""
    topic, _, version = path.stem.rpartition(".")
    if f"{topic}/{version}" in catalogue():
        written = [MAPPER.to_stored_event(enveloped(event)).state for event in samples_of(f"{topic}/{version}")]
        assert [json.loads(state) for state in written] == [json.loads(s) for s in path.read_bytes().splitlines()]


def test_samples_are_written_once_and_never_again(tmp_path: Path) -> None:
    """The script adds what is missing; it does not touch what is there."""
    assert len(write_missing(tmp_path)) == len(catalogue())
    kept = file_of("run.note-added/1", tmp_path)
    kept.write_text("mine")
    file_of("run.paused/1", tmp_path).unlink()
    assert write_missing(tmp_path) == [file_of("run.paused/1", tmp_path)]
    assert kept.read_text() == "mine"


@pytest.mark.parametrize("topic", ["run.note-added/2", "run.teleported/1", "odd", "", "run.note-added/x", "a/²"])
@pytest.mark.parametrize("state", [envelope({"x": 1}), b"\xff\x00garbage", b"", b"[1]", b'{"id": 3, "at": "x"}'])
def test_what_is_unknown_is_kept_byte_for_byte(topic: str, state: bytes) -> None:
    """A newer version's event, or nonsense under an unknown topic, survives a round trip."""
    found = stored(topic, state)
    assert found.event == UnknownEvent(topic, state)
    again = MAPPER.to_stored_event(found)
    assert (again.topic, again.state) == (topic, state)


def test_an_unknown_event_still_tells_its_id_and_time() -> None:
    """Its envelope is read when it is one of ours."""
    found = stored("run.note-added/9", envelope({}, id="ab", at=12, engine="9.0"))
    assert (found.event_id, found.occurred_at_ms, found.engine, found.topic) == ("ab", 12, "9.0", "run.note-added")


BROKEN: list[bytes] = [
    b"",
    b"\xff\xfe",
    b"[]",
    b"{}",
    envelope(None),
    envelope({"text": 1}),
    envelope({"text": "x", "more": 1}),
    envelope({"text": "x"}, actor=["human"]),
    envelope({"text": "x"}, actor=[["human"], "x", None]),
    envelope({"text": "x"}, cause=[]),
    b"[" * 100_000,
]


@pytest.mark.parametrize("state", BROKEN, ids=range(len(BROKEN)))
def test_garbage_under_a_known_topic_is_a_storage_error(state: bytes) -> None:
    """It names the stream and version, so that an operator finds it."""
    with pytest.raises(StorageError, match=r"event s version 1 \(run.note-added/1\) cannot be read"):
        stored("run.note-added/1", state)


def test_a_damaged_tenant_is_a_storage_error() -> None:
    """A column can be damaged as well as a state."""
    with pytest.raises(StorageError, match="the tenant 'nobody' of a row cannot be read"):
        stored("run.note-added/1", envelope({"text": "x"}), tenant="nobody")


def test_an_older_version_is_brought_up_to_date() -> None:
    """Upcasting works on the stored dict; the rest of the envelope stays."""
    assert stored("test.renamed/1", envelope({"title": "x"}, id="ab")).event == Renamed(name="x")
    assert stored("test.renamed/2", envelope({"name": "x"})).event == Renamed(name="x")
    assert isinstance(stored("test.renamed/3", envelope({"name": "x"})).event, UnknownEvent)


@pytest.mark.parametrize("state", [b"{}", b"[]", b"garbage", envelope({}), envelope({"title": 1}), envelope(None)])
def test_garbage_of_an_older_version_is_a_storage_error(state: bytes) -> None:
    """Whatever an upcaster stumbles over."""
    with pytest.raises(StorageError):
        stored("test.renamed/1", state)


def test_a_version_without_an_upcaster_is_a_storage_error() -> None:
    """Nothing is guessed."""
    with pytest.raises(StorageError, match="no upcaster from version 0"):
        stored("test.renamed/0", envelope({"title": "x"}))


def test_stored_states_are_plain_json_objects() -> None:
    """The log can be read with any tool."""
    bodies: list[dict[str, Any]] = [json.loads(MAPPER.to_stored_event(enveloped(event)).state) for event in SAMPLES]
    assert {tuple(body) for body in bodies} == {
        ("id", "at", "tenant", "actor", "reason", "correlation", "cause", "engine", "data")
    }
