"""Logs in which a share of the runs fails: those are failing jobs, the others succeed at once."""

from collections.abc import Callable, Sequence

import redrive
from benchmarks.failing_job import FAILURE, OUTPUT, Acme, claim_all, retry, submit, tenant_of
from benchmarks.logs import unflushed

SIZE = 1_000
"""Runs side by side."""


def filling(share: float) -> Callable[[redrive.Engine, int], None]:
    """Makes a log of so many events or a few more, in which *share* of the runs fail twice and are retried."""

    def fill(engine: redrive.Engine, events: int) -> None:
        unflushed(engine, True)
        while engine.ledger.last_position() < events:
            _some_runs(engine, tenant_of(engine), share)
        unflushed(engine, False)

    return fill


def _some_runs(engine: redrive.Engine, acme: Acme, share: float) -> None:
    with engine.batch() as batch:
        for _ in range(SIZE):
            batch.add(submit, acme)
    failing = [n for n in range(SIZE) if int((n + 1) * share) > int(n * share)]
    _end(engine, acme, claim_all(acme, SIZE), frozenset(failing))
    if not failing:
        return
    again = claim_all(acme, len(failing))
    _end(engine, acme, again, frozenset(range(len(again))))
    with engine.batch() as batch:
        for attempt in again:
            batch.add(retry, acme, attempt)
    acme.sweep()
    _end(engine, acme, claim_all(acme, len(failing)), frozenset())


def _end(engine: redrive.Engine, acme: Acme, attempts: Sequence[redrive.Attempt], failing: frozenset[int]) -> None:
    """Report how each attempt ended: those with these numbers failed."""
    with engine.batch() as batch:
        for n, attempt in enumerate(attempts):
            if n in failing:
                batch.add(acme.fail_attempt, attempt, FAILURE)
            else:
                batch.add(acme.complete_attempt, attempt, OUTPUT)
