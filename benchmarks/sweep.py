"""One sweep with 100 dead letters due, among 1,000, 100,000 and a million that are settled.

``python -m benchmarks.sweep [--quick] [--sizes 1000,100000,1000000] [--dir FOLDER]``
"""

from argparse import Namespace
from collections.abc import Sequence

from benchmarks.claim import DUE, claim_all, complete_all
from benchmarks.failing_job import FAILURE, Acme, retry, tenant_of
from benchmarks.logs import LETTERS_PER_RUN, copy, one_attempt_flow, original_of, settled_run
from benchmarks.measure import SetClock, Stopwatch, open_log, print_among, scratch, spread, table
from benchmarks.steps import counted

HEAD = ("sweep 100 due among settled", "ms", "CPU ms", "commits", "SQLite steps", "events in the log")


def due(acme: Acme) -> None:
    """Dead letters whose retry an operator asked for, and that no sweep has seen."""
    flow = one_attempt_flow()
    with acme.engine.batch() as batch:
        for _ in range(DUE):
            batch.add(acme.submit, flow, automation="invoices")
    claims = claim_all(acme)
    with acme.engine.batch() as batch:
        for claim in claims:
            batch.add(acme.fail_attempt, claim.attempts[0], FAILURE)
    with acme.engine.batch() as batch:
        for claim in claims:
            batch.add(retry, acme, claim.attempts[0])


def sweep_all(acme: Acme) -> None:
    """What is measured."""
    assert len(acme.sweep().acted) == DUE


def measure(others: int, rounds: int, folder: str | None) -> list[str]:
    """The line of one size."""
    wall, cpu = [], []
    with scratch(folder) as place, open_log(place / "log.db", SetClock()) as engine:
        acme = tenant_of(engine)
        copy(place / "log.db", original_of(engine, settled_run(acme)), range(1, others // LETTERS_PER_RUN))
        committer = engine.ledger.committer
        for _ in range(rounds):
            due(acme)
            commits = committer.commits
            with Stopwatch() as watch:
                sweep_all(acme)
            commits = committer.commits - commits
            wall.append(watch.cost.wall_s * 1e3)
            cpu.append(watch.cost.cpu_s * 1e3)
            complete_all(acme, claim_all(acme))
        due(acme)
        with counted([engine.ledger.recorder.writer, engine.ledger.recorder.reader()]) as steps:
            sweep_all(acme)
        events = engine.ledger.last_position()
    return [f"{others:,}", spread(wall, 1), spread(cpu, 1), str(commits), f"{steps.count:,}", f"{events:,}"]


def report(options: Namespace, sizes: Sequence[int]) -> str:
    """The table of all sizes."""
    return table(HEAD, [measure(size, options.rounds, options.dir) for size in sizes])


def main() -> None:
    """Print the table."""
    print_among("a sweep among many settled dead letters", "how many settled", report)


if __name__ == "__main__":
    main()
