"""What survives a process that is killed: lines that each of them appends to files of its own, and to the shop's."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


class Journal:
    """A file of JSON lines. A line is written by one system call: it is there, or it is not."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, *words: Any) -> None:
        """Append a line."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, json.dumps(words).encode() + b"\n")
        finally:
            os.close(descriptor)

    def lines(self) -> list[list[Any]]:
        """What was written."""
        return [json.loads(line) for line in self.path.read_bytes().splitlines()] if self.path.exists() else []


def promises(folder: Path) -> Iterator[list[Any]]:
    """What the workers wrote when they were told that a command took place: ("promise", told, key…), ("mark", mark)."""
    for path in sorted(folder.glob("told-*.jsonl")):
        yield from Journal(path).lines()


def shop(folder: Path) -> Journal:
    """What the outside service was asked: (effect, whether it acted)."""
    return Journal(folder / "shop.jsonl")


def kept(told: Journal, name: str, keys: Iterable[tuple[Any, ...]]) -> None:
    """Note that a command was acknowledged."""
    for key in keys:
        told.write("promise", name, *key)
