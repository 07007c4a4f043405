"""Looking at the past: how long it takes to open it, to tell a diff, and to watch an invariant; and peak memory.

``python -m benchmarks.past [--quick] [--size 1000000] [--dir FOLDER]``

Each measurement runs in a process of its own. "Without" folds from the first event, "leaving" does so and leaves view
checkpoints behind, "with" begins at the nearest of them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redrive
from benchmarks.apart import Measured, apart, peak_mb
from benchmarks.grown import grow
from benchmarks.measure import Stopwatch, arguments, machine, open_log, scratch, table
from redrive.forensics.invariants.named import NAMED
from redrive.forensics.past import keep_checkpoints

PLACES = (0.1, 0.5, 0.87, 0.999)
WINDOWS = (100, 1_000, 10_000)
INVARIANTS: dict[str, str | Callable[..., bool]] = {
    **dict.fromkeys(NAMED),  # type: ignore[arg-type]
    "status, worker and attempts of runs": "SELECT 1 FROM runs WHERE status = 'x' AND worker = '' AND attempts > 9",
    "one aggregate over dead letters": "(SELECT max(dispatches) FROM dead_letters) <= 5",
    "a count over runs by status": "(SELECT count(*) FROM runs WHERE status = 'running') <= 100000",
    "predicate of the event alone": lambda event, _look: event.version > 0,
}
SLOW = ("one aggregate over dead letters", "a count over runs by status")
AT_LENGTH = ("no-stuck-run", "dispatches-within-budget", "predicate of the event alone")


def measure_here(path: Path, what: str) -> Measured:
    """Do one thing to the log, in a process of its own."""
    way, _, rest = what.partition(":")
    with open_log(path) as engine:
        engine.ledger.last_position()
        with Stopwatch() as watch:
            told = _do(engine, way, rest)
        return {"wall_s": watch.cost.wall_s, "cpu_s": watch.cost.cpu_s, "peak_mb": peak_mb(), **told}


def _do(engine: redrive.Engine, way: str, rest: str) -> dict[str, Any]:
    match way:
        case "keep":
            kept = keep_checkpoints(engine, int(rest))
            return {"files": len(kept.positions()), "mb": kept.size() / 1e6}
        case "without" | "with":
            with engine.at(int(rest), checkpoint_events=0 if way == "without" else None) as past:
                past.local.runs(limit=50)
        case "time":
            found = engine.at(f"time:{rest}", checkpoint_events=None)
            found.close()
        case "diff":
            end = engine.ledger.last_position() // 2
            return {"rows": engine.diff(max(0, end - int(rest)), end, limit=10).total}
        case "first":
            name, _, events = rest.rpartition("@")
            report = engine.first(INVARIANTS[name] or name, end=min(int(events), engine.ledger.last_position()))
            return {"events": report.events, "asked": report.asked, "how": report.how}
    return {}


def _measure(path: Path, what: str) -> Measured:
    return apart("benchmarks.past", what, path)


def report(path: Path, size: int, brief: bool = False) -> str:
    """The tables of one log; with *brief*, one place is opened without checkpoints, and most invariants are watched
    over its first 100,000 events."""
    lines = []
    places = [int(size * place) for place in PLACES]
    without = {place: _measure(path, f"without:{place}") for place in (places[1:2] if brief else places)}
    kept = _measure(path, "keep:50000")
    lines.append(f"view checkpoints: {kept['files']} files, {kept['mb']:,.0f} MB, made in {kept['wall_s']:.1f} s\n")
    rows = []
    for place in places:
        found = _measure(path, f"with:{place}")
        bare = without.get(place)
        took, peak = ("", "") if bare is None else (f"{bare['wall_s']:.2f}", f"{bare['peak_mb']:.0f} · ")
        rows.append([f"{place:,}", took, f"{found['wall_s']:.2f}", f"{peak}{found['peak_mb']:.0f}"])
    lines.append(table(["at position", "without, s", "with checkpoints, s", "peak MB, without · with"], rows))
    diffs = [(window, _measure(path, f"diff:{window}")) for window in WINDOWS]
    told = [[f"{window:,}", f"{found['wall_s']:.2f}", f"{found['rows']:,}"] for window, found in diffs]
    lines.append("\n" + table(["diff over events", "s", "rows"], told) + "\n")
    watched = []
    for name in INVARIANTS:
        most = 20_000 if name in SLOW else size if not brief or name in AT_LENGTH else min(size, 100_000)
        found = _measure(path, f"first:{name}@{most}")
        rates = [f"{found['events'] / found[time]:,.0f}" for time in ("wall_s", "cpu_s")]
        peak = f"{found['peak_mb']:.0f}"
        watched.append([name, found["how"], f"{found['events']:,}", f"{found['asked']:,}", *rates, peak])
    lines.append(table(["invariant", "how", "events", "asked", "events/s", "per CPU second", "peak MB"], watched))
    return "\n".join(lines)


def main() -> None:
    """Print the tables, or, in a process started by this one, one measurement."""
    parser = arguments("looking at the past")
    parser.add_argument("--size", type=int, help="a log of this many events (default 1000000)")
    parser.add_argument("--measure", help="for this program's own use")
    parser.add_argument("--log", type=Path, help="an existing log, which is not written to")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure_here(options.log, options.measure)))
        return
    size = options.size or (20_000 if options.quick else 1_000_000)
    print(f"{machine(options.dir)}\n")
    if options.log:
        print(report(options.log, size))
        return
    with scratch(options.dir) as place:
        grow(place / "log.db", size)
        print(report(place / "log.db", size))


if __name__ == "__main__":
    main()
