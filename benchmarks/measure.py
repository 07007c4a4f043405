"""What every benchmark needs: a place, a clock that never waits, medians with their spread, a table."""

import itertools
import logging
import os
import platform
import sqlite3
import statistics
import tempfile
import time
import timeit
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

import redrive

FLUSHES = 200


def ticking_clock(start_ms: int = 1_800_000_000_000) -> Callable[[], int]:
    """A clock that moves by one millisecond whenever it is read, so that no backoff is ever waited for."""
    return itertools.count(start_ms).__next__


@dataclass(slots=True)
class SetClock:
    """A clock that stands where it was put."""

    now_ms: int = 1_800_000_000_000

    def __call__(self) -> int:
        """The time."""
        return self.now_ms


@contextmanager
def scratch(folder: str | None) -> Iterator[Path]:
    """A folder of its own for one log; everything in it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="redrive-bench-", dir=folder) as name:
        yield Path(name)


def open_log(path: Path, clock: Callable[[], int] | None = None) -> redrive.Engine:
    """An engine on the log at *path*, with dice that always show the same."""
    return redrive.open(f"sqlite:///{path}", clock=clock or ticking_clock(), dice=lambda: 0.5)


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took: wall time, and the time of this process's threads on a processor."""

    wall_s: float
    cpu_s: float


class Stopwatch:
    """``with Stopwatch() as watch: …`` and then ``watch.cost``."""

    cost: Cost

    def __enter__(self) -> Self:
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_error: object) -> None:
        self.cost = Cost(time.perf_counter() - self._wall, time.process_time() - self._cpu)


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median, and in brackets the smallest and the largest."""
    low, high = min(values), max(values)
    return f"{median(values):,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])


def flush_ms(folder: str | None) -> tuple[float, float]:
    """Median and 90th percentile of writing 4 KiB and flushing it, in milliseconds: what a commit at least costs."""
    with scratch(folder) as place:
        descriptor = os.open(place / "probe", os.O_RDWR | os.O_CREAT)
        taken = []
        try:
            for n in range(FLUSHES):
                os.pwrite(descriptor, b"x" * 4096, n * 4096)
                begun = time.perf_counter()
                os.fsync(descriptor)
                taken.append((time.perf_counter() - begun) * 1000)
        finally:
            os.close(descriptor)
    return median(taken), statistics.quantiles(taken, n=10)[-1]


def additions_ms() -> float:
    """What ten million additions take here, the best of three: tells how busy the processor is with others."""
    return min(timeit.repeat(lambda: sum(range(10_000_000)), number=1, repeat=3)) * 1000


def machine(folder: str | None) -> str:
    """One line about where the numbers come from."""
    typical, slow = flush_ms(folder)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} cores {platform.machine()}, {platform.system()}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, redrive {redrive.__version__}; WAL, synchronous=FULL; "
        f"4 KiB write + fsync {typical:.2f} ms (90 % below {slow:.2f} ms); load {load}; "
        f"sum of ten million integers {additions_ms():.0f} ms"
    )


def arguments(what: str) -> ArgumentParser:
    """The options that all benchmarks share; decisions are not logged, as in a host that logs warnings only."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parser = ArgumentParser(description=what)
    parser.add_argument("--dir", help="where the logs are written (default: the system's temporary folder)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per measurement (default 3)")
    parser.add_argument("--quick", action="store_true", help="small sizes: seconds instead of minutes")
    return parser


def print_among(what: str, others: str, report: Callable[[Namespace, Sequence[int]], str]) -> None:
    """Print what is reported of something small among many *others*, for several numbers of these."""
    parser = arguments(what)
    parser.add_argument("--sizes", help=f"{others}, with commas (default 1000,100000,1000000)")
    options = parser.parse_args()
    sizes = options.sizes or ("1000,20000" if options.quick else "1000,100000,1000000")
    print(f"{machine(options.dir)}\n")
    print(report(options, [int(size) for size in sizes.split(",")]))


def print_rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, each line as soon as it is known: they take minutes."""
    print(table(head, []), flush=True)
    for each in rows:
        print(table(head, [each]).splitlines()[-1], flush=True)
    print()
