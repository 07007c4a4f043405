"""Histories: every event of a run, of its effects, dead letters and compensations, or of one effect, in log order,
ready to be read."""

from typing import Any

from redrive.domain.event import Recorded, UnknownEvent
from redrive.domain.values import CleanJson
from redrive.projections.models import Model


class HistoryEntry(Model):
    """One event: where and when, what, who and why, what led to it, and its body. Times are UTC milliseconds."""

    position: int
    recorded_at_ms: int
    occurred_at_ms: int
    topic: str
    tenant: str
    stream: str
    version: int
    run: str
    node: str | None
    actor: str
    on_behalf_of: str | None
    reason: str | None
    cause: str | None
    event_id: str
    engine: str
    data: dict[str, CleanJson]


def entry_of(recorded: Recorded) -> HistoryEntry:
    """An event as an entry of the history; an unknown one keeps its bytes as text."""
    event = recorded.event
    data: dict[str, Any]
    if isinstance(event, UnknownEvent):
        data = {"unknown": event.topic, "state": event.state.decode("utf-8", "replace")}
    else:
        data = event.model_dump(mode="json")
    cause, actor = recorded.causation, recorded.actor
    return HistoryEntry(
        position=recorded.position,
        recorded_at_ms=recorded.recorded_at_ms,
        occurred_at_ms=recorded.occurred_at_ms,
        topic=recorded.topic,
        tenant=str(recorded.tenant),
        stream=recorded.stream,
        version=recorded.version,
        run=recorded.correlation,
        node=data["node"] if isinstance(data.get("node"), str) else None,
        actor=f"{actor.kind}:{actor.id}",
        on_behalf_of=actor.on_behalf_of,
        reason=recorded.reason,
        cause=None if cause is None else f"{cause.kind}:{cause.id}",
        event_id=recorded.event_id,
        engine=recorded.engine,
        data=data,
    )
