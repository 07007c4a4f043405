"""Retry documents of other systems, normalised: camelCase or snake_case, backoff nested or flat."""

import math
import re
from collections.abc import Iterator
from typing import Any

from redrive.domain.errors import InvalidValue
from redrive.domain.failure import MAX_DELAY_MS
from redrive.domain.values import MAX_INTEGER, MAX_NAME_BYTES, JsonValue

MAX_ATTEMPTS = 10
_PARTS = {"backoff", "terminal_behavior", "manual_override"}
_BACKOFF_NUMBERS = ("initial_delay_ms", "max_delay_ms", "jitter_ms")


def normalised_policy(document: JsonValue) -> dict[str, Any]:
    """Arguments for ``RetryPolicy``; what cannot be meant is left at its default.

    Attempts are clamped to 1..10; negative, fractional, text and null integers are ignored; a non-finite
    multiplier is ignored, one below 1 becomes 1. Raises InvalidValue when *document* is no object.
    """
    source = _snake(document)
    if source is None:
        raise InvalidValue("retry policy", document, "an object")
    policy: dict[str, Any] = {}
    if (attempts := _whole(source.get("max_attempts"))) is not None:
        policy["max_attempts"] = min(max(attempts, 1), MAX_ATTEMPTS)
    if (elapsed := _whole(source.get("max_elapsed_ms"))) is not None and elapsed > 0:
        policy["max_elapsed_ms"] = elapsed
    classes = source.get("retryable_failure_classes")
    if isinstance(classes, list):
        names = [name for name in classes if _is_name(name)]
        if names or not classes:  # a list of nothing but junk does not mean "all"
            policy["retryable_failure_classes"] = names
    policy["backoff"] = _backoff({**source, **(_snake(source.get("backoff")) or {})})
    terminal = _snake(source.get("terminal_behavior")) or {}
    mode = _word(terminal.get("mode"), ("fail_run", "pause_for_review", "dead_letter"))
    policy["terminal_behavior"] = {"mode": mode} if mode else {}
    override = _snake(source.get("manual_override")) or {}
    switches = ("enabled", "requires_reason")
    policy["manual_override"] = {name: override[name] for name in switches if isinstance(override.get(name), bool)}
    return policy


def meaningless(document: dict[str, Any]) -> Iterator[str]:
    """The paths of the keys that ``normalised_policy`` ignores, because of their name or their value. Nothing is said
    about null, which says nothing itself."""
    nothing = normalised_policy({})
    for key, value in document.items():
        parts: dict[str, JsonValue]
        if isinstance(value, dict) and (_snake({key: value}) or {}).keys() <= _PARTS:
            parts = {f"{key[:80]}.{name[:80]}": {key: {name: item}} for name, item in value.items() if item is not None}
        else:
            parts = {} if value is None else {key[:80]: {key: value}}
        yield from (path for path, part in parts.items() if normalised_policy(part) == nothing)


def _backoff(source: dict[str, Any]) -> dict[str, Any]:
    backoff: dict[str, Any] = {}
    if strategy := _word(source.get("strategy"), ("none", "fixed", "exponential")):
        backoff["strategy"] = strategy
    for name in _BACKOFF_NUMBERS:
        if (number := _whole(source.get(name))) is not None:
            backoff[name] = min(number, MAX_DELAY_MS)
    multiplier = source.get("multiplier")
    if isinstance(multiplier, (int, float)) and not isinstance(multiplier, bool) and not _endless(multiplier):
        backoff["multiplier"] = float(min(max(multiplier, 1), 1_000))
    return backoff


def _snake(value: JsonValue) -> dict[str, Any] | None:
    """*value* with its keys in snake_case; None when it is no object. An exact snake_case key wins."""
    if not isinstance(value, dict):
        return None
    renamed = {re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower(): item for key, item in value.items()}
    return renamed | {key: item for key, item in value.items() if key in renamed}


def _whole(value: JsonValue) -> int | None:
    """*value* when it is a whole number ≥ 0 below 2^53; else None."""
    return value if type(value) is int and 0 <= value <= MAX_INTEGER else None


def _endless(value: float) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _is_name(value: JsonValue) -> bool:
    size = len(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) and value.strip() else 0
    return 0 < size <= MAX_NAME_BYTES


def _word(value: JsonValue, known: tuple[str, ...]) -> str | None:
    if not isinstance(value, str):
        return None
    word = value.strip().lower().replace("-", "_").replace(" ", "_")
    return word if word in known else None
