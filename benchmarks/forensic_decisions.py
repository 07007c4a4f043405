"""Deciding recorded history again: the replay check and what-if, in events per second, with their peak memory.

``python -m benchmarks.forensic_decisions [--quick] [--size 1000000] [--dir FOLDER]``

The log holds lifecycles of the failing job. "Same" is what-if under the recorded policy; "patient" asks the rule again
about every failure, and changes none; "one attempt" and "four" change every run. Each measurement runs in a process of
its own.
"""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.apart import Measured, apart, peak_mb, print_by_size
from benchmarks.grown import grow
from benchmarks.measure import Stopwatch, open_log, scratch, spread, table

POLICIES: dict[str, dict[str, Any]] = {
    "same": {"version": 1},
    "patient": {"version": 1, "default": {"retry": {"max_elapsed_ms": 86_400_000}}},
    "one attempt": {"version": 1, "default": {"retry": {"max_attempts": 1}}},
    "four": {"version": 1, "default": {"retry": {"max_attempts": 4}}},
}
WAYS = ("check", *POLICIES)
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
    cost = watch.cost
    return {"rate": last / cost.wall_s, "cpu_rate": last / cost.cpu_s, "peak_mb": peak_mb(), "events": last}


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


def _told(results: Sequence[dict[str, Any]]) -> str:
    peak = max(result["peak_mb"] for result in results)
    rates = " · ".join(spread([result[name] for result in results]) for name in ("rate", "cpu_rate"))
    return f"{rates} · {peak:.0f}"


def main() -> None:
    """Print the table, or, in a process started by this one, one measurement."""

    def told(options: Namespace, sizes: Sequence[int]) -> str:
        return table(HEAD, [measure(size, options.rounds, options.dir) for size in sizes])

    print_by_size("deciding recorded history again", WAYS, measure_here, told)


if __name__ == "__main__":
    main()
