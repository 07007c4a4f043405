"""A worker in a process of its own that has one handler: ``python -m tests.processes.serving_process URL FOLDER NAME``.
It waits for the word, then works until nothing is left for it."""

import os
import sys
import time
from pathlib import Path

import redrive


def main() -> None:
    """Say that it is there; work for a moment in each attempt."""
    folder = Path(sys.argv[2])
    with redrive.open(sys.argv[1]) as engine:
        worker = redrive.Worker(engine, {sys.argv[3]: lambda attempt: time.sleep(0.005)}, tick_ms=None)
        (folder / f"up.{os.getpid()}").touch()
        while not (folder / "go").exists():
            time.sleep(0.005)
        worker.run_until_idle()


if __name__ == "__main__":
    main()
