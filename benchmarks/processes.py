"""The failing job's lifecycle in several processes on one log, with and without queries that need fresh views.

``python -m benchmarks.processes [--quick] [--runs N] [--processes 1,4,8] [--url URL] [--dir FOLDER]``

Every process submits its share and then does what one worker does, with whatever run is due, by the real clock.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from unittest import mock

import redrive
from benchmarks import floor
from benchmarks.failing_job import batches, carry_on, one_by_one, submit, tenant_of
from benchmarks.measure import arguments, machine, median, open_log, print_rows, scratch, spread
from benchmarks.signs import begin, ready
from redrive.ledger.schema import connect
from redrive.projections.view import View

PROCESSES = "1,4,8"
ONCE = ("flow.registered/1", "policy.registered/1")  # what only the first of all processes writes
HEAD = (
    "processes",
    "queries per lifecycle",
    "lifecycles/s",
    "floor/s",
    "% of floor",
    "CPU µs per lifecycle (floor)",
    "of it folding views",
    "events folded, times the log's",
    "looks that folded · folded nothing",
    "waited for the view's lock, ms per process",
    "conflicts",
)
OPENING = (
    "processes that open a log without a view",
    "events in the log",
    "s until all have an answer",
    "CPU s of all",
    "events folded, times the log's",
)


@dataclass(slots=True)
class Share:
    """What one process did, and what it took."""

    lifecycles: int = 0
    cpu_s: float = 0.0
    begun_s: float = 0.0
    ended_s: float = 0.0
    fold_cpu_s: float = 0.0
    fold_wall_s: float = 0.0
    folds: int = 0
    vain: int = 0
    folded: int = 0
    conflicts: int = 0
    commits: int = 0


@contextmanager
def watched(share: Share) -> Iterator[None]:
    """Count what this process's views do, from the outside: every look at the log, every batch that is folded."""
    catch_up, fold = View._catch_up, View._fold_from

    def looking(view: View) -> int:
        before, cpu, wall = share.folded, time.thread_time(), time.perf_counter()
        position = catch_up(view)
        share.fold_cpu_s += time.thread_time() - cpu
        share.fold_wall_s += time.perf_counter() - wall
        share.folds, share.vain = share.folds + (share.folded > before), share.vain + (share.folded == before)
        return position

    def folding(view: View, connection: Any, position: int, *rest: Any, **more: Any) -> int:
        reached = fold(view, connection, position, *rest, **more)
        share.folded += reached - position
        return reached

    with mock.patch.object(View, "_catch_up", looking), mock.patch.object(View, "_fold_from", folding):
        yield


def work(url: str, runs: int, queries: int, folder: Path) -> Share:
    """The share of one process; it begins when all are ready."""
    share = Share()
    with watched(share), redrive.open(url) as engine:
        ready(folder)
        share.begun_s, begun_cpu = time.time(), time.process_time()
        acme = tenant_of(engine)
        for _ in range(runs):
            submit(acme)
        while step(acme, share, queries):
            pass
        share.conflicts, share.commits = engine.ledger.committer.conflicts, engine.ledger.committer.commits
        share.cpu_s, share.ended_s = time.process_time() - begun_cpu, time.time()
    return share


def write(path: str, runs: int, folder: Path) -> Share:
    """The floor of one process: exactly what it would write, by the bare ``sqlite3`` module, when all are ready."""
    share = Share(lifecycles=runs)
    with scratch(None) as own:
        steps = floor.record(own / "log.db", lambda engine: one_by_one(engine, runs))
    steps = [step for step in steps if not any(shared in step[2] for shared in ONCE)]
    connection = connect(path, busy_timeout_ms=60_000)
    ready(folder)
    share.begun_s, begun_cpu = time.time(), time.process_time()
    for verb, sql, values in steps:
        getattr(connection, verb)(sql, values)
    share.cpu_s, share.ended_s = time.process_time() - begun_cpu, time.time()
    connection.close()
    return share


def ask(url: str, folder: Path) -> Share:
    """Open a long log that has no view yet, when all are ready, and ask one question."""
    share = Share()
    ready(folder)
    share.begun_s, begun_cpu = time.time(), time.process_time()
    with watched(share), redrive.open(url) as engine:
        tenant_of(engine).counts()
        share.cpu_s, share.ended_s = time.process_time() - begun_cpu, time.time()
    return share


def step(acme: redrive.TenantEngine, share: Share, queries: int) -> bool:
    """Go on with one run; False when none is left, here or elsewhere."""
    claim = acme.claim(worker=f"w{id(share)}", start=True)
    if claim is None:
        if acme.counts().runs.keys() <= {"completed"} if queries else _settled(acme):
            return False
        time.sleep(0.001)
        return True
    if carry_on(acme, claim.attempts[0]):
        share.lifecycles += 1
        for _ in range(queries):
            acme.dead_letters(limit=50)
    return True


def _settled(acme: redrive.TenantEngine) -> bool:
    """Whether nothing is due, and nobody holds anything."""
    ledger = acme.engine.ledger
    return ledger.next_work_ms(acme.tenant, None, None) is None and not ledger.holders(acme.tenant)


def together(processes: int, folder: Path, *words: object) -> list[Share]:
    """Let *processes* do what *words* say; what each did."""
    return each("benchmarks.processes", folder, [words] * processes)


def each(module: str, folder: Path, words: Iterable[Sequence[object]]) -> list[Share]:
    """Let a process of the program *module* do what each of *words* says; what each did."""
    programs = [[sys.executable, "-m", module, *map(str, said), str(folder)] for said in words]
    group = [subprocess.Popen(program, stdout=subprocess.PIPE) for program in programs]
    try:
        begin(folder, group)
        answers = [process.communicate()[0] for process in group]
    finally:
        for process in group:
            process.kill()
            process.wait()
    return [Share(**json.loads(each)) for each in answers]


