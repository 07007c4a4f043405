"""What an event is, how it is recorded, and how a state evolves by it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, NamedTuple, Protocol, TypeVar, final

from pydantic import BaseModel, ConfigDict

from redrive.domain.identity import SYSTEM, EventId, Principal, StreamId, Tenant
from redrive.domain.values import JsonValue


class Versioned(Protocol):
    """A state that counts the events folded into it."""

    version: int


S = TypeVar("S", bound=Versioned)
E = TypeVar("E", bound="Event")

CATALOGUE: dict[str, "type[Event]"] = {}
"""Every event class by its key, ``topic/version``: the name under which it is stored."""


class Event(BaseModel):
    """A past fact. *TOPIC* and *VERSION* name it in the log for ever; module paths never reach the log."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    TOPIC: ClassVar[str]
    VERSION: ClassVar[int] = 1
    ADDED: ClassVar[dict[int, dict[str, JsonValue]]] = {}
    """The fields that a version added, by version, each with what it is in events of the versions before."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        key = cls.STORED_AS = f"{cls.TOPIC}/{cls.VERSION}"
        known = CATALOGUE.setdefault(key, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"two event classes claim {key}: {CATALOGUE[key].__qualname__} and {cls.__qualname__}")

    STORED_AS: ClassVar[str]
    """``topic/version``, as stored."""

    @classmethod
    def upcast(cls, body: dict[str, JsonValue], version: int) -> dict[str, JsonValue]:
        """The *body* that an older *version* wrote, as this version would have written it."""
        for later in range(version + 1, cls.VERSION + 1):
            if later not in cls.ADDED:
                raise TypeError(f"{cls.TOPIC} has no upcaster from version {version}")
            body = {**body, **cls.ADDED[later]}
        return body


@final
@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """An event of a version that this code does not know: kept byte for byte, shown as unknown."""

    topic: str
    state: bytes


PayloadState = Literal["", "locked", "destroyed"]
"""Of a payload as it was read: at hand (or never encrypted), encrypted with a key that is not here, or destroyed."""

CauseKind = Literal["event", "command", "timer", "external"]


class Cause(NamedTuple):
    """What led to an event: another event, or a root (a command, a timer, something outside)."""

    kind: CauseKind
    id: str


class Recorded(NamedTuple):
    """An event with its envelope, as it stands in the log. Times are UTC milliseconds; the ledger gives *position* and
    *recorded_at_ms* (never backwards), and *payload* when that cannot be read."""

    stream: StreamId
    version: int
    event: Event | UnknownEvent
    event_id: EventId
    occurred_at_ms: int
    tenant: Tenant
    correlation: str
    actor: Principal = SYSTEM
    reason: str | None = None
    causation: Cause | None = None
    engine: str = ""
    position: int = 0
    recorded_at_ms: int = 0
    payload: PayloadState = ""

    @property
    def originator_id(self) -> str:
        """The stream, as the eventsourcing library calls it."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The version within the stream, as the eventsourcing library calls it."""
        return self.version

    @property
    def topic(self) -> str:
        """The topic without its version."""
        event = self.event
        return event.topic.rpartition("/")[0] or event.topic if isinstance(event, UnknownEvent) else event.TOPIC


class Evolve(Generic[S]):
    """Folds events into a state, by exact event class. Appliers only assign; they never refuse."""

    def __init__(self) -> None:
        self.appliers: dict[type[Event], Callable[[S, Any], None]] = {}

    def on(self, cls: type[E]) -> Callable[[Callable[[S, E], None]], Callable[[S, E], None]]:
        """Register the applier of *cls*; a second one is a TypeError, at import."""

        def register(applier: Callable[[S, E], None]) -> Callable[[S, E], None]:
            if cls in self.appliers:
                raise TypeError(f"{cls.__name__} has an applier already")
            self.appliers[cls] = applier
            return applier

        return register

    def inert(self, *classes: type[Event]) -> None:
        """Declare that *classes* change nothing in this state."""
        for cls in classes:
            self.on(cls)(lambda _state, _event: None)

    def __call__(self, state: S, event: Event) -> None:
        """Fold *event* into *state*."""
        state.version += 1
        self.appliers[type(event)](state, event)
