"""Reading the log back: events decoded per second, rebuilding of all views, peak memory.

``python -m benchmarks.replay [--quick] [--size 1000000] [--dir FOLDER]``

Each measurement runs in a process of its own, whose peak of resident memory is its alone.
"""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.apart import Measured, apart, peak_mb, print_by_size
from benchmarks.logs import fill
from benchmarks.measure import Stopwatch, open_log, scratch, spread, table

HEAD = (
    "events in the log",
    "read rows/s · per CPU second",
    "read + decode events/s · per CPU second",
    "rebuild of all views events/s · per CPU second",
    "peak MB, idle",
    "peak MB, decode",
    "peak MB, rebuild",
    "log MB",
    "views MB",
)
WAYS = ("idle", "rows", "decode", "rebuild")


def measure_here(path: Path, way: str) -> Measured:
    """Do one thing to the log and tell what it took; in a process of its own."""
    with open_log(path) as engine:
        last = engine.ledger.last_position()
        with Stopwatch() as watch:
            match way:
                case "rows":
                    after = 0
                    while rows := engine.ledger.recorder.rows_after(after, 2_000):
                        after = rows[-1][0]
                case "decode":
                    for _ in engine.ledger.replay():
                        pass
                case "rebuild":
                    engine.views.rebuild()
        size = engine.views.status().size_bytes
    rates = {"rate": last / watch.cost.wall_s, "cpu_rate": last / watch.cost.cpu_s}
    return {**rates, "peak_mb": peak_mb(), "events": last, "views_mb": size / 1e6}


def measure(size: int, rounds: int, folder: str | None) -> list[str]:
    """The line of one size."""
    with scratch(folder) as place:
        path = place / "log.db"
        with open_log(path) as engine:
            fill(engine, size)
        with open_log(path) as engine:
            engine.views.catch_up()
        found = {
            way: [apart("benchmarks.replay", way, path) for _ in range(1 if way == "idle" else rounds)] for way in WAYS
        }
        log_mb = path.stat().st_size / 1e6
    rates = [f"{_rate(found[way], 'rate')} · {_rate(found[way], 'cpu_rate')}" for way in WAYS[1:]]
    peaks = [f"{max(result['peak_mb'] for result in found[way]):.0f}" for way in ("idle", "decode", "rebuild")]
    first = found["rebuild"][0]
    return [f"{first['events']:,}", *rates, *peaks, f"{log_mb:,.0f}", f"{first['views_mb']:,.0f}"]


def _rate(results: Sequence[dict[str, Any]], name: str) -> str:
    return spread([result[name] for result in results])


def report(options: Namespace, sizes: Sequence[int]) -> str:
    """The table of all sizes."""
    return table(HEAD, [measure(size, options.rounds, options.dir) for size in sizes])


def main() -> None:
    """Print the table, or, in a process started by this one, one measurement."""
    print_by_size("reading the log back", WAYS, measure_here, report)


if __name__ == "__main__":
    main()
