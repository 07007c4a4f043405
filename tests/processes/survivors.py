"""Processes of a test that should be gone: how to mark them and how to find them."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# A shell script that forks twice, again within a session of its own, and leaves a sleeper in each place.
DAEMONS = "setsid sh -c 'setsid sleep 600 & sleep 600' & (sleep 600 &) & sleep 0.1;"


class Mark:
    """A variable that every process of a test inherits, by which its survivors are found."""

    def __init__(self) -> None:
        self.env = {"MARK": f"{os.getpid()}-{random.randrange(10**12)}"}

    def alive(self) -> list[str]:
        """The command lines of the processes that carry the mark."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"MARK={self.env['MARK']}".encode() in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found


@contextmanager
def no_survivors() -> Iterator[Mark]:
    """A fresh mark; none of its processes outlives the block for long."""
    mark = Mark()
    yield mark
    assert eventually(lambda: not mark.alive()), mark.alive()


def eventually(fact: Callable[[], bool]) -> bool:
    """Whether it becomes true within a minute."""
    give_up_at = time.monotonic() + 60
    while not fact():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.01)
    return True
