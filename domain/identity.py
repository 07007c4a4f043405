"""Who and what: tenants, principals, and ids that the same thing always gets again."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Literal, NewType, get_args
from uuid import UUID

from redrive.domain.errors import InvalidValue
from redrive.domain.values import clean_name, clean_text

StreamId = NewType("StreamId", str)
RunId = NewType("RunId", str)
DeadLetterId = NewType("DeadLetterId", str)
EffectId = NewType("EffectId", str)
CompensationId = NewType("CompensationId", str)
NodeId = NewType("NodeId", str)
FlowDigest = NewType("FlowDigest", str)
PolicyId = NewType("PolicyId", str)
EventId = NewType("EventId", str)

NONCE, COUNTED = 20, 4
"""Digits of an event's id: those of one transaction have the first 20 in common, and count on in the last four, from
0000. In logs of the first versions ids were random."""

NAMESPACE = UUID("6f1d3c52-8a57-5f0e-9b1c-2f6d7265ab10")
_NAMESPACE_BYTES = NAMESPACE.bytes


@dataclass(frozen=True, slots=True)
class Tenant:
    """The owner of records; only a caller with the same three values sees them."""

    org: str = "local"
    workspace: str = "default"
    deployment: str = "default"

    def __post_init__(self) -> None:
        for field in ("org", "workspace", "deployment"):
            part = clean_text(getattr(self, field), f"tenant.{field}", most=100, blank=False)
            if "/" in part or not part.isprintable():
                raise InvalidValue(f"tenant.{field}", part, "printable text without '/'")
            object.__setattr__(self, field, part)

    def __str__(self) -> str:
        return f"{self.org}/{self.workspace}/{self.deployment}"

    @classmethod
    def parse(cls, text: str) -> "Tenant":
        """The tenant written as ``org/workspace/deployment``."""
        parts = text.split("/")
        if len(parts) != 3:
            raise InvalidValue("tenant", text, "org/workspace/deployment")
        return cls(*parts)


ActorKind = Literal["human", "worker", "system", "external"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts: a *kind*, an *id*, and whom they act for, if anybody."""

    kind: ActorKind
    id: str
    on_behalf_of: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(ActorKind):
            raise InvalidValue("actor.kind", self.kind, f"one of {', '.join(get_args(ActorKind))}")
        object.__setattr__(self, "id", clean_name(self.id, "actor"))
        if self.on_behalf_of is not None:
            object.__setattr__(self, "on_behalf_of", clean_name(self.on_behalf_of, "actor.on_behalf_of"))


SYSTEM = Principal("system", "redrive")


def human(actor: str | Principal) -> Principal:
    """The operator named *actor*; a principal that the host authenticated is taken as it is."""
    if isinstance(actor, Principal):
        return actor
    return Principal("human", actor)


def derived_id(tenant: Tenant, kind: str, *parts: str) -> str:
    """UUIDv5 of [org, workspace, deployment, kind, parts…]: the same thing gets the same id."""
    texts = (tenant.org, tenant.workspace, tenant.deployment, kind, *parts)
    name = f"[{','.join(map(encode_basestring, texts))}]".encode()  # canonical_json of a list of texts, in a third
    raw = bytearray(hashlib.sha1(_NAMESPACE_BYTES + name, usedforsecurity=False).digest()[:16])  # UUIDv5 is SHA-1
    raw[6] = raw[6] & 0x0F | 0x50
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def run_id_of(tenant: Tenant, automation: str, key: str) -> RunId:
    """The id of the run that *key* names within *automation*."""
    return RunId(derived_id(tenant, "run", automation, key))


def dead_letter_id_of(tenant: Tenant, run: RunId, node: NodeId, effect: str = "", *more: str) -> DeadLetterId:
    """The id of the one dead letter of a node (or of an effect of it): recurrences never start another."""
    return DeadLetterId(derived_id(tenant, "dead-letter", run, node, effect, *more))


def effect_id_of(tenant: Tenant, key: str, run: RunId | None = None, node: NodeId | None = None) -> EffectId:
    """The id of the one effect that *key* names within a node of a run, or, without them, within the tenant."""
    return EffectId(derived_id(tenant, "effect", *((run, node) if run and node else ()), key))


def compensation_id_of(tenant: Tenant, effect: EffectId) -> CompensationId:
    """The id of the one compensation of an effect."""
    return CompensationId(derived_id(tenant, "compensation", effect))


@lru_cache(maxsize=4_096)
def flow_stream_of(tenant: Tenant, flow: FlowDigest) -> StreamId:
    """The stream that keeps a flow."""
    return StreamId(derived_id(tenant, "flow", flow))


def note_stream_of(tenant: Tenant, correlation: str) -> StreamId:
    """The stream of the notes about a run's effects, compensations and events (or about an effect outside runs)."""
    return StreamId(derived_id(tenant, "notes", correlation))


@lru_cache(maxsize=4_096)
def policy_stream_of(tenant: Tenant, policy: PolicyId) -> StreamId:
    """The stream that keeps the body of a policy."""
    return StreamId(derived_id(tenant, "policy", policy))
