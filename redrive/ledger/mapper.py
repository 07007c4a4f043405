"""Events to stored bytes and back, by pydantic-core.

The topic column holds ``topic/version``; the state is one JSON object: the envelope, and the event's body under
``data``. A topic or version this code does not know is kept verbatim as ``UnknownEvent``.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from json.encoder import encode_basestring as _quoted
from typing import Any, NamedTuple, NotRequired

import pydantic_core
from eventsourcing.persistence import StoredEvent
from pydantic import TypeAdapter
from typing_extensions import TypedDict

import redrive.domain.compensation.state
import redrive.domain.dead_letter.state
import redrive.domain.effect.state
import redrive.domain.records
import redrive.domain.run.evolution  # noqa: F401  (the catalogue is complete once these are imported)
from redrive.domain.errors import InvalidValue, StorageError, StreamDamaged
from redrive.domain.event import CATALOGUE, Cause, Event, PayloadState, Recorded, UnknownEvent
from redrive.domain.identity import EventId, Principal, StreamId, Tenant


@dataclass(frozen=True, slots=True)
class LoggedEvent(StoredEvent):
    """A stored event with the columns that queries and proofs need beside its state."""

    tenant: str = ""
    correlation: str = ""
    recorded_at_ms: int = 0
    position: int = 0


NewRow = tuple[str, int, str, bytes, str, str, int]
_made = tuple.__new__  # what the constructor of a named tuple ends with: here is where a replay spends its time
Appended = tuple[StreamId, int, Event | UnknownEvent, EventId, Tenant, str, Cause | None]
"""An event with its stream, version, id, tenant, correlation and cause."""


class Envelope(NamedTuple):
    """What the events of one decision have in common."""

    occurred_at_ms: int
    actor: Principal
    reason: str | None
    engine: str
    recorded_at_ms: int


def row_of(r: Recorded) -> NewRow:
    """The columns of an event, as they are inserted."""
    appended = (r.stream, r.version, r.event, r.event_id, r.tenant, r.correlation, r.causation)
    return rows_of((appended,), Envelope(r.occurred_at_ms, r.actor, r.reason, r.engine, r.recorded_at_ms))[0]


def rows_of(decided: Iterable[Appended], envelope: Envelope) -> list[NewRow]:
    """The columns of the events of one decision. Most of them have one tenant, correlation and cause too, so that most
    of an envelope is encoded once: this is on the way of every commit."""
    rows: list[NewRow] = []
    seen = owner = caused_by = None
    text, head, caused, tail = "", "", "null", f',"engine":{_quoted(envelope.engine)},"data":'
    at = envelope.recorded_at_ms
    for stream, version, event, id_, tenant, correlation, cause in decided:
        if tenant is not owner or correlation != seen:
            owner, seen, text = tenant, correlation, str(tenant)
            head = _head(envelope, text, correlation)
        if type(event) is UnknownEvent:
            topic, state = event.topic, event.state
        else:
            if cause is not caused_by:
                caused_by, caused = cause, f"[{_quoted(cause.kind)},{_quoted(cause.id)}]" if cause else "null"
            topic, body = _encoder(type(event))
            state = f'{{"id":{_quoted(id_)}{head}{caused}{tail}'.encode() + body(event) + b"}"
        rows.append((stream, version, topic, state, text, correlation, at))
    return rows


@cache
def _encoder(cls: type[Event]) -> tuple[str, Callable[[Event], bytes]]:
    """The topic of a class of events as it is stored, and what makes JSON of one. Remembered, because looking up the
    attributes of a model or its class takes long."""
    return cls.STORED_AS, cls.__pydantic_serializer__.to_json


def _head(envelope: Envelope, tenant: str, correlation: str) -> str:
    """What stands in a state between the id and the cause."""
    actor = envelope.actor
    return (
        f',"at":{envelope.occurred_at_ms},"tenant":{_quoted(tenant)},'
        f'"actor":[{_quoted(actor.kind)},{_quoted(actor.id)},{_or_null(actor.on_behalf_of)}],'
        f'"reason":{_or_null(envelope.reason)},"correlation":{_quoted(correlation)},"cause":'
    )


def _or_null(text: str | None) -> str:
    return "null" if text is None else _quoted(text)


def decode(
    position: int,
    stream: StreamId,
    version: int,
    topic: str,
    state: bytes,
    tenant: str,
    correlation: str,
    recorded_at_ms: int,
) -> Recorded:
    """The event of a row, given as its columns in the order of the table."""
    try:
        body: _Stored = _decoder(topic)(state)
        cause = body["cause"]
        return _made(
            Recorded,
            (
                stream,
                version,
                body["data"],
                body["id"],
                body["at"],
                tenant_named(tenant),
                correlation,
                _principal(*body["actor"]),
                body["reason"],
                None if cause is None else _made(Cause, cause),
                body["engine"],
                position,
                recorded_at_ms,
                _payload_of(body["encrypted"]) if "encrypted" in body else "",
            ),
        )
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # an upcaster's as well
        raise StreamDamaged(
            f"event {stream} version {version} ({topic}) cannot be read: {_why(state, error)}"
        ) from error


def _why(state: object, error: Exception) -> str:
    """What is wrong with a state: ``redrive.privacy`` says so where a payload does not decrypt."""
    with contextlib.suppress(ValueError, TypeError, LookupError):
        said = pydantic_core.from_json(state)["encrypted"]  # type: ignore[arg-type]
        if isinstance(said, str) and said.startswith("damaged: "):
            return said.removeprefix("damaged: ")
    return str(error)


def _payload_of(said: object) -> PayloadState:
    """Why the payload of a state cannot be read: ``redrive.privacy`` leaves the ciphertext where it has no key."""
    return "destroyed" if said == "destroyed" else "locked"


def event_id_of(state: bytes) -> EventId:
    """The id of the event with this state, whatever else it holds."""
    return _unknown("", state)["id"]


def shown(rows: Iterable[Sequence[Any]]) -> list[Recorded]:
    """The events of *rows* for readers: one whose bytes make no sense is kept verbatim, like an unknown one, so that
    it hides nothing else. Whoever decides uses ``decode``."""
    found = []
    for row in rows:
        try:
            found.append(decode(*row))
        except StreamDamaged:
            if not _is_sound(row):
                raise  # the file itself is damaged, not only what was written to it
            found.append(_verbatim(*row))
    return found


def is_read(row: Sequence[Any]) -> bool:
    """Whether the event of a row can be read: what ``decode`` looks at, without making the event."""
    _, _, _, topic, state, tenant, _, _ = row
    try:
        body = _decoder(topic)(state)
        tenant_named(tenant)
        _principal(*body["actor"])
        return body["data"].__class__ is not UnknownEvent
    except (ValueError, TypeError, LookupError, AttributeError, StorageError):
        return False


def _is_sound(row: Sequence[Any]) -> bool:
    """Whether the columns of a row are what was written, whatever its state holds."""
    _, stream, _, topic, state, tenant, correlation, _ = row
    texts = all(isinstance(text, str) for text in (stream, topic, tenant, correlation))
    return texts and isinstance(state, bytes) and tenant.count("/") == 2


def _verbatim(
    position: int,
    stream: StreamId,
    version: int,
    topic: str,
    state: bytes,
    tenant: str,
    correlation: str,
    recorded_at_ms: int,
) -> Recorded:
    """The event of a row, given as for ``decode``, as if its topic were unknown."""
    body = _unknown(topic, state)
    return Recorded(
        stream,
        version,
        body["data"],
        body["id"],
        body["at"],
        tenant_named(tenant),
        correlation,
        position=position,
        recorded_at_ms=recorded_at_ms,
    )


class _Stored(TypedDict):
    """What is read of a state. It also holds the tenant and the correlation, which are columns of the row."""

    id: EventId
    at: int
    actor: tuple[Any, str, str | None]
    reason: str | None
    cause: tuple[Any, str] | None
    engine: str
    data: Any
    encrypted: NotRequired[Any]


@cache
def _decoder(topic: str) -> Callable[[bytes], _Stored]:
    """The function that decodes the states of *topic* (``topic/version``)."""
    if (cls := CATALOGUE.get(topic)) is not None:
        return _validator(cls)
    name, _, version = topic.rpartition("/")
    current = next((c for c in CATALOGUE.values() if name == c.TOPIC), None)
    if current is not None and version.isascii() and version.isdigit() and int(version) < current.VERSION:
        return _upcaster(current, int(version))
    return lambda state: _unknown(topic, state)


def _validator(cls: type[Event]) -> Callable[[bytes], _Stored]:
    shape: Any = TypedDict("Stored", {**_Stored.__annotations__, "data": cls})  # type: ignore[misc]
    validate: Callable[[bytes], _Stored] = TypeAdapter(shape).validator.validate_json
    return validate


def _upcaster(cls: type[Event], version: int) -> Callable[[bytes], _Stored]:
    validate = _validator(cls)

    def decode_old(state: bytes) -> _Stored:
        body = pydantic_core.from_json(state)
        body["data"] = cls.upcast(body["data"], version)
        return validate(pydantic_core.to_json(body))

    return decode_old


def _unknown(topic: str, state: bytes) -> _Stored:
    """What can be known of an unknown event: its envelope, when it has one of ours."""
    found: Any = {}
    with contextlib.suppress(ValueError):
        found = pydantic_core.from_json(state)
    if not isinstance(found, dict):
        found = {}
    return _Stored(
        id=EventId(str(found.get("id", ""))),
        at=found["at"] if isinstance(found.get("at"), int) else 0,
        actor=("external", "unknown", None),
        reason=None,
        cause=None,
        engine=str(found.get("engine", "")),
        data=UnknownEvent(topic, bytes(state)),
    )


@lru_cache(maxsize=4096)
def tenant_named(text: str) -> Tenant:
    """The tenant of a column. Raises StorageError."""
    try:
        return Tenant.parse(text)
    except (InvalidValue, AttributeError) as error:
        raise StorageError(f"the tenant {text!r} of a row cannot be read: {error}") from error


@lru_cache(maxsize=4096)
def _principal(kind: Any, id_: str, on_behalf_of: str | None) -> Principal:
    return Principal(kind, id_, on_behalf_of)
