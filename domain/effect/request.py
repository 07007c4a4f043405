"""What an effect is to do: as the caller describes it, and as the log keeps it."""

from dataclasses import dataclass
from typing import Any, Literal

from redrive.domain.errors import InvalidValue
from redrive.domain.values import CleanJson, JsonValue, clean_json, clean_name, digest

Scope = Literal["node", "tenant"]
MAX_REQUEST_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Compensation:
    """What would undo an effect, or make good for it: an *operation* that a compensator of the host knows.

    It is proposed when the effect's dead letter opens, and run only when an operator says so; with
    *requires_approval*, another decision approves it first. *request* is stored redacted, and that is what the
    compensator gets: name what it needs, and keep secrets out of it.
    """

    operation: str
    target: str = ""
    request: Any = None
    requires_approval: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "operation", clean_name(self.operation, "compensation.operation"))
        if self.target:
            object.__setattr__(self, "target", clean_name(self.target, "compensation.target"))
        request = clean_json(self.request, "compensation.request", most=MAX_REQUEST_BYTES)
        object.__setattr__(self, "request", request)
        if type(self.requires_approval) is not bool:
            raise InvalidValue("compensation.requires_approval", self.requires_approval, "true or false")


@dataclass(frozen=True, slots=True)
class EffectRequest:
    """An effect as its intent records it: *request* is redacted, *digest* is of what was really asked.

    *key* names it within its *scope*: a node of a run, or the tenant. *tolerate*: its failure is no matter for a
    dead letter.
    """

    key: str
    scope: Scope
    operation: str
    target: str
    request: CleanJson
    digest: str
    tolerate: bool = False
    compensation: Compensation | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came back: *body* is redacted, *digest* is of what really came."""

    body: CleanJson
    digest: str


def digest_of_request(operation: str, target: str, request: JsonValue) -> str:
    """SHA-256 of what is asked: the same key with another digest is another request."""
    return digest([operation, target, request])
