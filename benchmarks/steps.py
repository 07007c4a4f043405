"""Counting what SQLite does: steps of its virtual machine, which no noise of the machine changes."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Steps:
    """How many steps were counted so far."""

    def __init__(self) -> None:
        self.count = 0

    def tick(self) -> int:
        """One step; 0 tells SQLite to go on."""
        self.count += 1
        return 0


@contextmanager
def counted(connections: Iterable[sqlite3.Connection]) -> Iterator[Steps]:
    """Count the steps that these connections take."""
    steps, watched = Steps(), list(connections)
    for connection in watched:
        connection.set_progress_handler(steps.tick, 1)
    try:
        yield steps
    finally:
        for connection in watched:
            connection.set_progress_handler(None, 0)
