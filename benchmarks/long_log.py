"""What a long log costs whoever opens it: start-up to the first claim, the first page of many dead letters, a copy.

``python -m benchmarks.long_log [--quick] [--size 1000000] [--letters 100000] [--to URL] [--dir FOLDER]``

Each measurement runs in a process of its own, whose peak of resident memory is its alone. ``--to`` names an empty log
that is copied to, on a server for instance; without it, a file.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import redrive
from benchmarks.apart import peak_mb
from benchmarks.failing_job import FAILURE, Acme, submit, tenant_of
from benchmarks.grown import grow
from benchmarks.logs import LETTERS_PER_RUN, copy, original_of
from benchmarks.measure import SetClock, Stopwatch, arguments, machine, open_log, scratch, spread, table
from redrive.ledger.copying import copy_log

PAGE, ASKED = 50, 200
LATER = SetClock(2_000_000_000_000)
OPENED = (
    "events in the log", "open, ms", "first claim, ms", "first query, ms", "sum, s", "peak MB", "copy, events/s",
    "peak MB, copy",
)  # fmt: skip
LISTED = ("open dead letters", f"first {PAGE}, ms", "CPU ms", f"next {PAGE}, ms", "events in the log")


def letters_run(acme: Acme) -> Any:
    """A run whose nodes all failed: fifty open dead letters."""
    once = redrive.RetryPolicy(
        max_attempts=1, terminal_behavior=redrive.TerminalBehavior(mode=redrive.Mode.DEAD_LETTER)
    )
    run = acme.submit(
        redrive.Flow([redrive.Node(f"n{n}", retry=once) for n in range(LETTERS_PER_RUN)]), automation="imports"
    )
    claim = acme.claim(worker="w0", start=True)
    assert claim is not None
    for attempt in claim.attempts:
        acme.fail_attempt(attempt, FAILURE)
    return run


def opened(path: Path) -> dict[str, float]:
    """Open the log, whose view is up to date, claim the run that waits, and ask for dead letters."""
    took = []
    with Stopwatch() as watch:
        engine = open_log(path, LATER)
    took.append(watch.cost.wall_s)
    acme = tenant_of(engine)
    with Stopwatch() as watch:
        claim = acme.claim(worker="w1", start=True)
    took.append(watch.cost.wall_s)
    assert claim is not None
    with Stopwatch() as watch:
        acme.dead_letters(limit=PAGE)
    took.append(watch.cost.wall_s)
    acme.cancel(claim.run_id, actor="ana", reason="measured")
    submit(acme)  # for the next one who measures
    engine.views.catch_up()
    engine.close()
    return {"open": took[0] * 1e3, "claim": took[1] * 1e3, "query": took[2] * 1e3, "sum": sum(took), "mb": peak_mb()}


def copied(path: Path, to: str) -> dict[str, float]:
    """Copy the log."""
    with Stopwatch() as watch:
        done = copy_log(str(path), to)
    return {"rate": done.events / watch.cost.wall_s, "mb": peak_mb()}


def _in_a_process(*words: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.long_log", *words]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return found


def measure_opening(size: int, rounds: int, folder: str | None, to: str | None) -> list[str]:
    """The line of a log of *size* events."""
    with scratch(folder) as place:
        path = place / "log.db"
        grow(path, size)
        with open_log(path, LATER) as engine:
            submit(tenant_of(engine))
            engine.views.catch_up()
            events = engine.ledger.last_position()
        found = [_in_a_process("--open", str(path)) for _ in range(max(rounds, 3))]
        copy_ = _in_a_process("--copy", str(path), "--to", to or str(place / "copy.db"))
    times = [spread([one[name] for one in found], digits) for name, digits in zip(_TIMES, (0, 0, 0, 2), strict=True)]
    return [
        f"{events:,}",
        *times,
        f"{max(one['mb'] for one in found):.0f}",
        f"{copy_['rate']:,.0f}",
        f"{copy_['mb']:.0f}",
    ]


_TIMES = ("open", "claim", "query", "sum")


def measure_letters(letters: int, folder: str | None) -> list[str]:
    """The line of so many open dead letters."""
    first, cpu, after = [], [], []
    with scratch(folder) as place, open_log(place / "log.db") as engine:
        acme = tenant_of(engine)
        copy(place / "log.db", original_of(engine, letters_run(acme)), range(1, letters // LETTERS_PER_RUN))
        engine.views.catch_up()
        for _ in range(ASKED):
            with Stopwatch() as watch:
                page = acme.dead_letters(status="open", limit=PAGE)
            assert len(page.items) == PAGE
            first.append(watch.cost.wall_s * 1e3)
            cpu.append(watch.cost.cpu_s * 1e3)
            with Stopwatch() as watch:
                acme.dead_letters(status="open", limit=PAGE, cursor=page.cursor)
            after.append(watch.cost.wall_s * 1e3)
        events = engine.ledger.last_position()
    return [f"{letters:,}", spread(first, 2), spread(cpu, 2), spread(after, 2), f"{events:,}"]


def main() -> None:
    """Print the tables, or, in a process started by this one, one measurement."""
    parser = arguments("opening a long log, listing many dead letters, copying")
    parser.add_argument("--size", type=int, help="events of the log (default 1000000)")
    parser.add_argument("--letters", type=int, help="open dead letters (default 100000)")
    parser.add_argument("--to", help="an empty log to copy to (default: a file)")
    parser.add_argument("--open", type=Path, help="for this program's own use")
    parser.add_argument("--copy", type=Path, help="for this program's own use")
    options = parser.parse_args()
    if options.open or options.copy:
        print(json.dumps(opened(options.open) if options.open else copied(options.copy, options.to)))
        return
    size = options.size or (20_000 if options.quick else 1_000_000)
    letters = options.letters or (2_000 if options.quick else 100_000)
    print(f"{machine(options.dir)}\n")
    print(table(OPENED, [measure_opening(size, options.rounds, options.dir, options.to)]) + "\n")
    print(table(LISTED, [measure_letters(letters, options.dir)]))


if __name__ == "__main__":
    main()
