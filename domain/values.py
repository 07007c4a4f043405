"""The one boundary for values from outside: texts, numbers and JSON documents.

Lone surrogates become U+FFFD, NUL is kept; NaN, Infinity and integers of 2^53 and more are refused, as is
anything too long or too deep. Everything behind this boundary can be written as UTF-8 JSON and read back equal.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable
from itertools import islice
from json import encoder as json_encoder
from typing import Annotated, Any, TypeAlias

from pydantic import GetPydanticSchema
from pydantic import JsonValue as JsonValue  # noqa: PLC0414 - it is ours to hand on
from pydantic_core import core_schema

from redrive.domain.errors import InvalidValue

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
    """*value* as a JSON document of at most *most* bytes, safe to store and to digest. What is larger is refused as
    soon as that shows: nobody walks or encodes all of it."""
    if value is None:
        return None
    cleaned = _Cleaning(most).clean(value, field, MAX_DEPTH)
    if isinstance(cleaned, (str, list, dict)) and (size := len(canonical_json(cleaned))) > most:
        raise InvalidValue(field, f"<{size} bytes>", f"at most {most} bytes of JSON")
    return cleaned


Place: TypeAlias = "str | tuple[Place, str | int]"
"""Where in a document: its name, or a key or index within another place. Spelt only for who is refused."""


class _Cleaning:
    """One document that is cleaned, of at most *most* bytes. *left* counts down by what is needed at the least: what
    stands within the quotes of a text, and a byte for each item of a list or an object."""

    __slots__ = ("left", "most")

    def __init__(self, most: int) -> None:
        self.most = self.left = most

    def clean(self, value: object, place: Place, depth: int) -> JsonValue:
        """*value* as it is stored. Raises InvalidValue."""
        if isinstance(value, str):
            self.left -= len(value)
            return value if self.left >= 0 and value.isascii() else self.text(value, place)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            number = int(value)
            return number if -MAX_INTEGER <= number <= MAX_INTEGER else _refused_integer(number, place)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise InvalidValue(_spelt(place), value, "a finite number")
            return value
        if depth == 0:
            raise InvalidValue(_spelt(place), "…", f"at most {MAX_DEPTH} levels of nesting")
        if isinstance(value, dict):
            return self.object(value, place, depth)
        if isinstance(value, (list, tuple)):
            if type(value) not in (list, tuple):  # a kind of list of the host's own may go on for ever
                value = list(islice(value, self.left + 1))
            self.spend(len(value), place)
            return [self.clean(item, (place, n), depth - 1) for n, item in enumerate(value)]
        raise InvalidValue(
            _spelt(place), type(value).__name__, "null, true, false, a number, a text, a list or an object"
        )

    def object(self, value: dict[object, object], place: Place, depth: int) -> JsonValue:
        """An object with texts as keys, each of which costs something."""
        self.spend(len(value), place)
        cleaned: dict[str, JsonValue] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidValue(_spelt(place), key, "texts as keys")
            self.left -= len(key)
            name = key if self.left >= 0 and key.isascii() else self.text(key, place)
            if name in cleaned:
                raise InvalidValue(_spelt(place), name, "keys that differ")
            cleaned[name] = self.clean(item, (place, name), depth - 1)
        return cleaned

    def text(self, value: str, place: Place) -> str:
        """A text without lone surrogates, if there was room for it."""
        self.spend(0, place)
        return _SURROGATES.sub("\ufffd", value)

    def spend(self, least: int, place: Place) -> None:
        """So many bytes are needed. Raises InvalidValue when there are no more."""
        self.left -= least
        if self.left < 0:
            raise InvalidValue(_spelt(place), f"<more than {self.most} bytes>", f"at most {self.most} bytes of JSON")


def _refused_integer(number: int, place: Place) -> int:
    return clean_integer(number, _spelt(place), -MAX_INTEGER, MAX_INTEGER)


def _spelt(place: Place) -> str:
    parts: list[str] = []
    while not isinstance(place, str):
        place, part = place
        parts.append(f"[{part}]" if isinstance(part, int) else f".{part[:40]}")
    return place + "".join(reversed(parts))


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
