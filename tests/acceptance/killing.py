"""Real workflows run by the command line, killed with -9 at a log position while an attempt runs."""

import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import redrive
from redrive.domain.run import events as e
from tests.ledger.child import SERVER

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "wfinstances"
PATIENCE_S = 600


class Standing(NamedTuple):
    """How far a log has come, how many attempts run, and how many claims of the dead were taken over."""

    position: int = 0
    running: int = 0
    abandoned: int = 0


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

    def standing(self) -> Standing:
        """How the log stands, by plain sqlite3."""
        try:
            with closing(sqlite3.connect(f"file:{self.log}?mode=ro", uri=True, timeout=5)) as log:
                return standing_of(log)
        except sqlite3.OperationalError:
            return Standing()

    def kill_at(self, position: int, killed: int) -> None:
        """Run it, and kill it with -9 once the log has reached *position* while an attempt of it runs: those of the
        *killed* before it are taken over first. What fails too often on the way is retried: other attempts are cut off
        each time, so the dice fall otherwise."""

        def due(now: Standing) -> bool:
            return now.position >= position and now.running > 0 and now.abandoned == killed

        process, end = self.start(), time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if process.poll() is not None:
                assert process.returncode != 0, f"it is complete: {(self.folder / 'output.txt').read_text()[-2000:]}"
                self.retry()
                process = self.start()
            if due(self.standing()) and self._killed(process, due):
                return
            time.sleep(0.005)
        process.kill()
        raise AssertionError(f"it never came so far: {(self.folder / 'output.txt').read_text()[-2000:]}")

    def _killed(self, process: subprocess.Popen[bytes], due: Callable[[Standing], bool]) -> bool:
        """Kill it, if it is still *due* while nobody can write: no report is on its way that would end the claim."""
        ear, mouth = SERVER.Pipe()
        holder = SERVER.Process(target=hold, args=(str(self.log), mouth), daemon=True)
        holder.start()
        mouth.close()
        kills = due(ear.recv()) and process.poll() is None
        if kills:
            process.kill()
            process.wait()
        ear.close()
        holder.join()
        return kills

    def retry(self) -> None:
        """Ask for a retry of every dead letter."""
        with self.open() as engine:
            for letter in engine.local.dead_letters(status="open").items:
                engine.local.request_retry(letter.id, actor="ana", reason="try again")

    def finish(self) -> int:
        """Run it to the end, retrying what is dead-lettered; the last exit code."""
        for _ in range(12):
            if (code := self.start().wait(timeout=PATIENCE_S)) == 0:
                break
            self.retry()
        return code


def standing_of(log: sqlite3.Connection) -> Standing:
    """How it stands."""
    rows = log.execute("SELECT topic, count(*) FROM events GROUP BY topic").fetchall()
    count = Counter[str]()
    for topic, number in rows:
        count[topic.split("/")[0].removeprefix("run.attempt-")] += number
    running = count["started"] - count["succeeded"] - count["failed"] - count["interrupted"]
    return Standing(sum(count.values()), running, count["run.claim-abandoned"])


def hold(path: str, mouth: Connection) -> None:
    """Say how the log stands, and let nobody write until the other end is closed. The log is not closed here: its files
    stay as whoever is killed meanwhile leaves them."""
    log = sqlite3.connect(path, isolation_level=None, timeout=60)
    log.execute("BEGIN IMMEDIATE")
    mouth.send(standing_of(log))
    mouth.poll(None)
    os._exit(0)


def successes(engine: redrive.Engine) -> Counter[str]:
    """How often each node succeeded."""
    events = (event.event for batch in engine.ledger.replay() for event in batch)
    return Counter(event.node for event in events if isinstance(event, e.AttemptSucceeded))
