"""The policies' documents, from their models."""

from typing import Any

from pydantic import BaseModel

from docs.generate.markdown import code, table
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.flow_files.own_document import RetryDocument

RETRY = {
    "version": "The version of this document.",
    "max_attempts": "Attempts in all, the first included.",
    "retryable_failure_classes": "The failure classes that are worth another attempt. Absent: the default list. "
    "Empty, or with `*`: all but three, see below.",
    "backoff.strategy": "How the delay grows.",
    "backoff.initial_delay_ms": "The delay after the first attempt, ms. 0: none.",
    "backoff.max_delay_ms": "The longest delay, ms. 0: one day.",
    "backoff.multiplier": "For `exponential`: the factor from one delay to the next.",
    "backoff.jitter_ms": "Up to this is added to a delay at random, ms.",
    "max_elapsed_ms": "No other attempt once so much time has passed since the node's first start, ms. "
    "Absent: no limit.",
    "terminal_behavior.mode": "What the last failure does to the run.",
    "manual_override.enabled": "Whether an operator may retry a dead letter of this node.",
    "manual_override.requires_reason": "Kept for documents of other systems: a reason is always required.",
}
REDRIVE = {
    "max_dispatches": "The budget: how often a dead letter is dispatched in all.",
    "base_delay_ms": "The base of the backoff between dispatches, ms.",
    "max_delay_ms": "The longest wait between dispatches, ms.",
    "continue_after_recurrence": "Whether the sweep goes on by itself when the failure comes again.",
}


def retry() -> str:
    """Every key of a retry policy."""
    rows = []
    for name, spec, default in _keys(RetryDocument):
        rows.append((code(name), _accepted(spec), _shown(default), RETRY.get(name) or _missing(name)))
    return table(("key", "accepted", "default", "meaning"), rows)


def redrive() -> str:
    """Every field of a redrive policy."""
    bounds = {"max_dispatches": "1 to 1,000", "continue_after_recurrence": "true or false"}
    rows = []
    for name, field in RedrivePolicy.model_fields.items():
        meaning = REDRIVE.get(name) or _missing(name)
        rows.append((code(name), bounds.get(name, "0 to 86,400,000"), _shown(field.default), meaning))
    return table(("field", "accepted", "default", "meaning"), rows)


def _keys(model: type[BaseModel], prefix: str = "") -> list[tuple[str, dict[str, Any], Any]]:
    schema = model.model_json_schema()["properties"]
    found: list[tuple[str, dict[str, Any], Any]] = []
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            found += _keys(type(field.default), f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", schema[name], field.default))
    return found


def _accepted(spec: dict[str, Any]) -> str:
    if "const" in spec:
        return str(spec["const"])
    if "enum" in spec:
        return ", ".join(code(word) for word in spec["enum"])
    for one in (spec, *spec.get("anyOf", ())):
        if "minimum" in one:
            return f"{one['minimum']:,} to {one['maximum']:,}"
        if one.get("type") == "array":
            return "a list of texts"
    return "true or false"


def _shown(default: object) -> str:
    if default is None or repr(default) == "PydanticUndefined":
        return ""
    return code(str(default).lower() if isinstance(default, bool) else default)


def _missing(name: str) -> str:
    raise LookupError(f"{name} has no description in docs/generate/policies.py")
