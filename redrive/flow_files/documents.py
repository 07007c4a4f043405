"""From bytes to a document of plain dicts, lists and scalars: UTF-8, then JSON or YAML."""

import json
import re
from pathlib import Path, PurePath
from typing import Any

from redrive.domain.errors import InvalidValue
from redrive.flow_files.yaml_documents import load_yaml

_LONE = re.compile(r"[\ud800-\udfff]")
# An escaped backslash, a surrogate pair, or what is left: a surrogate without its partner.
_ESCAPES = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
_ONE_ESCAPE = len(r"\ud800")


def read_document(file: Path, what: str, most: int) -> Any:
    """The document in a file of at most *most* bytes; None in an empty one. Raises InvalidValue, which calls the file
    *what*."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidValue(what, str(file), f"a file that can be read ({reason})") from None
    if len(raw) > most:
        raise InvalidValue(what, file.name, f"at most {most} bytes")
    text = decoded(raw, file.name)
    return load_document(text, file.name) if text.strip() else None


def decoded(source: str | bytes, name: str) -> str:
    """*source* as text without lone surrogates and without a byte order mark."""
    if isinstance(source, str):
        return _LONE.sub("\ufffd", source).removeprefix("\ufeff")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte {source[error.start]:#04x} at offset {error.start}"
        raise InvalidValue(name, found, "text in UTF-8") from None


def load_document(text: str, name: str) -> Any:
    """The document that *text* holds. JSON when it looks like it, unless *name* says YAML and JSON cannot read it."""
    suffix = PurePath(name).suffix.lower()
    if suffix != ".json" and text.lstrip()[:1] not in ("{", "["):
        return load_yaml(text, name)
    try:
        return _load_json(text, name)
    except json.JSONDecodeError as error:
        if suffix in (".yaml", ".yml"):
            return load_yaml(text, name)
        line = text.splitlines()[error.lineno - 1 : error.lineno] if len(text) < 1_000_000 else []
        found = line[0][max(error.colno - 20, 0) : error.colno + 20] if line else ""
        raise InvalidValue(f"{name}:{error.lineno}:{error.colno}", found, f"valid JSON ({error.msg})") from None


def _load_json(text: str, name: str) -> Any:
    try:
        return json.loads(_ESCAPES.sub(_whole_escape, text), object_pairs_hook=each_key_once)
    except (json.JSONDecodeError, InvalidValue):
        raise
    except RecursionError:
        raise InvalidValue(name, "…", "JSON that is less deeply nested") from None
    except ValueError:
        raise InvalidValue(name, "…", "numbers of a reasonable length") from None


def _whole_escape(match: re.Match[str]) -> str:
    found = match.group()
    return r"\ufffd" if len(found) == _ONE_ESCAPE else found


def each_key_once(pairs: list[tuple[str, Any]], field: str = "key") -> dict[str, Any]:
    """An object of JSON. Python keeps the last of two equal keys silently; a person who wrote both meant something
    else. Raises InvalidValue, which names *field*."""
    built = dict(pairs)
    if len(built) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidValue(field, twice[:80], "each key once in an object")
    return built
