"""The second process of a scan: started for a large log, ended with the scan, done without wherever it fails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redrive import other_process
from redrive.evidence.glance import is_left
from redrive.evidence.stretches import Sound, heard

FROM_LEAVES = 250_000
"""Of a smaller log, the scan is over before another process would be of much use."""
Ahead = Callable[[int], Sound | None]
"""What is told of the stretch that begins with a leaf; asked for each, in order."""


@contextmanager
def ahead(file: tuple[str, int] | None, size: int) -> Iterator[Ahead]:
    """What another process tells of the first *size* leaves of the log in *file*; nothing, where there is none."""
    if file is None or size < FROM_LEAVES or other_process.processors() < 2:
        yield nothing
        return
    path, busy_timeout_ms = file
    with other_process.started("redrive.evidence.glance", (path, str(size), str(busy_timeout_ms))) as words:
        yield nothing if words is None else _Listening(words)


class _Listening:
    """Hears what the process tells until it ends, however it does."""

    def __init__(self, words: other_process.Words) -> None:
        self._ended, self._words = False, words

    def __call__(self, start: int) -> Sound | None:
        if self._ended or is_left(start):
            return None
        try:
            return heard(self._words)
        except (EOFError, OSError):
            self._ended = True
            return None


def nothing(_start: int) -> None:
    """Nobody tells anything."""
