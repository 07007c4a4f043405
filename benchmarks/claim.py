"""Claiming 100 due runs in one commit, among 1,000, 100,000 and a million runs that wait for their backoff.

``python -m benchmarks.claim [--quick] [--sizes 1000,100000,1000000] [--dir FOLDER]``
"""

from argparse import Namespace
from collections.abc import Sequence

import redrive
from benchmarks.failing_job import FLOW, INPUT, Acme, tenant_of
from benchmarks.logs import copy, original_of, waiting_run
from benchmarks.measure import SetClock, Stopwatch, open_log, print_among, scratch, spread, table
from benchmarks.steps import counted

DUE = 100
HEAD = ("claim 100 due runs among", "ms", "ms, states not in memory", "CPU ms", "SQLite steps", "events in the log")


def due(acme: Acme) -> list[redrive.RunId]:
    """Submit what will be claimed."""
    with acme.engine.batch() as batch:
        runs = [batch.add(acme.submit, FLOW, automation="invoices", input=INPUT) for _ in range(DUE)]
    return [run.result() for run in runs]


def claim_all(acme: Acme) -> list[redrive.Claim]:
    """What is measured."""
    claims = acme.claim_many(DUE, worker="w1", start=True)
    assert len(claims) == DUE
    return claims


def complete_all(acme: Acme, claims: Sequence[redrive.Claim]) -> None:
    """Take the claimed runs off the agenda."""
    with acme.engine.batch() as batch:
        for claim in claims:
            batch.add(acme.complete_attempt, claim.attempts[0])


def measure(others: int, rounds: int, folder: str | None) -> list[str]:
    """The line of one size."""
    warm, cold, cpu = [], [], []
    with scratch(folder) as place, open_log(place / "log.db", SetClock()) as engine:
        acme = tenant_of(engine)
        copy(place / "log.db", original_of(engine, waiting_run(acme)), range(1, others))
        for _ in range(rounds):
            due(acme)
            with Stopwatch() as watch:
                claims = claim_all(acme)
            warm.append(watch.cost.wall_s * 1e3)
            cpu.append(watch.cost.cpu_s * 1e3)
            complete_all(acme, claims)
            for run in due(acme):
                engine.ledger.committer.states.forget(run)
            with Stopwatch() as watch:
                claims = claim_all(acme)
            cold.append(watch.cost.wall_s * 1e3)
            complete_all(acme, claims)
        due(acme)
        with counted([engine.ledger.recorder.writer, engine.ledger.recorder.reader()]) as steps:
            claim_all(acme)
        events = engine.ledger.last_position()
    return [f"{others:,}", spread(warm, 1), spread(cold, 1), spread(cpu, 1), f"{steps.count:,}", f"{events:,}"]


def report(options: Namespace, sizes: Sequence[int]) -> str:
    """The table of all sizes."""
    return table(HEAD, [measure(size, max(options.rounds, 3) * 2, options.dir) for size in sizes])


def main() -> None:
    """Print the table."""
    print_among("claiming among many that wait", "how many others", report)


if __name__ == "__main__":
    main()
