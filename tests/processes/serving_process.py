"""A worker in a process of its own that has one handler: ``python -m tests.processes.serving_process URL FOLDER NAME``.
It works until nothing is left for it; when it has looked and could do nothing, it says so."""

import sys
import time
from pathlib import Path

import redrive


def main() -> None:
    """Work for a moment in each attempt."""
    folder = Path(sys.argv[2])
    with redrive.open(sys.argv[1]) as engine:
        worker = redrive.Worker(engine, {sys.argv[3]: lambda attempt: time.sleep(0.005)}, tick_ms=None)
        pause = worker._pause_s

        def looked() -> float:
            (folder / f"looked.{sys.argv[3]}").touch()
            return pause()

        worker._pause_s = looked  # type: ignore[method-assign]
        worker.run_until_idle()


if __name__ == "__main__":
    main()
