"""The worker processes of the soak test, and who kills them."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Self


class Crew:
    """*size* workers on one log; ``with Crew(…) as crew`` ends them all, however the block ends."""

    def __init__(self, size: int, log: Path, shop: str, dice: random.Random, *, mean_life_s: float) -> None:
        self._size, self._log, self._dice, self._mean_life_s = size, log, dice, mean_life_s
        self._environment = {**os.environ, "SHOP": shop}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._next_kill_s = 0.0
        self._hired = 0
        self.kills = 0

    def __enter__(self) -> Self:
        self._processes = [self._hire() for _ in range(self._size)]
        self._next_kill_s = time.monotonic() + 2.0
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def kill_when_due(self) -> None:
        """Kill one with -9, at random times, and start another; replace one that ended by itself."""
        for place, process in enumerate(self._processes):
            if process.poll() is not None:
                raise RuntimeError(f"a worker ended by itself with {process.returncode}: see {self._output}")
            if time.monotonic() >= self._next_kill_s and self._dice.random() < 1 / self._size:
                process.kill()
                process.communicate()
                self._processes[place] = self._hire()
                self.kills += 1
                self._next_kill_s = time.monotonic() + self._dice.expovariate(self._size / self._mean_life_s)

    @property
    def _output(self) -> Path:
        return self._log.with_name("workers.log")

    def _hire(self) -> "subprocess.Popen[bytes]":
        self._hired += 1
        command = [sys.executable, "-m", "benchmarks.soak.worker", f"sqlite:///{self._log}", f"w{self._hired}"]
        with self._output.open("ab") as output:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=self._environment,
                start_new_session=True,
            )  # fmt: skip
