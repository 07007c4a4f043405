"""Real workflows run by the command line, killed with -9 at a log position while an attempt runs."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import redrive
from redrive.domain.run import events as e

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "wfinstances"


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

    def start(self) -> subprocess.Popen[bytes]:
        """A process that runs it."""
        dice = ("--simulate", "--failure-rate", str(self.failure_rate), "--seed", str(self.seed))
        arguments = (*dice, "--time-scale", str(self.time_scale), "--concurrency", "6")
        with (self.folder / "output.txt").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "redrive", "run", str(self.file), *arguments],
                env={**os.environ, "REDRIVE_DB": f"sqlite:///{self.log}"},
                cwd=self.folder,
                stdout=output,
                stderr=output,
            )

    def open(self) -> redrive.Engine:
        """The log, opened by a process of its own."""
        return redrive.open(f"sqlite:///{self.log}")

    def position_and_running(self) -> tuple[int, int]:
        """The last position of the log, and how many attempts run, by plain sqlite3."""
        try:
            with sqlite3.connect(f"file:{self.log}?mode=ro", uri=True, timeout=5) as log:
                rows = log.execute("SELECT topic, count(*) FROM events GROUP BY topic").fetchall()
        except sqlite3.OperationalError:
            return 0, 0
        count = Counter({topic.split("/")[0].removeprefix("run.attempt-"): n for topic, n in rows})
        return sum(count.values()), count["started"] - count["succeeded"] - count["failed"] - count["interrupted"]

    def kill_at(self, position: int) -> None:
        """Run it, and kill it with -9 once the log has reached *position* while an attempt runs. It is held still
        for the second look: else the attempt, and the claim with it, could end before the signal arrives."""
        process = self.start()
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and process.poll() is None:
            reached, running = self.position_and_running()
            if reached >= position and running > 0:
                process.send_signal(signal.SIGSTOP)
                if self.position_and_running()[1] > 0:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    return
                process.send_signal(signal.SIGCONT)
            time.sleep(0.005)
        raise AssertionError(f"it ended, or nothing ran: {(self.folder / 'output.txt').read_text()[-2000:]}")

    def finish(self) -> int:
        """Run it to the end, retrying what is dead-lettered; the last exit code."""
        for _ in range(12):
            if (code := self.start().wait(timeout=120)) == 0:
                break
            with self.open() as engine:
                for letter in engine.local.dead_letters(status="open").items:
                    engine.local.request_retry(letter.id, actor="ana", reason="try again")
        return code


def successes(engine: redrive.Engine) -> Counter[str]:
    """How often each node succeeded."""
    events = (event.event for batch in engine.ledger.replay() for event in batch)
    return Counter(event.node for event in events if isinstance(event, e.AttemptSucceeded))
