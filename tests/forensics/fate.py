"""A world whose outcomes are fate: what an attempt comes to depends on its node and number alone. It can be lived
through under any policy, to see what really comes of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import redrive
from redrive import Attempt, Backoff, Claim, DeadLetterId, Failure, Flow, Node, RetryPolicy, Strategy, TerminalBehavior
from redrive.domain.retry_policy import Mode
from redrive.forensics.what_if.policy_file import WhatIfPolicy
from tests.stores import log_url

START_MS = 1_700_000_000_000
RUN_MS = 700
REACTION_MS = 5_000
CLASSES = ("provider_transient", "execution_error", "provider_auth")


@dataclass(frozen=True)
class Fate:
    """Attempt *number* of a node fails when a hash of it says so. *retries* is how often the operator asks."""

    seed: int
    rate: float
    graph: Mapping[str, tuple[str, ...]]
    mode: str = "dead_letter"
    retries: int = 0
    attempts: int = 3
    delay_ms: int = 1_000
    runs: int = 1

    def failure(self, run: str, node: str, number: int) -> Failure | None:
        """How the attempt fails, if it does."""
        rolled = hashlib.sha256(f"{self.seed}/{run}/{node}/{number}".encode()).digest()
        return Failure(self.class_of(node), "fate") if rolled[0] / 256 < self.rate else None

    def class_of(self, node: str) -> str:
        """How a node fails when it fails."""
        return CLASSES[hashlib.sha256(f"{self.seed}/{node}".encode()).digest()[0] % len(CLASSES)]

    def policy(self) -> RetryPolicy:
        """The policy of every node."""
        backoff = Backoff(strategy=Strategy.FIXED, initial_delay_ms=self.delay_ms)
        terminal = TerminalBehavior(mode=Mode(self.mode))
        return RetryPolicy(max_attempts=self.attempts, backoff=backoff, terminal_behavior=terminal)

    def flow(self, other: WhatIfPolicy | None) -> Flow:
        """The graph with its own policy, or another."""
        own = self.policy()
        policies = {n: own if other is None else other.retry("fate", self.class_of(n), own) for n in self.graph}
        return Flow([Node(name, after=after, retry=policies[name]) for name, after in self.graph.items()])


class Life:
    """A world that is lived through: one worker with room for all, and an operator who asks for retries; of those that
    he *cares* for only, when that is given, and so many times."""

    def __init__(
        self, fate: Fate, path: Path, other: WhatIfPolicy | None = None, cares: Mapping[str, int] | None = None
    ) -> None:
        self.now, self.fate, self.cares = START_MS, fate, cares
        base = redrive.RedrivePolicy()
        policy = base if other is None else other.redrive("fate", base)
        self.engine = redrive.open(log_url(path), clock=lambda: self.now, dice=lambda: 0.5, redrive_policy=policy)
        self.acme = self.engine.local
        self.keys = {
            self.acme.submit(fate.flow(other), automation="fate", key=str(run)): str(run) for run in range(fate.runs)
        }
        self.running: list[tuple[int, Attempt]] = []
        self.claims: dict[str, Claim] = {}
        self.reactions: dict[str, int] = {}
        self.asked: dict[str, int] = {}

    def live(self) -> redrive.Engine:
        """Until nothing more happens."""
        while True:
            self._operate()
            self.engine.sweep()
            while (claim := self.acme.claim(worker="w", start=True)) is not None:
                self.claims[claim.run_id] = claim
                self._begun(claim.attempts)
            self._note_letters()
            later = [at for at, _ in self.running] + [*self.reactions.values()]
            due = self.engine.ledger.next_work_ms(None, None, None)
            if not (later := [at for at in (*later, *([due] if due is not None else ())) if at >= self.now]):
                return self.engine
            self.now = max(min(later), self.now)
            self._report()

    def _begun(self, attempts: tuple[Attempt, ...] | list[Attempt]) -> None:
        self.running += [(self.now + RUN_MS, attempt) for attempt in attempts]

    def _report(self) -> None:
        for at, attempt in list(self.running):
            if at > self.now:
                continue
            self.running.remove((at, attempt))
            failure = self.fate.failure(self.keys[attempt.run_id], attempt.node, attempt.number)
            if failure is None:
                self.acme.complete_attempt(attempt)
            else:
                self.acme.fail_attempt(attempt, failure)
            if self.acme.show(attempt.run_id).status == "running":
                self._begun(self.acme.start_attempts(self.claims[attempt.run_id]))

    def _note_letters(self) -> None:
        """The operator sees what is open, and will ask some time later."""
        for letter in self.acme.dead_letters(status="open").items:
            most = self.fate.retries if self.cares is None else self.cares.get(letter.id, 0)
            if self.asked.get(letter.id, 0) < most:
                self.reactions.setdefault(letter.id, letter.updated_at_ms + REACTION_MS)

    def _operate(self) -> None:
        for letter, at in list(self.reactions.items()):
            if at <= self.now:
                del self.reactions[letter]
                self.asked[letter] = self.asked.get(letter, 0) + 1
                try:
                    self.acme.request_retry(DeadLetterId(letter), actor="ana", reason="again")
                except redrive.Refused:
                    continue
