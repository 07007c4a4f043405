"""The second process of a scan: started for a large log, ended with the scan, done without wherever it fails."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from redrive.evidence.glance import is_left
from redrive.evidence.stretches import Sound, heard

FROM_LEAVES = 250_000
"""Of a smaller log, the scan is over before another process would be of much use."""
_BEGIN = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from redrive.evidence.glance import main; main()"
PATIENCE_MS = 10_000
"""How long the scan waits for a word: whoever says nothing for so long, being stopped, say, is done without."""
Ahead = Callable[[int], Sound | None]
"""What is told of the stretch that begins with a leaf; asked for each, in order."""


@contextmanager
def ahead(file: tuple[str, int] | None, size: int) -> Iterator[Ahead]:
    """What another process tells of the first *size* leaves of the log in *file*; nothing, where there is none."""
    process = _started(file, size) if file is not None and size >= FROM_LEAVES and _processors() > 1 else None
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
        self._pipe, self._ended, self._words = pipe, False, select.poll()
        self._words.register(pipe, select.POLLIN)

    def __call__(self, start: int) -> Sound | None:
        if self._ended or is_left(start):
            return None
        try:
            return heard(self)
        except (EOFError, OSError):
            self._ended = True
            return None

    def read(self, size: int) -> bytes:
        """So many bytes; fewer when there are no more, or none come for a while."""
        found = b""
        while len(found) < size and self._words.poll(PATIENCE_MS):
            piece = os.read(self._pipe.fileno(), size - len(found))
            if not piece:
                break
            found += piece
        return found


def _started(file: tuple[str, int], size: int) -> "subprocess.Popen[bytes] | None":
    """The process, which finds its modules where this one does; None when it cannot be started."""
    if not sys.executable or getattr(sys, "frozen", False):  # embedded, or a program that would begin anew
        return None
    path, busy_timeout_ms = file
    places = json.dumps([place for place in sys.path if isinstance(place, str)])  # others are passed over by imports
    command = [sys.executable, "-I", "-c", _BEGIN, places, path, str(size), str(busy_timeout_ms)]
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except (OSError, ValueError):
        return None


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def nothing(_start: int) -> None:
    """Nobody tells anything."""
