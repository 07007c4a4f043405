"""Events of streams that are written once: flows, policies, the engine's own configuration."""

from typing import ClassVar, Literal

from redrive.domain.event import Event
from redrive.domain.identity import FlowDigest, PolicyId
from redrive.domain.values import JsonValue

PolicyKind = Literal["retry", "redrive", "classifier"]


class FlowRegistered(Event):
    """A flow was used for the first time by this tenant; its digest names it."""

    TOPIC: ClassVar[str] = "flow.registered"

    flow: FlowDigest
    document: JsonValue


class PolicyRegistered(Event):
    """A policy was used for the first time by this tenant; replays read its body here."""

    TOPIC: ClassVar[str] = "policy.registered"

    policy: PolicyId
    kind: PolicyKind
    body: JsonValue
