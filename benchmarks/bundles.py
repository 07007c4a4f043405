"""Evidence bundles: export, verification by both verifiers, opening; events per second and peak memory.

``python -m benchmarks.bundles [--quick] [--size 1000000] [--dir FOLDER]``

Each measurement runs in a process of its own, whose peak of resident memory is its alone.
"""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redrive
from benchmarks.apart import Measured, apart, peak_mb, print_by_size
from benchmarks.grown import grow
from benchmarks.measure import Stopwatch, open_log, scratch, table
from redrive.evidence import verify

HEAD = ("what", "events", "seconds", "events/s", "events per CPU second", "peak MB", "bundle MB")
WAYS = ("idle", "export", "verify.py", "verify_bundle", "open_bundle")


def measure_here(path: Path, way: str) -> Measured:
    """Do one thing and tell what it took; in a process of its own."""
    bundle = path.with_suffix(".tar")
    with open_log(path) as engine:
        events = engine.ledger.last_position()
        with Stopwatch() as watch:
            if way == "export":
                engine.export(bundle, positions=(1, events), force=True)
    if way not in ("idle", "export"):
        with Stopwatch() as watch:
            _read(bundle, way)
    size = bundle.stat().st_size / 1e6 if bundle.exists() else 0
    cost = watch.cost
    return {"events": events, "wall_s": cost.wall_s, "cpu_s": cost.cpu_s, "peak_mb": peak_mb(), "bundle_mb": size}


def _read(bundle: Path, way: str) -> None:
    if way == "verify.py":
        assert verify.main([str(bundle)]) == verify.EXITS["SELF-CONSISTENT"]
    elif way == "verify_bundle":
        assert redrive.verify_bundle(bundle).result == "SELF-CONSISTENT"
    else:
        with redrive.open_bundle(bundle) as opened:
            opened.views.catch_up()


def measure(size: int, folder: str | None) -> list[tuple[str, ...]]:
    """The lines of one size."""
    with scratch(folder) as place:
        path = place / "log.db"
        grow(path, size)
        return of_log(path)


def of_log(path: Path) -> list[tuple[str, ...]]:
    """The lines of a log, which is sealed."""
    with open_log(path) as engine:
        engine.seal()
    return [_row(way, apart("benchmarks.bundles", way, path)) for way in WAYS]


def _row(way: str, found: dict[str, Any]) -> tuple[str, ...]:
    events, wall, cpu = found["events"], found["wall_s"], found["cpu_s"]
    rates = ("", "", "") if way == "idle" else (f"{wall:.1f}", f"{events / wall:,.0f}", f"{events / cpu:,.0f}")
    return way, f"{events:,}", *rates, f"{found['peak_mb']:.0f}", f"{found['bundle_mb']:,.0f}"


def report(options: Namespace, sizes: Sequence[int]) -> str:
    """The table of all sizes."""
    return table(HEAD, [row for size in sizes for row in measure(size, options.dir)])


def main() -> None:
    """Print the table, or, in a process started by this one, one measurement."""
    print_by_size("evidence bundles", WAYS, measure_here, report)


if __name__ == "__main__":
    main()
