"""The signs by which processes of a benchmark begin together: files in a folder of theirs."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def ready(folder: Path) -> None:
    """Say that this process is, and wait for the others."""
    (folder / f"up.{os.getpid()}").touch()
    while not (folder / "go").exists():
        time.sleep(0.001)


def begin(folder: Path, group: Sequence["subprocess.Popen[Any]"]) -> None:
    """Wait until all of *group* are ready, and let them begin."""
    while len(list(folder.glob("up.*"))) < len(group):
        assert all(process.poll() is None for process in group), "one has ended before it began"
        time.sleep(0.01)
    (folder / "go").touch()
