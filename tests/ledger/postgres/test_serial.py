"""Several engines, each with what it holds: every decision would be made again in the order of the log."""

import contextlib
import random
from pathlib import Path
from typing import Any

import pytest

from redrive import Attempt, Claim, Compensation, InvalidValue, Limit, NotFound, Refused
from tests.engine.outworld import Till
from tests.ledger.postgres.conftest import OpenTill
from tests.processes.workshop import ANA, BROKEN, FINAL, beside, chain, policy, running

FLOWS = (
    beside("a", "b", retry=policy(2, mode="dead_letter", delay_ms=1)),
    chain("a", "b", retry=policy(1, mode="pause_for_review")),
)
VERBS = ("pause", "resume", "cancel", "recover", "resume", "recover")
LETTER = ("request_retry", "request_retry", "ignore", "abandon", "reopen", "resolve")


class Clerk:
    """One engine, and what it may do next; what the rules refuse does not happen."""

    def __init__(self, till: Till, seed: int) -> None:
        self.till, self.dice = till, random.Random(seed)
        self.claims: list[Claim] = []
        self.attempts: list[Attempt] = []

    def work(self, steps: int) -> None:
        """Do so many things."""
        acts = [self.submit, self.claim, self.claim, self.start, self.report, self.report, self.pay, self.operate,
                self.dispose, self.tick, self.compensate]  # fmt: skip
        for _ in range(steps):
            self.till.now += self.dice.randrange(3)
            with contextlib.suppress(Refused, NotFound, InvalidValue, IndexError):
                self.dice.choice(acts)()

    def submit(self) -> None:
        """A run, perhaps one that another has submitted."""
        self.till.submit(self.dice.choice(FLOWS), key=str(self.dice.randrange(12)))

    def claim(self) -> None:
        """The next run."""
        if (claim := self.till.acme.claim(worker="w", start=True)) is not None:
            self.claims.append(claim)
            self.attempts += claim.attempts

    def start(self) -> None:
        """What became ready."""
        self.attempts += self.till.acme.start_attempts(self.dice.choice(self.claims[-3:]))

    def report(self) -> None:
        """A failure or a success."""
        attempt = self.dice.choice(self.attempts[-5:])
        if self.dice.random() < 0.5:
            self.till.acme.complete_attempt(attempt, None)
        else:
            self.till.fail(attempt, failure=self.dice.choice((BROKEN, FINAL)))

    def pay(self) -> None:
        """An effect; its outcome, or none."""
        attempt = self.dice.choice(self.attempts[-3:])
        standing = self.till.begun(attempt, str(self.dice.randrange(3)), compensation=Compensation("undo"))
        if self.dice.random() < 0.5:
            self.till.acme.effect_succeeded(standing, 1)

    def operate(self) -> None:
        """Something that an operator does to a run."""
        runs = [event.stream for event in self.till.log() if event.topic == "run.submitted"]
        command: Any = getattr(self.till.acme, self.dice.choice(VERBS))
        command(self.dice.choice(runs), **ANA)

    def dispose(self) -> None:
        """Something that an operator does to a dead letter."""
        command: Any = getattr(self.till.acme, self.dice.choice(LETTER))
        command(self.dice.choice(self.letters()), **ANA)

    def compensate(self) -> None:
        """What was done is to be undone."""
        self.till.acme.compensate(self.dice.choice(self.letters()), **ANA)

    def tick(self) -> None:
        """Whatever is due."""
        self.till.engine.tick()

    def letters(self) -> Any:
        """The dead letters."""
        return [event.stream for event in self.till.log() if event.topic == "dead-letter.opened"]


def work_together(clerks: list[Clerk], steps: int) -> None:
    """All of them at once."""
    with contextlib.ExitStack() as threads:
        for clerk in clerks:
            thread = threads.enter_context(running(lambda c=clerk: c.work(steps)))  # type: ignore[misc]
            threads.callback(thread.join, 240)


LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("limited", "steps"), [(False, 50), pytest.param(False, 400, marks=LONG), pytest.param(True, 300, marks=LONG)]
)
def test_engines_that_share_a_log(open_till: OpenTill, tmp_path: Path, limited: bool, steps: int) -> None:
    """Whether they decide ahead of the lock, or (there are limits) under it."""
    tills = [open_till() for _ in range(4)]
    if limited:
        tills[0].engine.set_limit(Limit("total", "", 2), **ANA)
    for first in range(0, 40, 4):
        work_together([Clerk(till, first + number) for number, till in enumerate(tills)], steps)
        conflicts = sum(till.engine.ledger.committer.conflicts for till in tills)
        if conflicts > 0 or limited:
            break  # else nobody met anybody: they go on
    assert (conflicts == 0) is limited
    for till in (tills[0], open_till()):
        till.check()
