"""Another process that does a share of a long piece of work: started, heard, and done without wherever it fails.

It is no fork, so threads do not matter, and the program that embeds redrive is not imported again.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

_BEGIN = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from importlib import import_module; import_module(sys.argv.pop(1)).main()"
)
PATIENCE_MS = 10_000
"""How long another process may say nothing: whoever is silent for so long, being stopped, say, is done without."""
PIECE = 1 << 16


def processors() -> int:
    """On how many processors this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def started(module: str, arguments: Sequence[str]) -> "Iterator[Words | None]":
    """What a process says that calls ``main`` of *module*, which it finds where this one does; None when it cannot be
    started. However the context is left, the process has ended."""
    process = _process(module, arguments)
    if process is None:
        yield None
        return
    with process:
        try:
            assert process.stdout is not None
            yield Words(process.stdout)
        finally:
            process.kill()


def _process(module: str, arguments: Sequence[str]) -> "subprocess.Popen[bytes] | None":
    if not sys.executable or getattr(sys, "frozen", False):  # embedded, or a program that would begin anew
        return None
    places = json.dumps([place for place in sys.path if isinstance(place, str)])  # others are passed over by imports
    command = [sys.executable, "-I", "-c", _BEGIN, places, module, *arguments]
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except (OSError, ValueError):
        return None


class Words:
    """What a process says on *pipe*."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe, self._ready = pipe, select.poll()
        self._ready.register(pipe, select.POLLIN)

    def exactly(self, size: int) -> bytes:
        """So many bytes. Raises EOFError when there are no more, or none come for a while."""
        found = b""
        while len(found) < size:
            if not (piece := self._piece(size - len(found))):
                raise EOFError("nothing more is told")
            found += piece
        return found

    def all(self) -> bytes | None:
        """Everything up to its end; None when nothing comes for a while."""
        pieces: list[bytes] = []
        while piece := self._piece(PIECE):
            pieces.append(piece)
        return None if piece is None else b"".join(pieces)

    def _piece(self, size: int) -> bytes | None:
        """At most so many bytes; none at the end, None when nothing comes for a while."""
        return os.read(self._pipe.fileno(), size) if self._ready.poll(PATIENCE_MS) else None
