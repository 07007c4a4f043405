"""Events to stored bytes and back, by pydantic-core.

The topic column holds ``topic/version``; the state is one JSON object: the envelope, and the event's body under
``data``. A topic or version this code does not know is kept verbatim as ``UnknownEvent``.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NotRequired

import pydantic_core
from eventsourcing.persistence import Mapper, StoredEvent
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


class EventMapper(Mapper[str]):
    """Maps ``Recorded`` to ``LoggedEvent`` and back."""

    def to_stored_event(self, domain_event: Recorded) -> LoggedEvent:  # type: ignore[override]
        """The row of an event, ready to insert."""
        return LoggedEvent(*row_of(domain_event))

    def to_domain_event(self, stored_event: StoredEvent) -> Recorded:
        """The event of a row. Raises StreamDamaged when the bytes of a known topic make no sense."""
        assert isinstance(stored_event, LoggedEvent)
        s = stored_event
        return decode(
            s.position, StreamId(str(s.originator_id)), s.originator_version, s.topic, s.state, s.tenant, s.correlation,
            s.recorded_at_ms,
        )  # fmt: skip


NewRow = tuple[str, int, str, bytes, str, str, int]


def row_of(recorded: Recorded) -> NewRow:
    """The columns of an event, as they are inserted: a tuple, because this is on the way of every commit."""
    event, tenant = recorded.event, str(recorded.tenant)
    if isinstance(event, UnknownEvent):
        topic, state = event.topic, event.state
    else:
        topic, state = event.STORED_AS, _encode(recorded, event, tenant)
    return recorded.stream, recorded.version, topic, state, tenant, recorded.correlation, recorded.recorded_at_ms


def _encode(recorded: Recorded, event: Event, tenant: str) -> bytes:
    actor, cause = recorded.actor, recorded.causation
    return pydantic_core.to_json(
        {
            "id": recorded.event_id,
            "at": recorded.occurred_at_ms,
            "tenant": tenant,
            "actor": (actor.kind, actor.id, actor.on_behalf_of),
            "reason": recorded.reason,
            "correlation": recorded.correlation,
            "cause": None if cause is None else (cause.kind, cause.id),
            "engine": recorded.engine,
            "data": event,
        }
    )


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
        return Recorded(
            stream,
            version,
            body["data"],
            body["id"],
            body["at"],
            tenant_named(tenant),
            correlation,
            _principal(*body["actor"]),
            body["reason"],
            None if cause is None else Cause(*cause),
            body["engine"],
            position,
            recorded_at_ms,
            _payload_of(body["encrypted"]) if "encrypted" in body else "",
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
