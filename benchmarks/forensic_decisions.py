"""Deciding recorded history again: the replay check and what-if, in events per second, with their peak memory.

``python -m benchmarks.forensic_decisions [--quick] [--size 1000000] [--dir FOLDER] [--shares]``

The log holds lifecycles of the failing job. "Same" is what-if under the recorded policy; "patient" asks the rule again
about every failure, and changes none; "one attempt" and "four" change every run. A second table (only it with
``--shares``) has logs in which some of the runs fail, and each of these goes another way. Each measurement runs in a
process of its own.
"""

import sqlite3
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.apart import Measured, apart, peak_mb, print_by_size
from benchmarks.grown import grow
from benchmarks.measure import Stopwatch, open_log, scratch, spread, table
from benchmarks.sometimes_failing import filling

POLICIES: dict[str, dict[str, Any]] = {
    "same": {"version": 1},
    "patient": {"version": 1, "default": {"retry": {"max_elapsed_ms": 86_400_000}}},
    "one attempt": {"version": 1, "default": {"retry": {"max_attempts": 1}}},
    "four": {"version": 1, "default": {"retry": {"max_attempts": 4}}},
}
WAYS = ("check", *POLICIES)
_FAILED = (
    "SELECT count(*), count(DISTINCT correlation) FROM events WHERE correlation IN "
    "(SELECT correlation FROM events WHERE topic LIKE 'run.attempt-failed/%')"
)
DIFFERING = ("same", "one attempt", "four")
SHARES, SHARED = (0.01, 0.05, 0.2, 1.0), 50_000
SHARE_HEAD = (
    "runs that differ",
    "events of these",
    "events in the log",
    *(f"{way}: events/s · per CPU second" for way in DIFFERING),
)
HEAD = ("events in the log", *(f"{way}: events/s · per CPU second · peak MB" for way in WAYS))


def measure_here(path: Path, way: str) -> Measured:
    """Do one thing to the log and tell what it took; in a process of its own."""
    with open_log(path) as engine:
        last = engine.ledger.last_position()
        with Stopwatch() as watch:
            if way == "check":
                assert engine.replay_check().same
            else:
                with engine.what_if(POLICIES[way]) as answer:
                    assert (way in ("same", "patient")) == (answer.report.runs_that_differ == 0)
        differing = 0 if way == "check" else answer.report.runs_that_differ
    cost = watch.cost
    rates = {"rate": last / cost.wall_s, "cpu_rate": last / cost.cpu_s}
    return {**rates, "peak_mb": peak_mb(), "events": last, "differing": differing}


def measure(size: int, rounds: int, folder: str | None) -> list[str]:
    """The line of one size."""
    with scratch(folder) as place:
        path = place / "log.db"
        grow(path, size)
        return of_log(path, rounds, WAYS)


def of_log(path: Path, rounds: int, ways: Sequence[str]) -> list[str]:
    """The line of a log; not measured are the *ways* that are left out."""
    found = {way: [apart("benchmarks.forensic_decisions", way, path) for _ in range(rounds)] for way in ways}
    events = next(iter(found.values()))[0]["events"]
    return [f"{events:,}", *(_told(found[way]) if way in found else "" for way in WAYS)]


def of_shares(rounds: int, folder: str | None, size: int) -> str:
    """The table of logs in which some of the runs go another way."""
    return table(SHARE_HEAD, [_of_share(share, rounds, folder, size) for share in SHARES])


def _of_share(share: float, rounds: int, folder: str | None, size: int) -> list[str]:
    with scratch(folder) as place:
        path = place / "log.db"
        grow(path, size, filling(share))
        with closing(sqlite3.connect(path)) as log:
            events, differing = log.execute(_FAILED).fetchone()
        found = {way: [apart("benchmarks.forensic_decisions", way, path) for _ in range(rounds)] for way in DIFFERING}
    for way, results in found.items():
        assert {result["differing"] for result in results} == {0 if way == "same" else differing}
    told = [f"{share:.0%}", f"{events / found['four'][0]['events']:.0%}", f"{found['four'][0]['events']:,}"]
    return [*told, *(_rates(found[way]) for way in DIFFERING)]


def _told(results: Sequence[dict[str, Any]]) -> str:
    peak = max(result["peak_mb"] for result in results)
    return f"{_rates(results)} · {peak:.0f}"


def _rates(results: Sequence[dict[str, Any]]) -> str:
    return " · ".join(spread([result[name] for result in results]) for name in ("rate", "cpu_rate"))


def report(options: Namespace, sizes: Sequence[int]) -> str:
    """The table of all sizes, and of the logs in which some of the runs go another way."""
    shares = of_shares(options.rounds, options.dir, options.size or (20_000 if options.quick else SHARED))
    if options.shares:
        return shares
    return table(HEAD, [measure(size, options.rounds, options.dir) for size in sizes]) + "\n\n" + shares


def main() -> None:
    """Print the tables, or, in a process started by this one, one measurement."""
    flags = {"--shares": "only the table of logs in which some of the runs differ"}
    print_by_size("deciding recorded history again", WAYS, measure_here, report, flags)


if __name__ == "__main__":
    main()
