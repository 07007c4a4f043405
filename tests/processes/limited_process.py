"""A worker in a process of its own that counts who is inside: ``python -m tests.processes.limited_process URL FOLDER
HOW``. Each attempt puts a file into the folder while it runs, and notes how many there were. HOW it goes on: it leaves
soon, waits until the file *leave* is there, or stays."""

import os
import sys
import time
from pathlib import Path

import redrive
from redrive import Attempt


def inside(attempt: Attempt) -> int:
    """Be in the folder for a moment, or as *HOW* says; note how many are."""
    folder = Path(sys.argv[2])
    mine = folder / f"inside.{attempt.run_id}.{attempt.node}.{attempt.lifetime}"
    mine.touch()
    seen = len(list(folder.glob("inside.*")))
    with (folder / "seen").open("a") as notes:
        notes.write(f"{seen}\n")
    while sys.argv[3] == "stay" or (sys.argv[3] == "wait" and not (folder / "leave").exists()):
        time.sleep(0.005)
    time.sleep(0.01)
    mine.unlink()
    return os.getpid()


def main() -> None:
    """Say that it is there, wait for the word, then work until nothing is left."""
    folder = Path(sys.argv[2])
    (folder / f"up.{os.getpid()}").touch()
    while not (folder / "go").exists():
        time.sleep(0.005)
    with redrive.open(sys.argv[1]) as engine:
        worker = redrive.Worker(engine, {"a": inside, "b": inside}, concurrency=4, poll_ms=20, tick_ms=50)
        worker.run_until_idle()


if __name__ == "__main__":
    main()
