"""Long runs: 1,101 tasks with 4,000 edges, and a chain of 10,000 nodes; a command must not cost more at the end.

``python -m benchmarks.long_run [--quick] [--dir FOLDER]``
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import redrive
from benchmarks.failing_job import OUTPUT, Acme, tenant_of
from benchmarks.measure import Stopwatch, arguments, machine, median, open_log, scratch, table

TASKS, EDGES, CHAIN = 1_101, 4_000, 10_000
HEAD = (
    "run",
    "nodes, edges",
    "total s",
    "CPU s",
    "events",
    "first command, ms",
    "µs per command, first tenth",
    "middle",
    "last tenth",
    "CPU µs, first tenth",
    "last tenth ",
)


def graph(tasks: int, edges: int, layers: int = 12) -> redrive.Flow:
    """A layered graph like those of scientific workflows: a few sources, wide layers, one sink."""
    dice = random.Random(7)
    layer_of = [0, *sorted(dice.randrange(layers) for _ in range(tasks - 2)), layers]
    parents: list[set[int]] = [set() for _ in range(tasks)]
    for task in range(1, tasks):
        earlier = [other for other in range(task) if layer_of[other] < layer_of[task]]
        if earlier:
            parents[task].add(dice.choice(earlier))
    while sum(map(len, parents)) < edges:
        task, other = dice.randrange(tasks), dice.randrange(tasks)
        if layer_of[other] < layer_of[task]:
            parents[task].add(other)
    return redrive.Flow(
        [redrive.Node(f"t{task}", after=[f"t{p}" for p in sorted(parents[task])]) for task in range(tasks)]
    )


def chain(nodes: int) -> redrive.Flow:
    """One node after the other."""
    return redrive.Flow([redrive.Node(f"n{n}", after=[f"n{n - 1}"] if n else []) for n in range(nodes)])


@dataclass(slots=True)
class Drive:
    """Runs one flow to its end: each report, and the start of what became ready, in one commit."""

    acme: Acme
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    first_s: float = 0.0

    def run(self, flow: redrive.Flow) -> None:
        """Submit, claim, and report attempt after attempt."""
        with Stopwatch() as watch:
            self.acme.submit(flow, automation="long")
            claim = self.acme.claim(worker="w1", start=True)
        self.first_s = watch.cost.wall_s
        assert claim is not None
        waiting = list(claim.attempts)
        while waiting:
            waiting += self._report(claim, waiting.pop(0), last=len(self.wall) == len(flow) - 1)
        assert len(self.wall) == len(flow)

    def _report(self, claim: redrive.Claim, attempt: redrive.Attempt, *, last: bool) -> Sequence[redrive.Attempt]:
        cpu, wall = time.process_time(), time.perf_counter()
        with self.acme.engine.batch() as batch:
            batch.add(self.acme.complete_attempt, attempt, OUTPUT)
            started = None if last else batch.add(self.acme.start_attempts, claim)
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)
        return [] if started is None else started.result()

    def row(self, name: str, flow: redrive.Flow, events: int) -> list[str]:
        """The line in the table."""
        tenth = len(self.wall) // 10
        middle = slice(len(self.wall) // 2 - tenth // 2, len(self.wall) // 2 + tenth // 2)
        micros = [median(part) * 1e6 for part in (self.wall[:tenth], self.wall[middle], self.wall[-tenth:])]
        cpu = [median(part) * 1e6 for part in (self.cpu[:tenth], self.cpu[-tenth:])]
        edges = sum(len(node.after) for node in flow.nodes.values())
        return [
            name,
            f"{len(flow):,}, {edges:,}",
            f"{sum(self.wall) + self.first_s:.1f}",
            f"{sum(self.cpu):.1f}",
            f"{events:,}",
            f"{self.first_s * 1e3:.0f}",
            *(f"{value:,.0f}" for value in (*micros, *cpu)),
        ]


def measure(name: str, flow: redrive.Flow, folder: str | None) -> list[str]:
    """The line of one flow."""
    with scratch(folder) as place, open_log(place / "log.db") as engine:
        drive = Drive(tenant_of(engine))
        drive.run(flow)
        return drive.row(name, flow, engine.ledger.last_position())


def report(*, folder: str | None, quick: bool) -> str:
    """The table of both runs."""
    flows = [("1,101 tasks", graph(TASKS, EDGES)), ("chain", chain(CHAIN // 10 if quick else CHAIN))]
    return table(HEAD, [measure(name, flow, folder) for name, flow in flows])


def main() -> None:
    """Print the table."""
    options = arguments("long runs").parse_args()
    print(f"{machine(options.dir)}\n")
    print(report(folder=options.dir, quick=options.quick))


if __name__ == "__main__":
    main()
