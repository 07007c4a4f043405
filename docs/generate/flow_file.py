"""The keys of a flow file, from the models that read it."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from docs.generate.markdown import code, sentence, table
from redrive.flow_files.effect_document import EffectDocument, ReconcileDocument, RequestDocument
from redrive.flow_files.own_document import (
    ApprovalDocument,
    DefaultsDocument,
    FlowDocument,
    NodeDocument,
    WaitDocument,
)

MEANINGS = {
    ("FlowDocument", "defaults"): "What holds for every node that says nothing else.",
    ("FlowDocument", "nodes"): "The steps.",
    ("DefaultsDocument", "retry"): "A [retry policy](retry-policy.md).",
    ("DefaultsDocument", "timeout_ms"): "How long one attempt may take, in milliseconds.",
    ("NodeDocument", "id"): "The name of the step.",
    ("NodeDocument", "retry"): "A [retry policy](retry-policy.md); it replaces that of the defaults as a whole.",
}


LEVELS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("Top level", FlowDocument),
    ("defaults", DefaultsDocument),
    ("A node", NodeDocument),
    ("approval", ApprovalDocument),
    ("wait", WaitDocument),
    ("effect", EffectDocument),
    ("effect.request", RequestDocument),
    ("effect.reconcile", ReconcileDocument),
)


def keys() -> str:
    """The keys at each level."""
    return "\n".join(tables(LEVELS, MEANINGS))


def tables(levels: Sequence[tuple[str, type[BaseModel]]], meanings: Mapping[tuple[str, str], str]) -> list[str]:
    """A table for each level: its title, and the model whose fields are the keys; *meanings* are of those that do not
    describe themselves."""
    return [f"### {title}\n\n{_table(model, meanings)}" for title, model in levels]


def _table(model: type[BaseModel], meanings: Mapping[tuple[str, str], str]) -> str:
    schema = model.model_json_schema()
    rows = []
    for name, field in model.model_fields.items():
        meaning = meanings.get((model.__name__, name)) or sentence(field.description or "")
        assert meaning, f"{model.__name__}.{name} has no description"
        needed = "yes" if field.is_required() else ""
        shown = field.alias or name
        rows.append((code(shown), needed, accepted(schema["properties"][shown]), meaning))
    return table(("key", "required", "accepted", "meaning"), rows)


def accepted(spec: dict[str, Any]) -> str:
    """What a key takes, in words."""
    for one in (spec, *spec.get("anyOf", ())):
        if "const" in one:
            return str(one["const"])
        if "minimum" in one:
            return f"{one['minimum']:,} to {one['maximum']:,}"
        if one.get("type") == "array":
            return f"a list{_size(one, 'minItems', 'maxItems')}"
        if one.get("type") == "string":
            return f"a text{_size(one, 'minLength', 'maxLength')}"
        if one.get("type") == "object" or "$ref" in one:
            return "an object"
    return "any JSON"


def _size(spec: dict[str, Any], least: str, most: str) -> str:
    if most not in spec:
        return ""
    return f" of {spec.get(least, 0):,} to {spec[most]:,}" if most == "maxItems" else f", at most {spec[most]:,} bytes"
