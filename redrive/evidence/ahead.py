"""The second process of a scan: started for a large log, ended with the scan, done without wherever it fails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from redrive import second_process
from redrive.evidence.glance import is_left
from redrive.evidence.stretches import Sound, heard

FROM_LEAVES = 250_000
"""Of a smaller log, the scan is over before another process would be of much use."""
Ahead = Callable[[int], Sound | None]
"""What is told of the stretch that begins with a leaf; asked for each, in order."""


@contextmanager
def ahead(file: tuple[str, int] | None, size: int) -> Iterator[Ahead]:
    """What another process tells of the first *size* leaves of the log in *file*; nothing, where there is none."""
    process = None
    if file is not None and size >= FROM_LEAVES and second_process.processors() > 1:
        path, busy_timeout_ms = file
        process = second_process.started("redrive.evidence.glance", (path, str(size), str(busy_timeout_ms)))
    if process is None:
        yield nothing
        return
    with process:
        try:
            assert process.stdout is not None
            yield _Listening(process.stdout)
        finally:
            process.kill()


class _Listening:
    """Hears what the process tells until it ends, however it does."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._ended, self._words = False, second_process.Words(pipe)

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
