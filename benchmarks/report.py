"""All benchmarks, as one Markdown report: ``make bench``, or ``python -m benchmarks.report [--quick]``."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks import claim, lifecycle, long_run, replay, seal, sweep
from benchmarks.measure import arguments, machine


def main() -> None:
    """Print the report, table by table as they come."""
    options = arguments("all benchmarks").parse_args()
    rounds, folder, quick = options.rounds, options.dir, options.quick
    among = [1_000, 20_000] if quick else [1_000, 100_000, 1_000_000]
    whole = [20_000] if quick else [100_000, 1_000_000]
    parts: list[tuple[str, Callable[[], str]]] = [
        ("Lifecycles", lambda: lifecycle.report(rounds=rounds, folder=folder, runs=100 if quick else 400, only=[])),
        ("Claims", lambda: claim.report(options, among)),
        ("Sweeps", lambda: sweep.report(options, among)),
        ("Long runs", lambda: long_run.report(folder=folder, quick=quick)),
        ("Replay", lambda: replay.report(options, whole)),
        ("Evidence", lambda: seal.report(options, whole)),
    ]
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, medians of {rounds} rounds (smallest–largest)\n")
    for title, part in parts:
        print(f"## {title}\n\n{machine(folder)}\n\n{part()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