@contextmanager
def place(url: str | None, folder: str | None) -> Iterator[tuple[str, Path]]:
    """The log to work on, and a folder for signs."""
    with scratch(folder) as found:
        yield url or f"sqlite:///{found / 'log.db'}", found


def rate(shares: Sequence[Share]) -> float:
    """Lifecycles per second, from the first that began to the last that ended."""
    return sum(s.lifecycles for s in shares) / (max(s.ended_s for s in shares) - min(s.begun_s for s in shares))


@dataclass(slots=True)
class Round:
    """One round of a setting: what each process did, how many events the log grew by, and the floor of it."""

    shares: list[Share]
    events: int
    floor: list[Share]


def row(processes: int, runs: int, queries: int, rounds: Sequence[Round]) -> list[str]:
    """The line of one setting in the table."""
    total = processes * runs
    sums = [{f.name: sum(getattr(share, f.name) for share in each.shares) for f in fields(Share)} for each in rounds]
    rates, floors = [rate(each.shares) for each in rounds], [rate(each.floor) for each in rounds if each.floor]
    floor_cpu = [sum(share.cpu_s for share in each.floor) / total * 1e6 for each in rounds if each.floor]
    waits = [(s["fold_wall_s"] - s["fold_cpu_s"]) / processes * 1000 for s in sums]
    return [
        str(processes),
        str(queries),
        spread(rates),
        spread(floors) if floors else "",
        spread([of / below * 100 for of, below in zip(rates, floors, strict=True)]) if floors else "",
        spread([s["cpu_s"] / total * 1e6 for s in sums]) + (f" ({median(floor_cpu):,.0f})" if floor_cpu else ""),
        spread([s["fold_cpu_s"] / total * 1e6 for s in sums]),
        f"{median([s['folded'] / each.events for s, each in zip(sums, rounds, strict=True)]):.2f}",
        f"{median([s['folds'] for s in sums]):,.0f} · {median([s['vain'] for s in sums]):,.0f}",
        spread(waits),
        f"{median([s['conflicts'] for s in sums]):,.0f}",
    ]


def measure(processes: int, runs: int, queries: int, options: argparse.Namespace) -> list[str]:
    """The rounds of one setting."""
    rounds = []
    for _ in range(options.rounds):
        with place(options.url, options.dir) as (url, folder):
            with redrive.open(url) as engine:
                before = engine.ledger.last_position()
            shares = together(processes, folder, "--share", url, runs // processes, queries)
            assert sum(share.lifecycles for share in shares) == runs // processes * processes
            with redrive.open(url) as engine:
                events = engine.ledger.last_position() - before
        rounds.append(Round(shares, events, measure_floor(processes, runs // processes, options)))
    return row(processes, runs // processes, queries, rounds)


def measure_floor(processes: int, runs: int, options: argparse.Namespace) -> list[Share]:
    """The same commits and rows, written by as many processes without redrive; nothing for another kind of log."""
    if options.url is not None:
        return []
    with place(None, options.dir) as (url, folder):
        redrive.open(url).close()
        return together(processes, folder, "--floor", folder / "log.db", runs)


def measure_opening(processes: int, lifecycles: int, options: argparse.Namespace) -> list[str]:
    """Processes that open one log at the same moment, which nobody has folded yet."""
    rounds, events = [], 0
    for _ in range(options.rounds):
        with place(None, options.dir) as (url, folder):
            with open_log(folder / "log.db") as engine:
                batches()(engine, lifecycles)
                events = engine.ledger.last_position()
            for view in folder.glob("*.views-*"):
                view.unlink()
            rounds.append(together(processes, folder, "--ask", url))
    return [
        str(processes),
        f"{events:,}",
        spread([max(s.ended_s for s in shares) - min(s.begun_s for s in shares) for shares in rounds], 1),
        spread([sum(s.cpu_s for s in shares) for shares in rounds], 1),
        f"{median([sum(s.folded for s in shares) for shares in rounds]) / events:.2f}",
    ]


def one_of_them(words: list[str]) -> Share | None:
    """What a process does that was started for its share; None for who started them."""
    match words:
        case ["--ask", url, folder]:
            return ask(url, Path(folder))
        case ["--share", url, runs, queries, folder]:
            return work(url, int(runs), int(queries), Path(folder))
        case ["--floor", path, runs, folder]:
            return write(path, int(runs), Path(folder))
    return None


def main() -> None:
    """Print the tables; or be one of the processes."""
    if (share := one_of_them(sys.argv[1:])) is not None:
        print(json.dumps(asdict(share)))
        return
    parser = arguments("the failing job's lifecycle in several processes on one log")
    parser.add_argument("--runs", type=int, help="lifecycles per round, shared out (default 400)")
    parser.add_argument("--processes", default=PROCESSES, help="how many, with commas")
    parser.add_argument("--queries", default="0,1", help="queries of each process per lifecycle, with commas")
    parser.add_argument("--url", help="an empty log to work on (default: a new SQLite file for every round)")
    options = parser.parse_args()
    runs = options.runs or (80 if options.quick else 400)
    print(f"{machine(options.dir)}\n")
    counts = [int(count) for count in options.processes.split(",")]
    ways = [(count, int(queries)) for queries in options.queries.split(",") for count in counts]
    print_rows(HEAD, (measure(count, runs, queries, options) for count, queries in ways))
    if options.url is None:
        lifecycles = 100 if options.quick else 1_500
        print_rows(OPENING, (measure_opening(count, lifecycles, options) for count in counts))


if __name__ == "__main__":
    main()
