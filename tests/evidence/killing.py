"""Processes that seal, and are killed while they do."""

import os
import signal
import sqlite3
import sys
from itertools import count
from pathlib import Path
from typing import cast

from redrive.evidence import sealing
from tests.evidence.sealed import FLOW, Sealed

PER_CHECKPOINT = 300
_FILES = {"open", "os.rename", "os.link", "os.remove"}


def seal_until(folder: str, step: int) -> None:
    """Seal, and be killed before the *step*-th thing that is done to the log or to the files beside it."""
    steps = count(1)

    def look(*_what: object) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(event: str, args: tuple[object, ...]) -> None:
        if event in _FILES and str(args[0]).startswith(folder):
            look()

    sealing.MOST_PER_CHECKPOINT = PER_CHECKPOINT
    with Sealed(Path(folder)).open() as engine:
        cast(sqlite3.Connection, engine.ledger.recorder.writer).set_trace_callback(look)
        sys.addaudithook(hear)
        engine.seal()


def seal_for_ever(folder: str) -> None:
    """Write and seal, again and again."""
    sealing.MOST_PER_CHECKPOINT = PER_CHECKPOINT
    with Sealed(Path(folder)).open() as engine:
        for number in count():
            with engine.batch() as batch:
                for run in range(20):
                    batch.add(engine.local.submit, FLOW, automation="on", key=f"{os.getpid()}-{number}-{run}")
            engine.seal()
