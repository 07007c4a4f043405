"""The floor: what a user would write by hand who wants the same history, and nothing else.

A row per job with its state, a row per fact: submitted, started three times, failed twice, dead, requested, dispatched,
succeeded. Ten facts in eight commits, or in one commit per kind of change of a batch.
"""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence

from benchmarks.peers.drivers.crew import slices
from benchmarks.peers.drivers.lifecycles import INPUT, REASON, Provider, ProviderDownError

FACTS = 10
Taken = tuple[int, int, str]  # job, attempt, input
Change = tuple[int, str, int]  # job, status, due
Fact = tuple[int, str, int, str]  # job, kind, when, what


def now_ms() -> int:
    """The time."""
    return time.time_ns() // 1_000_000


class Floor(ABC):
    """One worker by hand; what it does *size* of at a time shares a commit."""

    def __init__(self, provider: Provider, name: str, size: int) -> None:
        self.provider, self.name, self.size = provider, name, size
        self.dead: list[int] = []

    @abstractmethod
    def add(self, jobs: Sequence[tuple[int, str]], facts: Sequence[Fact]) -> None:
        """Insert jobs that are ready, and facts: one commit."""

    @abstractmethod
    def take(self) -> list[Taken]:
        """The oldest jobs that are due, now running, each with its fact: one commit."""

    @abstractmethod
    def change(self, changes: Sequence[Change], facts: Sequence[Fact]) -> None:
        """Set the states of jobs, and insert facts: one commit."""

    def submit(self, jobs: range) -> None:
        """Submit every job."""
        for some in slices(jobs, self.size):
            inputs = [(job, json.dumps({"id": job, **INPUT})) for job in some]
            self.add(inputs, [(job, "submitted", now_ms(), what) for job, what in inputs])

    def work(self) -> None:
        """Work until nothing is due."""
        while taken := self.take():
            self.change(*self.outcomes(taken))

    def request_retries(self) -> None:
        """Request every dead job's retry, and dispatch it in the same commit."""
        for some in slices(self.dead, self.size):
            now, why = now_ms(), json.dumps({"actor": "ana", "reason": "rotated the key"})
            facts = [
                (job, kind, now, what) for job in some for kind, what in (("requested", why), ("dispatched", "{}"))
            ]
            self.change([(job, "ready", now) for job in some], facts)

    def outcomes(self, taken: Sequence[Taken]) -> tuple[list[Change], list[Fact]]:
        """What became of the attempts."""
        changes: list[Change] = []
        facts: list[Fact] = []
        for job, attempt, given in taken:
            now = now_ms()
            try:
                receipt = json.dumps(self.provider.charge(json.loads(given)["id"]))
            except ProviderDownError:
                facts.append((job, "failed", now, json.dumps({"attempt": attempt, "reason": REASON})))
                changes.append((job, "dead" if attempt == 2 else "ready", now))
                if attempt == 2:
                    facts.append((job, "dead", now, "{}"))
                    self.dead.append(job)
            else:
                facts.append((job, "succeeded", now, receipt))
                changes.append((job, "succeeded", now))
        return changes, facts
