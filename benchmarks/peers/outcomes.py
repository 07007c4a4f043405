"""Running a driver, and reading its one line."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 900


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a driver measured and proved."""

    lifecycles: int
    seconds: float
    cpu_seconds: float
    version: str
    settings: str

    @property
    def rate(self) -> float:
        """Lifecycles per second."""
        return self.lifecycles / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Processor time per lifecycle of the driver and its processes; a server's is not in it."""
        return self.cpu_seconds / self.lifecycles * 1000


class SkippedError(Exception):
    """The driver says why it does not run here."""


class FailedError(Exception):
    """The driver did not do what it should, or could not prove it."""


def parse(said: str) -> Outcome:
    """The last line that a driver printed. Raises SkippedError, FailedError."""
    lines = said.strip().splitlines()
    try:
        found = json.loads(lines[-1])
        if "skipped" in found:
            raise SkippedError(found["skipped"])
        return Outcome(**found)
    except (IndexError, TypeError, ValueError) as error:
        raise FailedError(f"a driver's last line is no outcome: {lines[-1:]}") from error


def drive(python: Path, driver: str, url: str, lifecycles: int, way: str) -> Outcome:
    """Run ``benchmarks.peers.drivers.DRIVER`` with *python*. Raises SkippedError, FailedError."""
    command = [str(python), "-m", f"benchmarks.peers.drivers.{driver}", url, str(lifecycles), way]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, env=environment, cwd=ROOT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise FailedError(f"{driver} {way} took more than {TIMEOUT_S} s") from error
    if done.returncode != 0:
        raise FailedError(f"{driver} {way} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
    return parse(done.stdout)
