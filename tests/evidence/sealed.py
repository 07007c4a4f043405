"""A sealed log of one test's own, and what an insider with full write access does to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redrive
from redrive.evidence.keys import KeyFile

ONCE = redrive.RetryPolicy(max_attempts=1)
FLOW = redrive.Flow([redrive.Node("fetch", retry=ONCE), redrive.Node("publish", after=["fetch"], retry=ONCE)])
STEPS = (60, 300, 90)
"""How many runs are submitted before each checkpoint: the second lies beyond the first tile."""
NOW_MS = 1_800_000_000_000


class Clock:
    """A clock that goes on by a millisecond whenever it is asked."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        self.now_ms += 1
        return self.now_ms


@dataclass(frozen=True)
class Sealed:
    """The folder with the log, the key file and the pin."""

    folder: Path

    @property
    def path(self) -> Path:
        """The log."""
        return self.folder / "ops.db"

    @property
    def keys(self) -> KeyFile:
        """Who signs."""
        return KeyFile(self.folder / "keys.json")

    @property
    def pin(self) -> Path:
        """What is pinned."""
        return self.folder / "ops.pin"

    def open(
        self, *, key: bool = True, pin: bool = True, now_ms: int = NOW_MS + 10_000, **options: Any
    ) -> redrive.Engine:
        """The log, with its key and its pin unless they are not wanted."""
        return redrive.open(
            f"sqlite:///{self.path}",
            clock=Clock(now_ms),
            key_file=str(self.keys.path) if key else None,
            pin_file=str(self.pin) if pin else None,
            **options,
        )

    @contextmanager
    def tampering(self) -> Iterator[sqlite3.Connection]:
        """The file, without the triggers that stop honest mistakes."""
        with closing(sqlite3.connect(self.path)) as connection:
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f"DROP TRIGGER {name}")
            yield connection
            connection.commit()

    def sql(self, statement: str, *values: object) -> None:
        """Tamper with one statement."""
        with self.tampering() as connection:
            assert connection.execute(statement, values).rowcount != 0, "nothing was tampered with"


def build(folder: Path) -> Path:
    """Write the log: three checkpoints, signed and pinned."""
    made = Sealed(folder)
    made.keys.init("test.example/log", NOW_MS)
    with made.open(now_ms=NOW_MS) as engine:
        for step in STEPS:
            with engine.batch() as batch:
                for number in range(step):
                    batch.add(engine.local.submit, FLOW, automation="nightly", key=f"{step}-{number}", input={"n": 1})
            work_one(engine)
            engine.seal()
        engine.views.catch_up()
    with closing(sqlite3.connect(made.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


def work_one(engine: redrive.Engine) -> None:
    """One run succeeds, and one fails for good."""
    for fails in (False, True):
        claim = engine.local.claim(worker="w", start=True)
        assert claim is not None
        if fails:
            engine.local.fail_attempt(claim.attempts[0], redrive.Failure("execution_error", "broke"))
        else:
            engine.local.complete_attempt(claim.attempts[0], {"rows": 3})
