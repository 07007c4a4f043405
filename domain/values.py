"""The one boundary for values from outside: texts, numbers and JSON documents.

Lone surrogates become U+FFFD, NUL is kept; NaN, Infinity and integers of 2^53 and more are refused, as is
anything too long or too deep. Everything behind this boundary can be written as UTF-8 JSON and read back equal.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable
from json import encoder as json_encoder
from typing import Annotated, Any

from pydantic import GetPydanticSchema
from pydantic import JsonValue as JsonValue  # noqa: PLC0414 - it is ours to hand on
from pydantic_core import core_schema

from redrive.domain.errors import InvalidValue

__all__ = [
    "CleanJson",
    "JsonValue",
    "canonical_json",
    "clean_integer",
    "clean_json",
    "clean_name",
    "clean_text",
    "cut_text",
    "digest",
]

MAX_INTEGER = 2**53 - 1
MAX_NAME_BYTES = 512
MAX_TEXT_BYTES = 16_384
MAX_DOCUMENT_BYTES = 1_048_576
MAX_DEPTH = 64
MAX_TIMEOUT_MS = 30 * 86_400_000

CleanJson = Annotated[JsonValue, GetPydanticSchema(lambda _source, _handler: core_schema.any_schema())]
"""A field of a pydantic model for what ``clean_json`` returned or the log holds: neither checked nor copied again.
pydantic's own JsonValue calls Python for each value in a document, and whatever is raised in there while it serializes
is lost: every fifth interrupt that struck while a history was read, measured."""

_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def clean_text(value: object, field: str, *, most: int = MAX_TEXT_BYTES, blank: bool = True) -> str:
    """*value* as text of at most *most* UTF-8 bytes; *blank* tells whether white space alone will do."""
    if not isinstance(value, str):
        raise InvalidValue(field, value, "a text")
    if not value.isascii():
        value = _SURROGATES.sub("\ufffd", value)
    if len(value) > most or (len(value) * 4 > most and len(value.encode()) > most):
        raise InvalidValue(field, value[:80], f"at most {most} bytes of text")
    if not blank and not value.strip():
        raise InvalidValue(field, value, "a text that is not blank")
    return value


def clean_name(value: object, field: str) -> str:
    """A name of something: not blank, at most 512 bytes."""
    return clean_text(value, field, most=MAX_NAME_BYTES, blank=False)


def clean_integer(value: object, field: str, low: int, high: int) -> int:
    """An integer (no bool, no float) between *low* and *high*, both included."""
    if type(value) is not int or not low <= value <= high:
        raise InvalidValue(field, value, f"an integer from {low} to {high}")
    return value


def clean_json(value: object, field: str, *, most: int = MAX_DOCUMENT_BYTES) -> JsonValue:
    """*value* as a JSON document of at most *most* bytes, safe to store and to digest."""
    cleaned = _clean(value, field, MAX_DEPTH)
    if isinstance(cleaned, (str, list, dict)) and (size := len(canonical_json(cleaned))) > most:
        raise InvalidValue(field, f"<{size} bytes>", f"at most {most} bytes of JSON")
    return cleaned


def _clean(value: object, field: str, depth: int) -> JsonValue:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return clean_integer(int(value), field, -MAX_INTEGER, MAX_INTEGER)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidValue(field, value, "a finite number")
        return value
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATES.sub("\ufffd", value)
    if depth == 0:
        raise InvalidValue(field, "…", f"at most {MAX_DEPTH} levels of nesting")
    if isinstance(value, (list, tuple)):
        return [_clean(item, f"{field}[{n}]", depth - 1) for n, item in enumerate(value)]
    if isinstance(value, dict):
        return _clean_object(value, field, depth)
    raise InvalidValue(field, type(value).__name__, "null, true, false, a number, a text, a list or an object")


def _clean_object(value: dict[object, object], field: str, depth: int) -> JsonValue:
    cleaned: dict[str, JsonValue] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise InvalidValue(field, key, "texts as keys")
        name = key if key.isascii() else _SURROGATES.sub("\ufffd", key)
        if name in cleaned:
            raise InvalidValue(field, name, "keys that differ")
        cleaned[name] = _clean(item, f"{field}.{name[:40]}", depth - 1)
    return cleaned


def _canonical() -> Callable[[Any], str]:
    """What ``JSONEncoder.encode`` does, with the C encoder made once, not at each call (where there is one)."""
    made: Any = getattr(json_encoder, "c_make_encoder", None)
    if made is None:
        return _ENCODER.encode
    chunks = made(None, _ENCODER.default, json_encoder.encode_basestring, None, ":", ",", True, False, False)
    return lambda value: "".join(chunks(value, 0))


_CANONICAL = _canonical()


def canonical_json(value: object) -> bytes:
    """*value* as UTF-8 JSON with sorted keys and no white space: the bytes that are digested."""
    return _CANONICAL(value).encode()


def digest(value: object) -> str:
    """SHA-256, in hex, of the canonical JSON of *value*."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def cut_text(text: str, most: int) -> str:
    """*text* cut to *most* UTF-8 bytes on a character boundary, with an ellipsis when cut."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= most:
        return text
    return raw[:most].decode("utf-8", "ignore") + "…"
