"""The failing job: a run that backs off, dead-letters, is retried by an operator, and completes.

Nine commands (submit, claim and start, fail, claim and start, fail, request retry, dispatch, claim and start,
succeed), in four ways that differ only in what shares a commit.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import redrive
from redrive.domain.identity import dead_letter_id_of
from redrive.domain.values import JsonValue

POLICY = redrive.RetryPolicy(
    max_attempts=2, backoff=redrive.Backoff(strategy=redrive.Strategy.FIXED, initial_delay_ms=1)
)
FLOW = redrive.Flow([redrive.Node("charge", retry=POLICY)])
INPUT: JsonValue = {"invoice": "inv-2026-11-22", "amount_cents": 12_900, "currency": "EUR"}
OUTPUT: JsonValue = {"receipt": "ch_3MmlLrLkdIwHu7ix0snN0B15", "status": "paid"}
FAILURE = redrive.Failure("provider_transient", "timeout after 90 s: POST https://api.example.com/v1/charges")
IN_FLIGHT = 4
BATCH = 100

Acme = redrive.TenantEngine


def tenant_of(engine: redrive.Engine) -> Acme:
    """The tenant whose runs these are."""
    return engine.for_tenant(redrive.Tenant("acme", "billing", "prod"))


def letter_of(acme: Acme, attempt: redrive.Attempt) -> redrive.DeadLetterId:
    """The dead letter of a node has an id that anybody can compute."""
    return dead_letter_id_of(acme.tenant, attempt.run_id, attempt.node)


def submit(acme: Acme) -> redrive.RunId:
    """Submit one run."""
    return acme.submit(FLOW, automation="invoices", input=INPUT)


def retry(acme: Acme, attempt: redrive.Attempt) -> redrive.LetterStanding:
    """What the operator does; the sweep that follows dispatches it in a commit of its own."""
    return acme.request_retry(letter_of(acme, attempt), actor="ana", reason="rotated the key")


def take(acme: Acme, worker: str = "w1") -> redrive.Attempt:
    """Claim a run and start its node; there always is one, though another thread may hold it for a moment."""
    while (claim := acme.claim(worker=worker, start=True)) is None:
        pass
    return claim.attempts[0]


def carry_on(acme: Acme, attempt: redrive.Attempt) -> bool:
    """Report the attempt's outcome, and after the second failure ask for a retry; whether the run is complete."""
    if attempt.lifetime == 3:
        return acme.complete_attempt(attempt, output=OUTPUT).status is redrive.Status.COMPLETED
    if acme.fail_attempt(attempt, FAILURE).terminal:
        retry(acme, attempt)
    return False


def one_by_one(engine: redrive.Engine, runs: int) -> None:
    """One worker, one commit per command."""
    acme = tenant_of(engine)
    for _ in range(runs):
        submit(acme)
        while not carry_on(acme, take(acme)):
            pass


def threads(callers: int) -> Callable[[redrive.Engine, int], None]:
    """*callers* threads, each doing what one worker does; whatever waits at the same moment shares a commit."""

    def work(engine: redrive.Engine, runs: int) -> None:
        acme = tenant_of(engine)

        def caller(number: int) -> None:
            for _ in range(number, runs, callers):
                submit(acme)
                for _ in range(3):
                    carry_on(acme, take(acme, f"w{number}"))

        group = [threading.Thread(target=caller, args=(number,)) for number in range(callers)]
        for thread in group:
            thread.start()
        for thread in group:
            thread.join()

    return work


@dataclass(slots=True)
class Merged:
    """One worker that reports an outcome and claims the next run in the same commit."""

    acme: Acme
    left: int
    done: int = 0
    attempt: redrive.Attempt | None = field(default=None)

    def work(self) -> None:
        """Keep a few runs in flight, so that there is a next one to claim."""
        for _ in range(min(IN_FLIGHT, self.left)):
            self._submit()
        self.attempt = take(self.acme)
        while self.attempt is not None:
            self._turn(self.attempt)

    def _submit(self) -> None:
        submit(self.acme)
        self.left -= 1

    def _turn(self, attempt: redrive.Attempt) -> None:
        succeeds = attempt.lifetime == 3
        if succeeds and self.left:
            self._submit()
        with self.acme.engine.batch() as batch:
            if succeeds:
                batch.add(self.acme.complete_attempt, attempt, OUTPUT)
            else:
                batch.add(self.acme.fail_attempt, attempt, FAILURE)
            claimed = batch.add(self.acme.claim, worker="w1", start=True)
        if attempt.lifetime == 2:
            retry(self.acme, attempt)
        claim = claimed.result()
        if claim is None and not succeeds:
            self.attempt = take(self.acme)
        else:
            self.attempt = None if claim is None else claim.attempts[0]


def merged(engine: redrive.Engine, runs: int) -> None:
    """One worker, six commits per run: submit, three times outcome and next claim, request, dispatch."""
    Merged(tenant_of(engine), runs).work()


def batches(size: int = BATCH) -> Callable[[redrive.Engine, int], None]:
    """*size* runs side by side, each kind of command of all of them in one ``engine.batch()``."""

    def work(engine: redrive.Engine, runs: int) -> None:
        acme = tenant_of(engine)
        for begun in range(0, runs, size):
            _batch(engine, acme, min(size, runs - begun))

    return work


def _batch(engine: redrive.Engine, acme: Acme, size: int) -> None:
    with engine.batch() as batch:
        for _ in range(size):
            batch.add(submit, acme)
    for lifetime in (1, 2, 3):
        attempts = claim_all(acme, size)
        with engine.batch() as batch:
            for attempt in attempts:
                if lifetime == 3:
                    batch.add(acme.complete_attempt, attempt, OUTPUT)
                else:
                    batch.add(acme.fail_attempt, attempt, FAILURE)
        if lifetime == 2:
            with engine.batch() as batch:
                for attempt in attempts:
                    batch.add(retry, acme, attempt)
            acme.sweep()


def claim_all(acme: Acme, size: int) -> Sequence[redrive.Attempt]:
    """Claim so many runs in one commit, and start what is ready of them."""
    claims = acme.claim_many(size, worker="w1", start=True)
    attempts = [attempt for claim in claims for attempt in claim.attempts]
    assert len(attempts) == size, f"{len(attempts)} of {size} runs could be claimed"
    return attempts
