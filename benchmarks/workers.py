"""Workers: runs of one node per second, by how many handlers run at a time and how many attempts are in hand.

``python -m benchmarks.workers [--quick] [--runs N] [--dir FOLDER]``
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import redrive
from benchmarks.measure import Cost, Stopwatch, arguments, machine, median, scratch, spread, table

WAYS = ((1, 1), (1, 100), (8, 1), (8, 100), (16, 200))
HANDLERS_MS = (0, 5)
HEAD = ("concurrency", "batch", "handler, ms", "runs/s", "commits per run", "CPU µs per run")


@dataclass(frozen=True, slots=True)
class Round:
    """What one worker took for its runs."""

    cost: Cost
    commits: int


def work(runs: int, concurrency: int, batch: int, handler_ms: int, folder: str | None) -> Round:
    """Submit so many runs, then let one worker execute them."""

    def handler(attempt: redrive.Attempt) -> int:
        time.sleep(handler_ms / 1000)
        return attempt.number

    with scratch(folder) as place, redrive.open(f"sqlite:///{place / 'log.db'}", seal=False) as engine:
        with engine.batch() as submissions:
            flow = redrive.Flow([redrive.Node("charge")])
            for _ in range(runs):
                submissions.add(engine.local.submit, flow, automation="invoices")
        begun = engine.ledger.committer.commits
        worker = redrive.Worker(engine, {"charge": handler}, concurrency=concurrency, batch=batch)
        with Stopwatch() as watch:
            worker.run_until_idle()
        return Round(watch.cost, engine.ledger.committer.commits - begun)


def row(runs: int, way: tuple[int, int], handler_ms: int, rounds: Sequence[Round]) -> list[str]:
    """The line of one way."""
    return [
        *map(str, (*way, handler_ms)),
        spread([runs / each.cost.wall_s for each in rounds]),
        f"{median([each.commits for each in rounds]) / runs:.3f}",
        spread([each.cost.cpu_s / runs * 1e6 for each in rounds]),
    ]


def main() -> None:
    """Print the table; the ways take turns within each round."""
    parser = arguments("runs of one node per second, by concurrency and batch")
    parser.add_argument("--runs", type=int, help="runs per round (default 1,000)")
    options = parser.parse_args()
    runs = options.runs or (200 if options.quick else 1_000)
    found: dict[tuple[tuple[int, int], int], list[Round]] = {}
    print(f"{machine(options.dir)}\n")
    for _ in range(options.rounds):
        for handler_ms in HANDLERS_MS:
            for way in WAYS:
                found.setdefault((way, handler_ms), []).append(work(runs, *way, handler_ms, options.dir))
    print(table(HEAD, [row(runs, way, handler_ms, rounds) for (way, handler_ms), rounds in found.items()]))


if __name__ == "__main__":
    main()
