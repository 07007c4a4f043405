"""A worker in a process of its own: ``python -m tests.processes.other_process URL HANDLER [FOLDER]``."""

import os
import sys
import time
from pathlib import Path

import redrive
from redrive import Attempt
from redrive.processes.handlers import Handler


def quick(attempt: Attempt) -> int:
    """Return which process executed it."""
    time.sleep(0.002)
    return os.getpid()


def hanging(attempt: Attempt) -> None:
    """Tell that it has begun, and never end; tell when it is told to stop."""
    folder = Path(sys.argv[-1])
    (folder / f"begun {attempt.run_id}").touch()
    for _ in range(30_000):
        if attempt.cancelled:
            (folder / f"told {attempt.run_id}").touch()
            return
        time.sleep(0.01)


def exiting(attempt: Attempt) -> None:
    """Take the whole process down."""
    os._exit(9)


HANDLERS: dict[str, Handler] = {"quick": quick, "hanging": hanging, "exiting": exiting}


def main() -> None:
    """Work until nothing is left."""
    with redrive.open(sys.argv[1]) as engine:
        handler = HANDLERS[sys.argv[2]]
        redrive.Worker(engine, dict.fromkeys("abc", handler), concurrency=4, poll_ms=100, tick_ms=100).run_until_idle()


if __name__ == "__main__":
    main()
