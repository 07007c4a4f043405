"""Run the soak test: ``python -m benchmarks.soak [--seconds 600] [--workers 4] [--seed 0]``; ``make soak``.

Four worker processes are killed with -9 at random and replaced, while a shop on this machine answers 503, acts without
answering, answers late, and loses connections; a scripted operator decides about dead letters. Then everything must
settle, and log, views, agenda and the shop's journal must agree. Exit code 1 when they do not.
"""

import argparse
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import redrive
from benchmarks.measure import machine, scratch, table
from benchmarks.soak.crew import Crew
from benchmarks.soak.findings import Findings, findings
from benchmarks.soak.operator import Operator
from benchmarks.soak.shop import FLOW, RESOURCE, Dice
from redrive.demo.service import Service
from redrive.flow_files import parse_flow

UNFINISHED = ("queued", "running", "paused", "awaiting_approval", "failed", "blocked")
MOST_UNFINISHED = 30
LIMIT = 6
SETTLING_S = 300.0
LOOK_S = 0.2


@dataclass(frozen=True)
class Result:
    """How it went."""

    found: Findings
    runs: int
    kills: int
    decided: dict[str, int]
    busy_s: float
    settled_s: float
    limit: int | None
    seed: int
    losses: int

    @property
    def acknowledged(self) -> int:
        """Commands of which the submitter and the operator were told that they took place."""
        return self.runs + sum(count for name, count in self.decided.items() if name != "refused")


def soak(folder: Path, *, seconds: float, workers: int, seed: int, mean_life_s: float) -> Result:
    """Run for *seconds*, then until everything is settled."""
    dice, log = random.Random(seed), folder / "soak.db"
    file = parse_flow(FLOW, name="soak.yaml")
    with (
        Service(Dice(seed)) as service,
        redrive.open(f"sqlite:///{log}") as engine,
        Crew(workers, log, service.url, dice, mean_life_s=mean_life_s) as crew,
    ):
        limit = set_limit(engine)
        operator, begun, submitted = Operator(engine.local, service), time.monotonic(), list[redrive.RunId]()
        while time.monotonic() < begun + seconds or crew.kills == 0:
            for _ in range(MOST_UNFINISHED - unfinished(engine)):
                key = f"run-{len(submitted)}"
                submitted.append(engine.local.submit(file.flow, automation=file.automation, key=key, actor="soak"))
            crew.kill_when_due()
            operator.look()
            time.sleep(LOOK_S)
        busy_s = time.monotonic() - begun
        while unfinished(engine) and time.monotonic() < begun + busy_s + SETTLING_S:
            operator.look()
            time.sleep(LOOK_S)
        settled_s = time.monotonic() - begun - busy_s
        found = findings(engine, service, limit)
        losses = sum(found.begun[run] != 1 for run in submitted) + found.forgotten
        if losses:
            found.broken.append(f"{losses} acknowledged commands or effects are not in the log exactly once")
        decided, runs = dict(operator.decided), len(submitted)
        return Result(found, runs, crew.kills, decided, busy_s, settled_s, limit, seed, losses)


def unfinished(engine: redrive.Engine) -> int:
    """How many runs are not over, at most 1,000."""
    return len(engine.local.runs(status=UNFINISHED, limit=1_000).items)


def set_limit(engine: redrive.Engine) -> int | None:
    """Limit how many attempts may use the shop at a time, where this version has limits."""
    if not hasattr(engine, "set_limit"):
        return None
    limit = redrive.Limit("resource", RESOURCE, LIMIT)
    engine.set_limit(limit, actor="soak", reason="the shop is small")
    return LIMIT


def report(result: Result) -> str:
    """The figures, as a Markdown table."""
    found, topics = result.found, result.found.topics
    unknown = topics["effect.outcome-unknown"]
    decided = ", ".join(f"{count} {name}" for name, count in sorted(result.decided.items())) or "none"
    allowed = "no limit in this version" if result.limit is None else f"{result.limit} allowed"
    rows = [
        ("seed", f"{result.seed}"),
        ("duration", f"{result.busy_s:.0f} s, then {result.settled_s:.0f} s until everything was settled"),
        ("runs", f"{result.runs:,} ({result.runs / result.busy_s:.1f}/s)"),
        ("events", f"{found.events:,} ({found.events / (result.busy_s + result.settled_s):.0f}/s)"),
        ("workers killed with -9", f"{result.kills:,}"),
        *((f"the shop: {name}", f"{count:,}") for name, count in sorted(found.faults.items())),
        ("runs taken over from the dead", f"{topics['run.claim-abandoned']:,}"),
        ("attempts cut off", f"{topics['run.attempt-interrupted']:,}"),
        ("effects done", f"{len(found.succeeded):,}"),
        ("requests that reached the shop", f"{found.asked:,}"),
        ("of these again under the same key", f"{found.duplicates:,}"),
        ("unknown outcomes", f"{unknown:,} ({topics['effect.reconciled']:,} answers when somebody asked)"),
        ("dead letters", f"{topics['dead-letter.opened']:,} ({topics['dead-letter.recurred']:,} recurrences)"),
        ("the operator's decisions", decided),
        ("commands acknowledged to submitter and operator", f"{result.acknowledged:,}"),
        ("losses", f"{result.losses:,}"),
        ("attempts at a time, at most", f"{found.most_at_a_time} ({allowed})"),
        ("effects sent after a recorded success", f"{found.sent_after_success}"),
        ("broken invariants", f"{len(found.broken)}"),
    ]
    return table(("figure", "value"), [list(row) for row in rows])


def main(words: list[str]) -> int:
    """Run it and print the table; 1 when something does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0, help="how long runs are submitted (default 600)")
    parser.add_argument("--workers", type=int, default=4, help="worker processes (default 4)")
    parser.add_argument("--seed", type=int, default=0, help="of the dice (default 0)")
    parser.add_argument("--mean-life", type=float, default=10.0, help="of a worker, in seconds (default 10)")
    parser.add_argument("--dir", help="folder for the log (default: the system's temporary one)")
    given = parser.parse_args(words)
    with scratch(given.dir) as folder:
        result = soak(
            folder, seconds=given.seconds, workers=given.workers, seed=given.seed, mean_life_s=given.mean_life
        )
        print(f"{machine(given.dir)}\n\n{report(result)}")
    for problem in result.found.broken[:20]:
        print(f"BROKEN: {problem}", file=sys.stderr)
    return 1 if result.found.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
