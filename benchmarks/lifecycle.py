"""The failing job's lifecycle per second, beside the floor of exactly the same commits, rows, bytes and indexes.

``python -m benchmarks.lifecycle [--quick] [--runs N] [--dir FOLDER] [--only one,merged,threads-8,batch]``
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import redrive
from benchmarks import floor
from benchmarks.failing_job import BATCH, batches, merged, one_by_one, threads
from benchmarks.measure import Cost, Stopwatch, arguments, machine, median, open_log, scratch, spread, table

Work = Callable[[redrive.Engine, int], None]
WAYS: dict[str, tuple[str, Work]] = {
    "one": ("one worker", one_by_one),
    "merged": ("one worker, outcome + next claim", merged),
    "threads-2": ("2 threads", threads(2)),
    "threads-4": ("4 threads", threads(4)),
    "threads-8": ("8 threads", threads(8)),
    "threads-16": ("16 threads", threads(16)),
    "batch": (f"batches of {BATCH}", batches()),
}
HEAD = (
    "failing-job lifecycle",
    "lifecycles/s",
    "floor/s",
    "% of floor",
    "% of floor, CPU",
    "events/s",
    "commits per lifecycle (floor)",
    "CPU µs per lifecycle (floor)",
    "CPU µs per event",
)


@dataclass(slots=True)
class Rounds:
    """The alternating rounds of one way."""

    name: str
    runs: int
    floor_commits: int
    events: int = 0
    commits: list[int] = field(default_factory=list)
    engine: list[Cost] = field(default_factory=list)
    floor: list[Cost] = field(default_factory=list)

    def row(self) -> list[str]:
        """The way's line in the table."""
        rate = [self.runs / cost.wall_s for cost in self.engine]
        floor_rate = [self.runs / cost.wall_s for cost in self.floor]
        cpu = median([cost.cpu_s for cost in self.engine]) / self.runs * 1e6
        floor_cpu = median([cost.cpu_s for cost in self.floor]) / self.runs * 1e6
        share = [below.wall_s / cost.wall_s * 100 for cost, below in zip(self.engine, self.floor, strict=True)]
        return [
            self.name,
            spread(rate),
            spread(floor_rate),
            spread(share),
            f"{floor_cpu / cpu * 100:.0f}",
            f"{median(rate) * self.events / self.runs:,.0f}",
            f"{median(self.commits) / self.runs:.2f} ({self.floor_commits / self.runs:.2f})",
            f"{cpu:,.0f} ({floor_cpu:,.0f})",
            f"{cpu * self.runs / self.events:.1f}",
        ]


def measure(name: str, work: Work, runs: int, rounds: int, folder: str | None) -> Rounds:
    """Record once, then let engine and floor take turns."""
    with scratch(folder) as place:
        steps = floor.record(place / "log.db", lambda engine: work(engine, runs))
    found = Rounds(name, runs, floor.commits(steps))
    for _ in range(rounds):
        with scratch(folder) as place, open_log(place / "log.db") as engine:
            work(engine, 1)
            begun, events = engine.ledger.committer.commits, engine.ledger.last_position()
            with Stopwatch() as watch:
                work(engine, runs)
            found.engine.append(watch.cost)
            found.commits.append(engine.ledger.committer.commits - begun)
            found.events = engine.ledger.last_position() - events
        with scratch(folder) as place:
            found.floor.append(floor.replay(place / "log.db", steps))
    return found


def report(*, rounds: int, folder: str | None, runs: int, only: list[str]) -> str:
    """The table of all ways, or of those named in *only*."""
    rows = []
    for key, (name, work) in WAYS.items():
        if not only or key in only:
            many = runs * 5 if key == "batch" else runs
            rows.append(measure(name, work, many, rounds, folder).row())
    return table(HEAD, rows)


def main() -> None:
    """Print the table."""
    parser = arguments("the failing job's lifecycle, beside its floor")
    parser.add_argument("--runs", type=int, help="lifecycles per round (default 400; batches five times as many)")
    parser.add_argument("--only", default="", help=f"some of {', '.join(WAYS)}, with commas")
    options = parser.parse_args()
    runs = options.runs or (100 if options.quick else 400)
    only = [key for key in options.only.split(",") if key]
    print(f"{machine(options.dir)}\n")
    print(report(rounds=options.rounds, folder=options.dir, runs=runs, only=only))


if __name__ == "__main__":
    main()
