"""What an imported file says beyond what is read here: whoever imports it learns what it lost."""

from collections.abc import Iterable, Iterator
from typing import Any

MAX_IGNORED = 200


def others(objects: Iterable[dict[str, Any]], path: str, known: set[str]) -> Iterator[str]:
    """The paths of the keys of *objects*, which stand at *path*, that are not *known*."""
    return (f"{path}{key[:80]}" for item in objects for key in item if key not in known)


def listed(found: set[str]) -> tuple[str, ...]:
    """Each path once, sorted, and not without end."""
    return tuple(sorted(found)[:MAX_IGNORED])


def at(document: object, *keys: str) -> object:
    """What stands at a path of keys; None when there is nothing."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document
