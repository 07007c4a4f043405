"""Filters, order and pages: filters come before limits, and a cursor names the last row, not a number of rows."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from redrive.domain.errors import InvalidValue
from redrive.domain.values import clean_integer, clean_text

DEFAULT_LIMIT = 250
MAX_LIMIT = 1_000

T = TypeVar("T")


def word(value: object, field: str, known: Iterable[str]) -> str:
    """*value* as one of the *known* words: trimmed, lower case, ``-`` as ``_``. Raises InvalidValue."""
    choices = sorted(known)
    chosen = clean_text(value, field, blank=False).strip().lower().replace("-", "_").replace(" ", "_")
    if chosen not in choices:
        raise InvalidValue(field, value, f"one of {', '.join(choices)}")
    return chosen


def words(value: str | Sequence[str] | None, field: str, known: Iterable[str]) -> list[str] | None:
    """One or several of the *known* words; None stays None."""
    if value is None:
        return None
    if not isinstance(value, Iterable):
        raise InvalidValue(field, value, f"one or several of {', '.join(sorted(known))}")
    return [word(one, field, known) for one in ([value] if isinstance(value, str) else value)]


class Selection:
    """Conditions with their values, joined by AND."""

    def __init__(self, ledger: str, kind: str) -> None:
        self._names: list[Any] = [ledger, kind]
        self._conditions: list[str] = []
        self._values: list[Any] = []

    def where(self, condition: str, *values: object, drifts: bool = False) -> "Selection":
        """Add a condition. One that *drifts* (with the clock) is no part of what a cursor belongs to."""
        self._conditions.append(condition)
        self._values += values
        self._names.append([condition, [] if drifts else list(values)])
        return self

    def equal(self, column: str, value: str | Sequence[str] | None) -> "Selection":
        """*column* has this value, or one of these; None asks for nothing."""
        if value is None:
            return self
        if isinstance(value, str):
            return self.where(f"{column} = ?", clean_text(value, column))
        if len(value) == 1:
            return self.where(f"{column} = ?", value[0])
        return self.where(f"{column} IN (SELECT value FROM json_each(?))", json.dumps(list(value)))

    def between(self, column: str, since_ms: int | None, until_ms: int | None) -> "Selection":
        """*column* is at least *since_ms* and less than *until_ms*."""
        for value, field, sign in ((since_ms, "since_ms", ">="), (until_ms, "until_ms", "<")):
            if value is not None:
                self.where(f"{column} {sign} ?", clean_integer(value, field, -(2**53), 2**53))
        return self

    def sql(self, beyond: str | None = None) -> str:
        """The WHERE clause, with the cursor's condition."""
        conditions = [*self._conditions, *([beyond] if beyond else [])]
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    @property
    def values(self) -> list[Any]:
        """The values of the conditions."""
        return list(self._values)

    @property
    def fingerprint(self) -> str:
        """Names what was asked, so that a cursor of another question is known."""
        return hashlib.sha256(json.dumps(self._names).encode()).hexdigest()[:16]


def encode_cursor(selection: Selection, key: Sequence[int | str]) -> str:
    """An opaque text for the place after the row with this sort key."""
    text = json.dumps([selection.fingerprint, *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(selection: Selection, cursor: str | None, shape: Sequence[type]) -> list[int | str] | None:
    """The sort key in *cursor*. Raises InvalidValue for one that was not given for this question."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key: list[int | str]
        fingerprint, *key = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        known = fingerprint == selection.fingerprint and [type(part) for part in key] == list(shape)
        if known and all(abs(part) < 2**63 for part in key if isinstance(part, int)):
            return key
    except (AttributeError, ValueError, TypeError, RecursionError):
        pass
    raise InvalidValue("cursor", cursor, "a cursor of an earlier page of the same query")


def page_of(
    rows: Sequence[T], limit: int, selection: Selection, key: Callable[[T], Sequence[int | str]]
) -> tuple[Sequence[T], str | None]:
    """The first *limit* of *rows*, which hold one more when there are more, and the cursor after them."""
    kept = rows[:limit]
    return kept, encode_cursor(selection, key(kept[-1])) if len(rows) > limit else None


def checked_limit(limit: int | None) -> int:
    """*limit*, 250 when it is None. Raises InvalidValue beyond 1,000."""
    return DEFAULT_LIMIT if limit is None else clean_integer(limit, "limit", 1, MAX_LIMIT)
