"""A world in which anything is tried at any time."""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from redrive.domain.flow import Flow, Node
from redrive.domain.identity import DeadLetterId, RunId
from redrive.processes import leases, operations, reports
from redrive.processes.claimant import Claimant
from redrive.processes.handout import Attempt, Claim
from tests.ledger.world import BROKEN, CHAIN, FINAL, LOCAL, ONE, World, policy, policy_of

CANCELLING = partial(operations.cancelling, policy_of=policy_of)
WIDE = Flow(
    [
        Node("a", retry=policy(mode="dead_letter")),
        Node("b", retry=policy(1, mode="dead_letter"), handler="h"),
        Node("c", after=["a"], retry=policy(1, mode="pause_for_review")),
        Node("d", after=["c", "b"], retry=policy(mode="dead_letter", delay_ms=0)),
    ]
)
FLOWS = (ONE, CHAIN, WIDE)


class Chaos:
    """A world in which anything is tried at any time; what the rules refuse simply does not happen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.world = World(path, durable=False)
        self.engines = itertools.count(2)
        self.engine = "0.1.0"
        self.runs: list[RunId] = []
        self.claims: list[Claim] = []
        self.attempts: list[Attempt] = []

    def letters(self) -> list[DeadLetterId]:
        """All dead letters."""
        return [DeadLetterId(e.stream) for e in self.world.log() if e.topic == "dead-letter.opened"]

    def submit(self, n: int) -> None:
        """Submit a run of one of the flows, or the same run again."""
        self.runs.append(self.world.submit(str(n % 7), FLOWS[n % 3]))

    def claim(self, n: int) -> None:
        """Claim what is due, for a worker that has some of the handlers."""
        handlers = (None, ("a", "b", "c"), ("h",), ())[n % 4]
        self.claims += self.world.claim(1 + n % 2, handlers, None if n % 3 else LOCAL)
        self.attempts += [a for claim in self.claims[-2:] for a in claim.attempts if a not in self.attempts]

    def start(self, n: int) -> None:
        """Start what became ready."""
        claim = self.claims[n % len(self.claims)]
        self.attempts += self.world.do(leases.starting_all(claim))

    def fail(self, n: int) -> None:
        """Report a failure of an attempt, perhaps an old one."""
        self.world.fail(self.attempts[-1 - n % len(self.attempts)], FINAL if n % 2 else BROKEN)

    def complete(self, n: int) -> None:
        """Report a success of an attempt, perhaps an old one."""
        self.world.complete(self.attempts[-1 - n % len(self.attempts)])

    def snooze(self, n: int) -> None:
        """Report that an attempt wants to be called later."""
        self.world.do(reports.snoozing(self.attempts[-1 - n % len(self.attempts)].id, n % 9))

    def heartbeat(self, n: int) -> None:
        """Renew a lease."""
        self.world.do(leases.renewing(self.claims[n % len(self.claims)], 6_000))

    def release(self, n: int) -> None:
        """Give a run back."""
        self.world.do(leases.releasing(self.claims[n % len(self.claims)], no_handler=bool(n % 2)))

    def reclaim(self, n: int) -> None:
        """Take a run from its holder once its lease has expired."""
        self.world.now += 6_000 * (n % 2)
        self.world.do(leases.reclaiming(self.runs[n % len(self.runs)], policy_of))

    def operate_run(self, n: int) -> None:
        """Pause, resume, recover, or cancel a run."""
        run = self.runs[n % len(self.runs)]
        commands: list[Any] = [operations.pausing, operations.resuming, operations.noting_run, CANCELLING]
        chosen = commands[n % 4 if n % 16 == 3 else n % 3]
        self.world.do(chosen(run, "x") if chosen is operations.noting_run else chosen(run))

    def recover(self, n: int) -> None:
        """Requeue a run from all its failed nodes, or from one that is named."""
        run = self.runs[n % len(self.runs)]
        self.world.do(operations.recovering(run, ["a"] if n % 2 else None))

    def retry(self, n: int) -> None:
        """Ask for a retry of a dead letter, and for another one as well."""
        for letter in self.letters()[n % 3 :]:
            self.world.retry(letter)

    def operate_letter(self, n: int) -> None:
        """Ignore, abandon, resolve, reopen a dead letter, or grant it retries."""
        letters = self.letters()
        letter = letters[n % len(letters)]
        commands = [operations.ignoring, operations.abandoning, operations.resolving, operations.reopening]
        if n % 5 == 4:
            self.world.do(operations.granting_retries(letter, 1, None))
        else:
            self.world.do(commands[n % 5](letter, None))

    def sweep(self, n: int) -> None:
        """Sweep."""
        self.world.sweep(self.engine)

    def stick(self, n: int) -> None:
        """A dead letter that the sweep will hold."""
        letter = self.world.stuck_letter(f"stuck-{n}-{len(self.runs)}")
        self.runs.append(self.world.do(lambda tx: tx.dead_letter(letter)).run)

    def exhaust(self, n: int) -> None:
        """Dispatch, claim and fail until the budgets are spent."""
        for _ in range(1 + n % 4):
            self.world.sweep(self.engine)
            for claim in self.world.claim(9):
                for attempt in claim.attempts:
                    self.world.fail(attempt)
            self.world.now += 50

    def wait(self, n: int) -> None:
        """Time passes, or the clock goes back."""
        self.world.now += (n % 30) - 5

    def in_one_batch(self, n: int) -> None:
        """Several commands in one commit."""
        run = self.runs[n % len(self.runs)]
        commands: list[Any] = [operations.pausing(run), operations.resuming(run), operations.recovering(run, None)]
        claimant = Claimant("w", lease_ms=5_000)
        claimed = self.world.together(*commands[n % 3 :], leases.claiming(claimant, 2, None), *commands)
        self.claims += claimed[-4].result()

    def restart(self, n: int) -> None:
        """Open the log again, perhaps with another version of the engine and a small cache."""
        now = self.world.now
        self.world.ledger.close()
        self.engine = f"0.{next(self.engines)}.0" if n % 2 else self.engine
        self.world = World(self.path, engine=self.engine, durable=False, cache_bytes=10_000 if n % 3 else 10**8)
        self.world.now = now


ACTIONS: list[Callable[[Chaos, int], None]] = [
    Chaos.submit, Chaos.claim, Chaos.claim, Chaos.claim, Chaos.start, Chaos.start, Chaos.fail, Chaos.fail, Chaos.fail,
    Chaos.complete, Chaos.complete, Chaos.snooze, Chaos.heartbeat, Chaos.release, Chaos.reclaim, Chaos.operate_run,
    Chaos.recover, Chaos.retry, Chaos.retry, Chaos.operate_letter, Chaos.sweep, Chaos.sweep, Chaos.wait, Chaos.wait,
    Chaos.in_one_batch, Chaos.restart, Chaos.stick, Chaos.exhaust,
]  # fmt: skip
