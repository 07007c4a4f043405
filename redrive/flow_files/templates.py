"""Templates: texts in a flow file with ``{references}``, checked when the file is read, filled when a node starts.

``{input.a.b}`` is a part of the node's input (the run's, when the node has none), ``{outputs.node.a}`` of what a parent
returned, ``{run.id}`` and ``{run.automation}`` name the run: these are filled when the node starts. ``{env.NAME}`` and
``{effect.id}`` are filled when something is sent, and never reach the log. A brace is written ``{{`` or ``}}``.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote, unquote

from redrive.domain.errors import InvalidValue
from redrive.flow_files.nearest import nearest

EARLY = ("input", "outputs", "run")
LATE = ("env", "effect")
RUN_FIELDS = ("id", "automation")
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_LATE_PIECE = re.compile(r"(\{(?:env|effect)\.\w+\})")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILLED = "\0"  # marks what was filled; nothing that is put into a URL holds one


class Unfillable(ValueError):
    """A reference to something that is not there."""


def require_template(text: str, field: str, parents: Collection[str], *, late: bool) -> None:
    """Raises InvalidValue for a brace that is alone, and for a reference that can never be filled. With *late*, env
    and effect may be referred to."""
    for found in _PIECE.finditer(text):
        if found[0] in ("{{", "}}"):
            continue
        if found[1] is None:
            raise InvalidValue(field, text[:80], "a brace that is doubled, or one that begins or ends a {reference}")
        _require_reference(found[1], field, parents, late)


def _require_reference(reference: str, field: str, parents: Collection[str], late: bool) -> None:
    root, *path = reference.split(".")
    known = (*EARLY, *LATE)
    shown = f"{{{reference}}}"[:80]
    if root not in known or "" in path:
        names = ", ".join(f"{{{name}}}" for name in ("input.…", "outputs.NODE.…", "run.id", "env.NAME", "effect.id"))
        raise InvalidValue(field, shown, f"one of {names}{nearest(root, known)}; a brace itself is doubled")
    if root in LATE and not late:
        raise InvalidValue(field, shown, "no {env.…} or {effect.…} here: they go into target, headers and reconcile")
    if root == "outputs" and (not path or path[0] not in parents):
        near = nearest(path[0], parents) if path else ""
        raise InvalidValue(field, shown, f"{{outputs.NODE}} with a node that this one comes after{near}")
    if root == "run" and (len(path) != 1 or path[0] not in RUN_FIELDS):
        raise InvalidValue(field, shown, "{run.id} or {run.automation}")
    if root == "effect" and path != ["id"]:
        raise InvalidValue(field, shown, "{effect.id}")
    if root == "env" and (len(path) != 1 or not _VARIABLE.fullmatch(path[0])):
        raise InvalidValue(field, shown, "{env.NAME} with the name of a variable")


def filled(value: Any, values: Mapping[str, Any]) -> Any:
    """A JSON document with the references in its texts replaced; a text that is nothing but a reference becomes what
    it refers to, of whatever type. Raises Unfillable."""
    if isinstance(value, dict):
        return {key: filled(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, values) for item in value]
    if not isinstance(value, str):
        return value
    whole = _PIECE.fullmatch(value)
    if whole is not None and whole[1] is not None:
        return looked_up(whole[1], values)
    return filled_text(value, values)


def filled_text(text: str, values: Mapping[str, Any]) -> str:
    """*text* with its references replaced, as a text also when it is nothing but a reference. Raises Unfillable."""
    return _PIECE.sub(lambda found: _unescaped(found) or text_of(found[1], values), text)


def filled_early(text: str, values: Mapping[str, Any], *, in_url: bool = False) -> str:
    """*text* with its early references replaced and its late ones left, to be given to ``filled_late``. What is put in
    can never be taken for a reference itself; in a URL it is percent-encoded, and never a path segment that another
    path would be reached with: nothing, ``.`` or ``..``. Raises Unfillable."""

    def put(found: "re.Match[str]") -> str:
        if found[1] is None or found[1].partition(".")[0] in LATE:
            return found[0]
        plain = text_of(found[1], values)
        return quote(plain, safe="") if in_url else plain.replace("{", "{{").replace("}", "}}")

    if in_url:
        _require_segments(text, values)
    return _PIECE.sub(put, text)


def _require_segments(url: str, values: Mapping[str, Any]) -> None:
    """Raises Unfillable when data would choose the path. A late reference counts as nothing: what stands after
    ``{env.BASE}`` may be a segment of its own."""

    def put(found: "re.Match[str]") -> str:
        if found[1] is None:
            return found[0]
        late = found[1].partition(".")[0] in LATE
        return "" if late else _FILLED + quote(text_of(found[1], values), safe="")

    path = re.split(r"[?#]", _PIECE.sub(put, url), maxsplit=1)[0]
    for segment in path.split("/"):
        if _FILLED in segment and unquote(segment.replace(_FILLED, "")) in ("", ".", ".."):
            raise Unfillable(f"a segment of the path of {url[:80]} would be empty, '.' or '..'")


def has_late(text: str) -> bool:
    """Whether *text* has a reference that is filled when it is sent."""
    return _LATE_PIECE.search(text) is not None


def pieces(text: str) -> list[str]:
    """*text*, cut before and after each late reference."""
    return [piece for piece in _LATE_PIECE.split(text) if piece]


def filled_late(text: str, environment: Mapping[str, str], effect_id: str) -> str:
    """*text* as it is sent. Raises Unfillable for a variable that is not set."""

    def put(found: "re.Match[str]") -> str:
        plain = _unescaped(found)
        if plain:
            return plain
        root, _, name = found[1].partition(".")
        if root == "effect":
            return effect_id
        if root != "env" or name not in environment:
            raise Unfillable(f"the environment has no variable {name[:80]}")
        return environment[name]

    return _PIECE.sub(put, text)


def late_values(text: str, environment: Mapping[str, str]) -> list[str]:
    """The values of the variables that *text* refers to, of those that are set."""
    roots = (found[1].partition(".") for found in _PIECE.finditer(text) if found[1])
    return [environment[name] for root, _, name in roots if root == "env" and name in environment]


def looked_up(reference: str, values: Mapping[str, Any]) -> Any:
    """What *reference* refers to among *values*. Raises Unfillable."""
    here: Any = values
    for part in reference.split("."):
        try:
            here = here[int(part)] if isinstance(here, list) else here[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise Unfillable(f"{{{reference[:80]}}} is not there: no {part[:80]!r}") from None
    return here


def text_of(reference: str, values: Mapping[str, Any]) -> str:
    """What *reference* refers to, as a text. Raises Unfillable for what has no plain one."""
    match looked_up(reference, values):
        case str() as text:
            return text
        case bool() as truth:
            return "true" if truth else "false"
        case int() | float() as number:
            return str(number)
        case other:
            kind = "null" if other is None else "an object" if isinstance(other, dict) else "a list"
            raise Unfillable(f"{{{reference[:80]}}} is {kind}, and cannot be part of a text")


def _unescaped(found: "re.Match[str]") -> str:
    """The brace that a doubled one stands for; empty for a reference."""
    return found[0][0] if found[1] is None else ""
