"""redrive: the same phases on ``redrive.open(URL)``, whatever store the URL names.

The backoff is one millisecond of the real clock, the shortest there is. Decisions are not logged, as in a host that
logs warnings only.
"""

import json
import logging
import time
from collections.abc import Callable
from functools import partial

import structlog

import redrive
from benchmarks.peers.drivers.crew import Together, alone, crew, phases, slices
from benchmarks.peers.drivers.lifecycles import (
    INPUT,
    REASON,
    Provider,
    ProviderDownError,
    arguments,
    prove,
    tell,
    version_of,
)
from redrive.domain.identity import dead_letter_id_of

POLICY = redrive.RetryPolicy(
    max_attempts=2, backoff=redrive.Backoff(strategy=redrive.Strategy.FIXED, initial_delay_ms=1)
)
FLOW = redrive.Flow([redrive.Node("charge", retry=POLICY)])
FAILURE = redrive.Failure("provider_transient", REASON)
TENANT = redrive.Tenant("acme", "billing", "prod")
BATCH = 100
PAUSE_S = 0.002  # longer than the backoff


class Hand:
    """One worker, who is the operator as well: what it does, command by command, each in a commit of its own."""

    def __init__(self, engine: redrive.Engine, provider: Provider, name: str) -> None:
        self.engine, self.provider, self.name = engine, provider, name
        self.acme = engine.for_tenant(TENANT)
        self.letters: list[redrive.DeadLetterId] = []

    def submit(self, jobs: range) -> None:
        """Submit every job."""
        for job in jobs:
            self.acme.submit(FLOW, automation="invoices", input={"id": job, **INPUT})

    def work(self) -> None:
        """Work until nothing is due, and what failed last cannot become due any more: others have it."""
        idle = False
        while not idle:
            while self.turn():
                pass
            time.sleep(PAUSE_S)
            idle = not self.turn()

    def turn(self) -> bool:
        """Claim, attempt, report; whether there was something to claim."""
        claim = self.acme.claim(worker=self.name, start=True)
        if claim is not None:
            report, *given = self.outcome(claim.attempts[0])
            report(*given)
        return claim is not None

    def request_retries(self) -> None:
        """Request the retry of every dead letter met; the sweep dispatches it in a commit of its own."""
        for letter in self.letters:
            self.acme.request_retry(letter, actor="ana", reason="rotated the key")

    def outcome(self, attempt: redrive.Attempt) -> tuple[Callable[..., object], redrive.Attempt, object]:
        """The command that reports what became of the attempt, with what it takes."""
        try:
            receipt = self.provider.charge(attempt.run_input["id"])
        except ProviderDownError:
            if attempt.lifetime == 2:
                self.letters.append(dead_letter_id_of(TENANT, attempt.run_id, attempt.node))
            return self.acme.fail_attempt, attempt, FAILURE
        return self.acme.complete_attempt, attempt, receipt


class Merging(Hand):
    """Reports an outcome and claims the next run in the same commit."""

    def turn(self) -> bool:
        """Work for as long as there is a next claim."""
        claim = first = self.acme.claim(worker=self.name, start=True)
        while claim is not None:
            with self.engine.batch() as batch:
                report, attempt, told = self.outcome(claim.attempts[0])
                batch.add(report, attempt, told)
                claimed = batch.add(self.acme.claim, worker=self.name, start=True)
            claim = claimed.result()
        return first is not None


class Batching(Hand):
    """Each kind of command of a hundred runs in one commit."""

    def submit(self, jobs: range) -> None:
        """Submit every job."""
        for some in slices(jobs, BATCH):
            with self.engine.batch() as batch:
                for job in some:
                    batch.add(self.acme.submit, FLOW, automation="invoices", input={"id": job, **INPUT})

    def turn(self) -> bool:
        """Claim, attempt and report a hundred."""
        claims = self.acme.claim_many(BATCH, worker=self.name, start=True)
        if claims:
            with self.engine.batch() as batch:
                for claim in claims:
                    report, attempt, told = self.outcome(claim.attempts[0])
                    batch.add(report, attempt, told)
        return bool(claims)

    def request_retries(self) -> None:
        """Request the retry of every dead letter met, then sweep."""
        for some in slices(self.letters, BATCH):
            with self.engine.batch() as batch:
                for letter in some:
                    batch.add(self.acme.request_retry, letter, actor="ana", reason="rotated the key")
            self.acme.sweep()


def shift(hand: type[Hand], url: str, share: range, provider: Provider, together: Together) -> None:
    """One process: its share of the jobs, and of whatever is there to be claimed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with redrive.open(url) as engine:
        phases(hand(engine, provider, f"w{share.start}"), share, provider, together)


def run(url: str, lifecycles: int, *, hand: type[Hand] = Hand, processes: int = 1) -> None:
    """Measure, prove and tell; a store that this version does not know is skipped with its own words."""
    try:
        redrive.open(url).close()
    except redrive.InvalidValue as refused:
        print(json.dumps({"skipped": f"redrive {redrive.__version__} does not know this store ({refused.code})"}))
        return
    work = partial(shift, hand)
    measured, calls = alone(work, url, lifecycles) if processes == 1 else crew(work, url, lifecycles, processes)
    with redrive.open(url) as engine:
        counts = engine.for_tenant(TENANT).counts()
    prove(lifecycles, calls, finished=counts.runs.get("completed", 0))
    assert counts.attempts == 3 * lifecycles, f"{counts.attempts} attempts are in the log"
    tell(lifecycles, measured, version=version_of("redrive"), settings="defaults, every attempt in the log")


WAYS: dict[str, Callable[[str, int], None]] = {
    "one": run,
    "merged": partial(run, hand=Merging),
    "batch": partial(run, hand=Batching),
    "8-processes": partial(run, processes=8),
    "batch-4-processes": partial(run, hand=Batching, processes=4),
}

if __name__ == "__main__":
    arguments(WAYS)
