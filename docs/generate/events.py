"""The event catalogue: every topic and version, what it means, and its fields."""

import dataclasses
import json
from pathlib import Path
from typing import Any, get_type_hints

from docs.generate.markdown import code, prose, table, type_of
from redrive.domain.effect.request import Compensation, EffectRequest
from redrive.domain.event import CATALOGUE, Event
from redrive.domain.failure import Failure
from redrive.domain.limits import Limit, LimitUse, Rate
from redrive.domain.retry_policy import RetryDecision
from redrive.domain.run.holder import Holder
from redrive.ledger import mapper

SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "history"
AGGREGATES = {
    "run": ("Run", "Stream: the id of the run."),
    "dead-letter": ("Dead letter", "Stream: the id of the dead letter."),
    "effect": ("Effect", "Stream: an id made of the tenant and the effect's key, within its run and node or alone."),
    "compensation": ("Compensation", "Stream: an id made of the tenant and the effect."),
    "flow": ("Flow", "Stream: an id made of the tenant and the flow's digest; it holds one event."),
    "engine": ("Engine", "Stream: the one of the log's limits. The tenant is the limited one, else the default."),
    "note": ("Note", "Stream: an id made of the tenant and of the run, or effect outside runs, that it belongs to."),
    "log": ("Log", "Streams: one of the anchors, one of each archive, one of each key, whose tenant is the subject's."),
    "policy": ("Policy", "Stream: an id made of the tenant and the policy's id; it holds one event."),
}
NESTED: dict[type, str] = {
    RetryDecision: "[decision](#decision)",
    Failure: "[failure](#failure)",
    Holder: "[holder](#holder)",
    EffectRequest: "[effect request](#effect-request)",
    Compensation: "[compensation](#compensation-plan)",
    Limit: "[limit](#limit)",
    Rate: "[rate](#rate)",
    LimitUse: "[limit use](#limituse)",
}
SHARED: tuple[tuple[Any, str], ...] = (
    (RetryDecision, "Decision"),
    (Failure, "Failure"),
    (Holder, "Holder"),
    (EffectRequest, "Effect request"),
    (Compensation, "Compensation plan"),
    (Limit, "Limit"),
    (Rate, "Rate"),
    (LimitUse, "LimitUse"),
)
MOMENTS = {("RetryBackoffScheduled", "retry_after_ms"): "integer, UTC ms"}

assert mapper, "importing the mapper completes the catalogue"


def catalogue() -> str:
    """Every event, by aggregate, and the parts that several of them share."""
    parts = [_overview()]
    for prefix, (title, stream) in AGGREGATES.items():
        parts.append(f"## {title}\n\n{stream}\n")
        parts += [_event(event) for event in CATALOGUE.values() if _prefix(event) == prefix]
    parts.append("## Shared parts\n")
    for cls, title in SHARED:
        parts.append(f"({title.lower().replace(' ', '-')})=\n\n### {title}\n\n{prose(cls.__doc__)}\n\n{fields(cls)}")
    return "\n".join(parts)


def fields(cls: type) -> str:
    """The fields of a model or dataclass, as a table."""
    hints = _hints(cls)
    if not hints:
        return "No fields.\n"
    rows = (
        (code(name), MOMENTS.get((cls.__name__, name)) or type_of(hint, name, NESTED)) for name, hint in hints.items()
    )
    return table(("field", "type"), rows)


def _hints(cls: Any) -> dict[str, Any]:
    """The fields of *cls* with their annotations."""
    if dataclasses.is_dataclass(cls):
        hints = get_type_hints(cls)
        return {field.name: hints[field.name] for field in dataclasses.fields(cls)}
    return {name: field.annotation for name, field in cls.model_fields.items()}


def _prefix(event: type[Event]) -> str:
    return event.TOPIC.partition(".")[0]


def _overview() -> str:
    rows = (
        (f"[`{event.STORED_AS}`](#{_anchor(event)})", title, prose(event.__doc__))
        for prefix, (title, _) in AGGREGATES.items()
        for event in CATALOGUE.values()
        if _prefix(event) == prefix
    )
    return table(("stored as", "aggregate", "meaning"), rows)


def _anchor(event: type[Event]) -> str:
    return event.TOPIC.replace(".", "-")


def _event(event: type[Event]) -> str:
    sample = ""
    path = SAMPLES / f"{event.STORED_AS.replace('/', '.')}.json"
    if path.exists():
        first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])["data"]
        body = json.dumps(first, indent=2, ensure_ascii=True)
        sample = f"<details><summary>A sample of its body</summary>\n\n```json\n{body}\n```\n\n</details>\n"
    return (
        f"({_anchor(event)})=\n\n### `{event.TOPIC}` · {event.__name__}\n\n"
        f"Version {event.VERSION}. {prose(event.__doc__)}\n\n{fields(event)}\n{sample}"
    )
