"""The second process of a scan: started for a large log, ended with the scan, done without wherever it fails."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redrive.evidence.glance import is_left
from redrive.evidence.stretches import Sound, heard

FROM_LEAVES = 250_000
"""Of a smaller log, the scan is over before another process would be of much use."""
_BEGIN = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from redrive.evidence.glance import main; main()"
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
            yield _Listening(process)
        finally:
            process.kill()


class _Listening:
    """Hears what the process tells until it ends, however it does."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._pipe = process.stdout

    def __call__(self, start: int) -> Sound | None:
        if self._pipe is None or is_left(start):
            return None
        try:
            return heard(self._pipe)
        except (EOFError, OSError):
            self._pipe = None
            return None


def _started(file: tuple[str, int], size: int) -> "subprocess.Popen[bytes] | None":
    """The process, which finds its modules where this one does; None when it cannot be started."""
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
