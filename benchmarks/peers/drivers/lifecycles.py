"""What every driver shares: the job, its three attempts, the clock, and the proof that all of it happened.

All drivers work in the same phases, so that none waits for another's latency: every job is submitted; all are worked
until they have failed twice and are dead; an operator has each done again; all are worked until they succeed.
"""

import json
import resource
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Self

INPUT = {"invoice": "inv-2026-11-22", "amount_cents": 12_900, "currency": "EUR"}
OUTPUT = {"receipt": "ch_3MmlLrLkdIwHu7ix0snN0B15", "status": "paid"}
REASON = "timeout after 90 s: POST https://api.example.com/v1/charges"
ATTEMPTS = 3


class ProviderDownError(Exception):
    """What the job meets until the operator has rotated the key."""


class Provider:
    """The outside world of all jobs: it refuses until *up*, and counts who called."""

    def __init__(self) -> None:
        self.up = False
        self.calls: Counter[int] = Counter()

    def charge(self, job: int) -> dict[str, str]:
        """One attempt of *job*."""
        self.calls[job] += 1
        if not self.up:
            raise ProviderDownError(REASON)
        return OUTPUT


def prove(lifecycles: int, calls: Counter[int], *, finished: int) -> None:
    """Every job was attempted three times, and is finished in the store; else this run does not count."""
    wrong = {job: times for job, times in calls.items() if times != ATTEMPTS}
    if len(calls) != lifecycles or wrong or finished != lifecycles:
        raise SystemExit(
            f"not {lifecycles} lifecycles: {len(calls)} jobs were attempted, {len(wrong)} of them not {ATTEMPTS} times "
            f"({dict(list(wrong.items())[:3])}), {finished} are finished"
        )


class Measured:
    """``with Measured() as measured:`` around the work: wall time, and processor time of this process and its children
    that have ended."""

    seconds = 0.0
    cpu_seconds = 0.0

    def __enter__(self) -> Self:
        self._cpu, self._wall = _cpu_seconds(), time.perf_counter()
        return self

    def __exit__(self, *_error: object) -> None:
        self.seconds = time.perf_counter() - self._wall
        self.cpu_seconds = _cpu_seconds() - self._cpu


def _cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def sqlite_path(url: str) -> Path:
    """The file of ``sqlite:///FILE``."""
    assert url.startswith("sqlite:///"), f"{url} is no SQLite URL"
    return Path(url.removeprefix("sqlite:///"))


def sqlite_settings(connection: sqlite3.Connection) -> str:
    """The journal and the durability of *connection*, asserted: FULL, as everybody's."""
    ((journal,),) = connection.execute("PRAGMA journal_mode")
    ((synchronous,),) = connection.execute("PRAGMA synchronous")
    assert synchronous == 2, f"synchronous={synchronous}: a commit would not be durable"
    return f"{journal.upper()}, synchronous=FULL"


def version_of(*distributions: str) -> str:
    """``name version`` of what is installed here."""
    return ", ".join(f"{name} {metadata.version(name)}" for name in distributions)


def tell(lifecycles: int, measured: Measured, *, version: str, settings: str) -> None:
    """The one line that the runner reads."""
    found = {
        "lifecycles": lifecycles,
        "seconds": measured.seconds,
        "cpu_seconds": measured.cpu_seconds,
        "version": version,
        "settings": settings,
    }
    print(json.dumps(found))


def arguments(ways: dict[str, Callable[[str, int], None]]) -> None:
    """Run the way that the command line names."""
    url, lifecycles, way = sys.argv[1:]
    ways[way](url, int(lifecycles))
