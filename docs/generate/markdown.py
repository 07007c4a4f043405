"""Markdown from data: tables whose cells cannot break them, and the types of fields as people read them."""

import inspect
import re
import types
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin

_PLAIN = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): "null", dict: "object"}
_MOMENTS = frozenset(
    (
        *("due_ms", "deadline_ms", "not_before_ms", "next_dispatch_ms"),
        *("lease_expires_ms", "first_seen_ms", "last_seen_ms"),
    )
)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; cells are Markdown already."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines) + "\n"


def _cell(value: object) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(str(value).split()))


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: double back-ticks become single ones."""
    return inspect.cleandoc(docstring or "").replace("``", "`")


def sentence(text: str) -> str:
    """*text* as a sentence."""
    return text if not text or text.endswith((".", "?")) else f"{text}."


def code(value: object) -> str:
    """*value* in back-ticks."""
    return f"`{value}`"


def is_moment(field: str) -> bool:
    """Whether a field called so holds a time, not a length of time."""
    return field.endswith("_at_ms") or field in _MOMENTS


def type_of(annotation: Any, field: str = "", links: Mapping[type, str] | None = None) -> str:
    """A type in words; *links* are the types that are described elsewhere, with what to write for them."""
    links = links or {}
    if annotation in _PLAIN:
        unit = (", UTC ms" if is_moment(field) else ", ms") if annotation is int and field.endswith("_ms") else ""
        return f"{_PLAIN[annotation]}{unit}"
    if getattr(annotation, "__name__", "") == "JsonValue":
        return "any JSON"
    if isinstance(annotation, NewType):
        return f"{type_of(annotation.__supertype__, field, links)} ({annotation.__name__})"
    if annotation in links:
        return links[annotation]
    return _compound(annotation, field, links)


def _compound(annotation: Any, field: str, links: Mapping[type, str]) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_of(args[0], field, links)
    if origin in (Union, types.UnionType):
        return " or ".join(type_of(one, field, links) for one in args)
    if origin is Literal:
        return ", ".join(code(one) for one in args)
    if origin in (tuple, list):
        return f"list of {type_of(args[0], field, links)}"
    if origin is dict:
        return f"object of {type_of(args[1], field, links)}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(code(one.value) for one in annotation)
    return "any JSON" if annotation is Any else code(getattr(annotation, "__name__", annotation))
