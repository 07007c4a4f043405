"""Run the kills: ``python -m benchmarks.kills [--kills 200] [--workers 4] [--seed 0]``; ``make kills``.

Worker processes on one log submit, claim, execute, report, send effects and decide, as fast as they can, and each is
killed with SIGKILL after a random time, wherever it is. What a process was told before it died it wrote to a file of
its own. In the end the log is settled, and has to pass the same oracles as simulations do. Exit code 1 when not.
"""

import argparse
import itertools
import logging
import multiprocessing
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kills.judging import Left, judged
from benchmarks.kills.worker import main as worker
from benchmarks.measure import machine, scratch, table

SHORTEST_S, LOOK_S, AT_START = 0.02, 0.005, 0.1


@dataclass(frozen=True)
class Result:
    """How it went."""

    seed: int
    kills: int
    workers: int
    left: Left
    broken: list[str]
    events: int
    seconds: float

    @property
    def acknowledged(self) -> int:
        """How many commands the processes were told of before they died."""
        return len(self.left.acknowledged.promised) + sum(self.left.acknowledged.marks.values())

    @property
    def losses(self) -> int:
        """How many of these the log does not hold exactly once."""
        return sum(problem.startswith("acknowledged_exactly_once") for problem in self.broken)


class Doomed:
    """A process that is going to be killed: mostly so long after the first thing that it was told, and now and then so
    long after it began to open the log."""

    def __init__(self, folder: Path, number: int, dice: random.Random, mean_life_s: float) -> None:
        self._told = folder / f"told-{number}.jsonl"
        self._life_s = SHORTEST_S + dice.expovariate(1 / mean_life_s)
        self._from_s = time.monotonic() if dice.random() < AT_START else None
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=worker, args=(folder, number), daemon=True)
        self._process.start()

    def is_due(self) -> bool:
        """Whether its time has come. Raises RuntimeError when it ended by itself."""
        if self._process.exitcode is not None:
            raise RuntimeError(f"a worker ended by itself, with {self._process.exitcode}")
        if self._from_s is None and self._told.exists():
            self._from_s = time.monotonic()
        return self._from_s is not None and time.monotonic() >= self._from_s + self._life_s

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.join()


def kill(folder: Path, *, kills: int, workers: int, seed: int, mean_life_s: float) -> Result:
    """Kill so many processes, of which *workers* live at a time; then judge."""
    dice, begun = random.Random(seed), time.monotonic()
    numbers = itertools.count(seed * 1_000_000)
    living: list[Doomed] = []
    killed = 0
    try:
        while killed < kills:
            while len(living) < workers:
                living.append(Doomed(folder, next(numbers), dice, mean_life_s))
            for doomed in [each for each in living if each.is_due()]:
                living.remove(doomed)
                doomed.kill()
                killed += 1
            time.sleep(LOOK_S)
    finally:
        for doomed in living:
            doomed.kill()
    left, broken, events = judged(folder)
    return Result(seed, killed + len(living), workers, left, broken, events, time.monotonic() - begun)


def report(result: Result) -> str:
    """The figures, as a Markdown table."""
    rows = [
        ("seed", f"{result.seed}"),
        ("processes killed with -9", f"{result.kills:,}, {result.workers} at a time"),
        ("time", f"{result.seconds:.0f} s"),
        ("events", f"{result.events:,}"),
        ("commands acknowledged", f"{result.acknowledged:,}"),
        ("requests to the shop", f"{result.left.service.came.total():,}"),
        ("losses", f"{result.losses}"),
        ("broken invariants", f"{len(result.broken)}"),
    ]
    return table(("figure", "value"), [list(row) for row in rows])


def main(words: list[str]) -> int:
    """Run it and print the table; 1 when something does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="how many processes are killed (default 200)")
    parser.add_argument("--workers", type=int, default=4, help="how many live at a time (default 4)")
    parser.add_argument("--seed", type=int, default=0, help="of the dice (default 0)")
    parser.add_argument("--mean-life", type=float, default=1.0, help="of a process, in seconds (default 1)")
    parser.add_argument("--dir", help="folder for the log (default: the system's temporary one)")
    given = parser.parse_args(words)
    logging.getLogger("redrive").setLevel(logging.CRITICAL)  # claims of the dead are what this is about
    with scratch(given.dir) as folder:
        result = kill(folder, kills=given.kills, workers=given.workers, seed=given.seed, mean_life_s=given.mean_life)
        print(f"{machine(given.dir)}\n\n{report(result)}")
    for problem in result.broken[:20]:
        print(f"BROKEN: {problem}", file=sys.stderr)
    return 1 if result.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
