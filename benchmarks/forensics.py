"""Evidence and forensics, as one Markdown report: ``make bench-forensics``, or ``python -m benchmarks.forensics``.

One log of a million events serves what an aim names that size for; a smaller one what is slow by its nature.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import bundles, forensic_decisions, past, seal, stories
from benchmarks.grown import grow
from benchmarks.measure import Stopwatch, arguments, machine, scratch, table

LARGE, SMALL = 1_000_000, 50_000


def main() -> None:
    """Print the report, table by table as they come."""
    parser = arguments("evidence and forensics")
    parser.add_argument("--size", type=int, help="events of the large log (default 1000000)")
    options = parser.parse_args()
    large = options.size or (20_000 if options.quick else LARGE)
    small = min(large, SMALL)
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n\n{machine(options.dir)}\n")
    with scratch(options.dir) as place:
        path, beside = place / "large" / "log.db", place / "small" / "log.db"
        for log, size in ((path, large), (beside, small)):
            log.parent.mkdir()
            with Stopwatch() as watch:
                grow(log, size)
            print(f"a log of {size:,} events was made in {watch.cost.wall_s:.0f} s")
        for title, part in _parts(path, beside, large, options.rounds, options.dir, options.quick):
            with Stopwatch() as watch:
                told = part()
            print(f"\n## {title} ({watch.cost.wall_s:.0f} s)\n\n{told}")
            sys.stdout.flush()


def _parts(
    path: Path, beside: Path, large: int, rounds: int, folder: str | None, quick: bool
) -> list[tuple[str, Callable[[], str]]]:
    decide = forensic_decisions
    return [
        ("Sealing and verifying", lambda: table(seal.HEAD, [seal.of_log(beside, rounds), seal.of_log(path, 1)])),
        ("The past", lambda: past.report(path, large, brief=True)),
        (
            "Deciding again",
            lambda: table(
                decide.HEAD,
                [decide.of_log(beside, rounds, decide.WAYS), decide.of_log(path, 1, ("same", "patient"))],
            ),
        ),
        ("Runs that go another way", lambda: decide.of_shares(rounds, folder, min(large, decide.SHARED))),
        (
            "One large run",
            lambda: stories.report(rounds=rounds, folder=folder, nodes=1_000 if quick else stories.NODES),
        ),
        ("Bundles", lambda: table(bundles.HEAD, bundles.of_log(beside))),
    ]


if __name__ == "__main__":
    main()
