"""Real workflows run by the command line, killed with -9 at a log position while an attempt runs."""

import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import redrive
from redrive.domain.run import events as e

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "wfinstances"
PATIENCE_S = 600
ROUNDS = 12


@dataclass(frozen=True)
class Command:
    """``redrive run FILE --simulate …`` in a folder: the same command, again and again."""

    folder: Path
    file: Path
    failure_rate: float
    seed: int = 7
    time_scale: float = 0.02

    @property
    def log(self) -> Path:
        """The file of the log."""
        return self.folder / "log.db"

    def start(self, *program: str) -> subprocess.Popen[bytes]:
        """A process that runs it."""
        dice = ("--simulate", "--failure-rate", str(self.failure_rate), "--seed", str(self.seed))
        arguments = (*dice, "--time-scale", str(self.time_scale), "--concurrency", "6")
        with (self.folder / "output.txt").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", *(program or ("redrive",)), "run", str(self.file), *arguments],
                env={**os.environ, "PYTHONPATH": str(ROOT), "REDRIVE_DB": f"sqlite:///{self.log}"},
                cwd=self.folder,
                stdout=output,
                stderr=output,
            )

    def open(self) -> redrive.Engine:
        """The log, opened by a process of its own."""
        return redrive.open(f"sqlite:///{self.log}")

    def kill_at(self, position: int) -> None:
        """Run it, killed with -9 once the log has reached *position* while an attempt of it runs. What fails too often
        on the way is retried: other attempts are cut off each time, so the dice fall otherwise."""
        for _ in range(ROUNDS):
            code = self.start("tests.acceptance.doomed", str(position)).wait(timeout=PATIENCE_S)
            if code == -signal.SIGKILL:
                return
            assert code == 1, f"{code}: {(self.folder / 'output.txt').read_text()[-2000:]}"
            self.retry()
        raise AssertionError(f"it never came so far: {(self.folder / 'output.txt').read_text()[-2000:]}")

    def finish(self) -> int:
        """Run it to the end, retrying what is dead-lettered; the last exit code."""
        for _ in range(ROUNDS):
            if (code := self.start().wait(timeout=PATIENCE_S)) == 0:
                break
            self.retry()
        return code

    def retry(self) -> None:
        """Ask for a retry of every dead letter."""
        with self.open() as engine:
            for letter in engine.local.dead_letters(status="open").items:
                engine.local.request_retry(letter.id, actor="ana", reason="try again")


def successes(engine: redrive.Engine) -> Counter[str]:
    """How often each node succeeded."""
    events = (event.event for batch in engine.ledger.replay() for event in batch)
    return Counter(event.node for event in events if isinstance(event, e.AttemptSucceeded))
