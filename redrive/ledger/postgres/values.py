"""Values on their way to the server and back, in its binary formats: the few types that a log is made of.

psycopg converts any type of Python and PostgreSQL; for these few, this takes a third of the time, and it is on the way
of every statement.
"""

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.adapt import Transformer

if TYPE_CHECKING:
    from psycopg import pq

BOOL, BYTEA, INT8, INT4, TEXT = 16, 17, 20, 23, 25
_ARRAYS = {TEXT: 1009, INT8: 1016, BYTEA: 1001}
_MARK, _NUL = "\ue000", "\ue000\ue001"
"""PostgreSQL has no place for NUL in a text; names may hold it. It is written as two characters of private use."""

_INT8 = struct.Struct(">q").pack
_SIZED_INT8 = struct.Struct(">iq").pack
_INT4 = struct.Struct(">i").pack
_HEAD = struct.Struct(">iiIii").pack
_NULL = _INT4(-1)


def dumped(values: Sequence[Any]) -> tuple[list[bytes | None], tuple[int, ...]]:
    """*values* as the server takes them, and their types. Raises ProgrammingError for one of another."""
    found: list[bytes | None] = []
    types: list[int] = []
    for value in values:
        if value is None:
            found.append(None)
            types.append(0)
            continue
        type_, dump = _DUMPERS[value.__class__] if value.__class__ in _DUMPERS else _dumper(value)
        if dump is _list:
            type_ = _type_within(value)
            found.append(_list(value, type_))
            types.append(_ARRAYS[type_])
        else:
            found.append(dump(value))
            types.append(type_)
    return found, tuple(types)


def loaded(result: "pq.abc.PGresult", connection: "psycopg.Connection[Any]") -> list[Any]:
    """The rows of *result*, all of it in binary."""
    columns = range(result.nfields)
    types = [result.ftype(column) for column in columns]
    if not _LOADERS.keys() >= set(types):
        transformer = Transformer(connection)
        transformer.set_pgresult(result)
        return transformer.load_rows(0, result.ntuples, tuple)
    get, loads = result.get_value, [(column, _LOADERS[type_]) for column, type_ in zip(columns, types, strict=True)]
    return [
        tuple([None if (value := get(row, column)) is None else load(value) for column, load in loads])
        for row in range(result.ntuples)
    ]


def _text(text: str) -> bytes:
    """UTF-8. A lone surrogate is replaced: there is none where names are written, and what is looked for by one is
    not there."""
    if "\0" in text or _MARK in text:
        text = text.replace(_MARK, _MARK * 2).replace("\0", _NUL)
    return text.encode("utf-8", "replace")


def _exact_text(data: bytes) -> str:
    text = data.decode()
    if _MARK not in text:
        return text
    return _MARK.join(part.replace(_NUL, "\0") for part in text.split(_MARK * 2))


def _number(data: bytes) -> int:
    return int.from_bytes(data, signed=True)


def _texts(data: bytes) -> list[str | None]:
    """An array of texts, of one dimension."""
    found: list[str | None] = []
    at, end = 20, len(data)
    while at < end:
        begun, at = at + 4, at + 4 + (size := _number(data[at : at + 4]))
        found.append(_exact_text(data[begun:at]) if size >= 0 else None)
        at = max(at, begun)
    return found


def _list(values: Sequence[Any], type_: int) -> bytes:
    """An array of one dimension."""
    if not values:
        return _HEAD(0, 0, TEXT, 0, 0)[:12]
    dump = _OF_TYPE[type_]
    if type_ == INT8 and None not in values:
        return _HEAD(1, 0, INT8, len(values), 1) + b"".join([_SIZED_INT8(8, value) for value in values])
    parts = [_HEAD(1, int(None in values), type_, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            data = dump(value)
            parts += (_INT4(len(data)), data)
    return b"".join(parts)


def _type_within(values: Sequence[Any]) -> int:
    """The type of the first that is one."""
    for value in values:
        if value is not None:
            return (_DUMPERS[value.__class__] if value.__class__ in _DUMPERS else _dumper(value))[0]
    return TEXT


def _dumper(value: object) -> tuple[int, Callable[..., bytes]]:
    """The type of *value* and what writes it, also where its class is derived from one that is known."""
    for kind, dumper in _DUMPERS.items():
        if isinstance(value, kind):
            return dumper
    raise psycopg.ProgrammingError(f"no column of a log holds a {type(value).__name__}")


_OF_TYPE: dict[int, Callable[[Any], bytes]] = {TEXT: _text, INT8: _INT8, BYTEA: bytes}
_DUMPERS: dict[type, tuple[int, Callable[..., bytes]]] = {
    str: (TEXT, _text),
    int: (INT8, _INT8),  # one type for all numbers, as in SQLite: a statement is prepared once
    bool: (INT8, _INT8),
    bytes: (BYTEA, bytes),
    memoryview: (BYTEA, bytes),
    bytearray: (BYTEA, bytes),
    list: (0, _list),
    tuple: (0, _list),
}
_LOADERS: dict[int, Callable[[bytes], Any]] = {
    TEXT: _exact_text,
    INT8: _number,
    INT4: _number,
    BYTEA: bytes,
    BOOL: b"\1".__eq__,
    _ARRAYS[TEXT]: _texts,
}
