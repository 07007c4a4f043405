"""Events of what is no aggregate: flows and policies, which are written once, and the engine's own limits."""

from typing import ClassVar, Literal

from redrive.domain.event import Event
from redrive.domain.identity import FlowDigest, PolicyId
from redrive.domain.limits import Limit
from redrive.domain.values import CleanJson

PolicyKind = Literal["retry", "redrive", "classifier"]


class FlowRegistered(Event):
    """A flow was used for the first time by this tenant; its digest names it."""

    TOPIC: ClassVar[str] = "flow.registered"

    flow: FlowDigest
    document: CleanJson


class PolicyRegistered(Event):
    """A policy was used for the first time by this tenant; replays read its body here."""

    TOPIC: ClassVar[str] = "policy.registered"

    policy: PolicyId
    kind: PolicyKind
    body: CleanJson


class KeyDestroyed(Event):
    """The key that encrypted payloads of a subject is gone; they cannot be read any more, by anybody.

    *subject* is an HMAC of the subject's name: whoever has the key store can tell which name it was.
    """

    TOPIC: ClassVar[str] = "log.key-destroyed"

    key: str
    subject: str
    created_at_ms: int
    destroyed_at_ms: int


class RecordsArchived(Event):
    """The states of settled records were moved to an archive, which was durable and read back before. Headers, ids
    and digests stay in the log.

    *positions* are the first and last of each range, *digest* is SHA-256 of the digests of the states, in log order.
    """

    TOPIC: ClassVar[str] = "log.records-archived"

    archive: str
    file: str
    runs: int
    events: int
    bytes: int
    positions: tuple[tuple[int, int], ...]
    digest: str
    before_ms: int


class LimitSet(Event):
    """An operator, or the host, set a limit; it holds from the next transaction on. The body is the limit."""

    TOPIC: ClassVar[str] = "engine.limit-set"

    limit: Limit


AnchorKind = Literal["pin", "command", "witness", "timestamp"]


class AnchorRecorded(Event):
    """A checkpoint was told to somebody outside of the database: later events came after it.

    *checkpoint* is its signed note, of *size* leaves; *name* says who was told, *evidence* is what came back (base64
    when it is no text), *at_ms* the time that it states.
    """

    TOPIC: ClassVar[str] = "log.anchor-recorded"

    kind: AnchorKind
    name: str
    size: int
    checkpoint: str
    evidence: str
    at_ms: int | None


class LimitRemoved(Event):
    """A limit does not hold any more."""

    TOPIC: ClassVar[str] = "engine.limit-removed"

    limit: str


class NoteWritten(Event):
    """Somebody wrote something down about an effect, a compensation, or one event of the log, at *position*. *id* names
    what it is about. Who and why are in the envelope; nothing is decided by it."""

    TOPIC: ClassVar[str] = "note.written"

    subject: Literal["effect", "compensation", "event"]
    id: str
    position: int | None
    text: str


class TenantPlaced(Event):
    """From here on the tenant is at home in this log, whose id is *shard*: it wrote here first, or had written here
    before the log belonged together with others."""

    TOPIC: ClassVar[str] = "log.tenant-placed"

    shard: str


class ShardsRecorded(Event):
    """The logs with the ids *shards* (sorted, this one among them) share the tenants from here on."""

    TOPIC: ClassVar[str] = "log.shards-recorded"

    shards: tuple[str, ...]


RECORDS: tuple[type[Event], ...] = (
    FlowRegistered,
    PolicyRegistered,
    LimitSet,
    LimitRemoved,
    NoteWritten,
    AnchorRecorded,
    KeyDestroyed,
    RecordsArchived,
    TenantPlaced,
    ShardsRecorded,
)
"""The events of streams that are no aggregate: nothing is folded from them, and no rule decides on them again."""
