"""Other processes that do a share of the work: those that were started, and the ways in which one fails."""

import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest

from redrive import other_process

Started = list["subprocess.Popen[bytes]"]
Way = Callable[[pytest.MonkeyPatch, bytes], None]
"""Has processes fail that would have begun with these words."""


def noted(monkeypatch: pytest.MonkeyPatch, *, processors: int) -> Started:
    """Those that are started from now on, on a machine with so many processors."""
    found: Started = []
    start = other_process._process

    def noting(module: str, arguments: Sequence[str]) -> "subprocess.Popen[bytes] | None":
        process = start(module, arguments)
        if process is not None:
            found.append(process)
        return process

    monkeypatch.setattr(other_process, "processors", lambda: processors)
    monkeypatch.setattr(other_process, "_process", noting)
    return found


def does(patch: pytest.MonkeyPatch, code: str) -> None:
    """It does something else."""
    patch.setattr(other_process, "_BEGIN", code)


def ends_at_once(patch: pytest.MonkeyPatch, _words: bytes) -> None:
    """It cannot import what it needs."""
    does(patch, "raise ImportError")


def is_killed(patch: pytest.MonkeyPatch, words: bytes) -> None:
    """While it tells."""
    does(patch, f"import os; os.write(1, {words!r}); os.kill(os.getpid(), 9)")


def is_stopped(patch: pytest.MonkeyPatch, words: bytes) -> None:
    """While it tells, so that its end of the pipe stays open."""
    patch.setattr(other_process, "PATIENCE_MS", 100)
    does(patch, f"import os, signal; os.write(1, {words!r}); os.kill(os.getpid(), signal.SIGSTOP)")


def is_no_python(patch: pytest.MonkeyPatch, _words: bytes) -> None:
    """Another program answers, in its own words."""
    does(patch, "print('usage: not what you think' * 100_000)")


def is_no_program(patch: pytest.MonkeyPatch, _words: bytes) -> None:
    """Python is embedded, and does not know where it is."""
    patch.setattr(sys, "executable", None)


def cannot_be_started(patch: pytest.MonkeyPatch, _words: bytes) -> None:
    """No Python where this one says that it is."""
    patch.setattr(sys, "executable", "/nowhere/python")


WAYS: list[Way] = [ends_at_once, is_killed, is_stopped, is_no_python, is_no_program, cannot_be_started]
