"""A workflow of about 1,000 tasks, simulated with failures: production workflows, one beside the other in one file.

The largest of the real inputs has 120 tasks; joined with others it stays real in all but its name.
"""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import redrive
from tests.acceptance.killing import DATA

PARTS = ("1000genome-chameleon-4ch-100k-001", "cutandrun-dirt02-001", "blast-chameleon-large-001")
TASKS = 1_000
RATE, SEED = 0.2, 4  # some nodes fail three times, which is the last


def joined() -> dict[str, Any]:
    """One WfFormat document of at least so many tasks."""
    tasks: list[dict[str, Any]] = []
    ran: list[dict[str, Any]] = []
    for n, name in enumerate(cycle(PARTS)):
        if len(tasks) >= TASKS:
            break
        workflow = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))["workflow"]
        tasks += [_renamed(task, n) for task in workflow["specification"]["tasks"]]
        ran += [{**task, "id": f"{n}-{task['id']}"} for task in workflow["execution"]["tasks"]]
    whole = {"specification": {"tasks": tasks, "files": []}, "execution": {"tasks": ran}}
    return {"name": "campaign", "schemaVersion": "1.5", "workflow": whole}


def _renamed(task: dict[str, Any], n: int) -> dict[str, Any]:
    family = {role: [f"{n}-{other}" for other in task[role]] for role in ("parents", "children")}
    return {**task, **family, "id": f"{n}-{task['id']}", "inputFiles": [], "outputFiles": []}


@dataclass(frozen=True)
class Campaign:
    """The log of its simulated run, in *folder*, with a key, and a pin outside of the database."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The settings of whoever works on it."""
        named = {"DB": f"sqlite:///{self.log}", "KEY_FILE": "keys.json", "PIN_FILE": "pin.txt"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("REDRIVE_")}
        return inherited | {f"REDRIVE_{name}": value for name, value in named.items()}

    @property
    def log(self) -> Path:
        """The file of the log."""
        return self.folder / "log.db"

    def typed(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What a command prints, in a process of its own, with its lines as an operator sees them in a pipe."""
        return subprocess.run(
            [sys.executable, "-m", "redrive", *words],
            env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip

    def run(self) -> None:
        """Run it once: it ends blocked, with dead letters."""
        (self.folder / "campaign.json").write_text(json.dumps(joined()), encoding="utf-8")
        assert self.typed("keys", "init", "--name", "ops.example").returncode == 0
        dice = ("--simulate", "--time-scale", "0.00001", "--failure-rate", str(RATE), "--seed", str(SEED))
        done = self.typed("run", "campaign.json", "--key", "c1", "--concurrency", "8", *dice)
        assert done.returncode == 1, done.stdout[-500:] + done.stderr[-2000:]

    def open(self) -> redrive.Engine:
        """The log, opened by this process."""
        return redrive.open(f"sqlite:///{self.log}", seal=False)

    def positions(self, topic: str) -> list[int]:
        """Where events of *topic* stand, by plain sqlite3."""
        with closing(sqlite3.connect(self.log)) as log:
            found: Iterator[tuple[int]] = log.execute(
                "SELECT position FROM events WHERE topic LIKE ? ORDER BY position", (f"{topic}/%",)
            )
            return [position for (position,) in found]

    def copied(self, folder: Path) -> "Campaign":
        """A copy that may be damaged: its log, key and pin."""
        for name in ("keys.json", "pin.txt"):
            (folder / name).write_bytes((self.folder / name).read_bytes())
            (folder / name).chmod(0o600)
        with closing(sqlite3.connect(self.log)) as log, closing(sqlite3.connect(folder / "log.db")) as copy:
            log.backup(copy)
        return Campaign(folder)
