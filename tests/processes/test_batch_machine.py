"""A batch worker by chance: whatever ends, stops, is cancelled or dies, in whatever order, the oracles hold."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from redrive import Attempt, Fatal, Flow, Limit, Node, Refused, Retry, RunId, Snooze
from redrive.processes.services import Services
from redrive.processes.slots import Slots
from redrive.processes.told import told
from redrive.processes.turns import Ended, Turns
from tests.processes.workshop import ANA, Shop, beside, chain, policy, worker_of

RUNS, HAND = 2, 5
SETTLED = {"completed", "failed", "blocked", "cancelled", "paused"}
FLOWS: list[Flow] = [
    beside("a"),
    beside("a", "b", "c", retry=policy(2, "dead_letter")),
    chain("a", "b", retry=policy(2, delay_ms=50)),
    beside("a", timeout_ms=2_000),
    beside("a", "b", resource="db"),
    Flow([Node("a", retry=policy(1)), Node("b"), Node("c", after=["a", "b"])]),
]
OUTCOMES: list[tuple[Any, BaseException | None]] = [
    (1, None), (1, None), (1, None), (Snooze(20), None), (None, Retry("busy", 10)), (None, Fatal("no")),
]  # fmt: skip


class ByHand(Slots):
    """Slots whose handlers begin and end when the test says so."""

    def __init__(self, services: Services, ended: list[Ended]) -> None:
        super().__init__("w", {}, partial(told, services), lambda *each: ended.append(each), RUNS)
        self.begun: dict[Any, Attempt] = {}

    def _begin(self, attempt: Attempt) -> None:
        self.begun[attempt.id] = attempt

    def give_up(self, attempt: Attempt) -> None:
        """Its handler ends, and nobody asks how."""
        self.begun.pop(attempt.id, None)
        super().give_up(attempt)

    def finish(self, number: int, result: Any, error: BaseException | None) -> None:
        """A handler that began ends."""
        attempt = self.begun.pop(list(self.begun)[number % len(self.begun)])
        self._end(attempt, *self._read(result, error))


class BatchMachine(RuleBasedStateMachine):
    """One worker with two places and a batch of five, and an operator."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.shop = Shop(Path(self.folder.name) / "log.db")
        self.shop.engine.set_limit(Limit("resource", "db", concurrency=1), **ANA)
        self.runs: list[RunId] = []
        self.appear()

    def appear(self) -> None:
        """A new worker, which knows nothing of one before."""
        handlers = dict.fromkeys("abc", lambda attempt: 1)
        self.turns: Turns = worker_of(self.shop, handlers, concurrency=RUNS, batch=HAND, lease_ms=5_000)._turns
        self.ended: list[Ended] = []
        self.slots = ByHand(self.shop.engine.services, self.ended)

    @rule(flow=st.sampled_from(FLOWS))
    def submit(self, flow: Flow) -> None:
        """Somebody submits."""
        self.runs.append(self.shop.submit(flow))

    @rule()
    def turn(self) -> None:
        """The worker's loop comes round."""
        ended = self.ended[:]
        self.ended.clear()
        self.turns.turn(ended, self.slots, claim=True)

    @rule(number=st.integers(0, 9), outcome=st.sampled_from(OUTCOMES))
    def end(self, number: int, outcome: tuple[Any, BaseException | None]) -> None:
        """A handler ends."""
        if self.slots.begun:
            self.slots.finish(number, *outcome)

    @rule(milliseconds=st.sampled_from([1, 60, 1_000, 2_500]))
    def wait(self, milliseconds: int) -> None:
        """Time passes, and leases are looked after."""
        self.shop.now += milliseconds
        self.shop.engine.tick()
        self.turns.drop_lost(self.slots)

    @rule(number=st.integers(0, 9), verb=st.sampled_from(["cancel", "pause", "resume", "recover"]))
    def operate(self, number: int, verb: str) -> None:
        """The operator does something, or is refused."""
        if self.runs:
            try:
                getattr(self.shop.acme, verb)(self.runs[number % len(self.runs)], **ANA)
            except Refused:
                return

    @rule()
    def stop(self) -> None:
        """The worker stops as it does when nothing runs; another one appears."""
        self.ended += self.turns.withdraw(self.slots)
        while self.slots.begun:
            self.slots.finish(0, 1, None)
        self.turns.turn(self.ended, self.slots, claim=False)
        self.turns.release_all()
        assert not self.shop.engine.ledger.live_claims(self.runs)
        self.appear()

    @rule()
    def die(self) -> None:
        """The worker is gone, with all that it had in hand; its leases end."""
        last = [attempt for attempt in self.turns.running() if attempt.id in self.slots._later]
        self.shop.now += 5_000
        self.shop.engine.tick()
        assert not any(self.shop.node(attempt.run_id, attempt.node).status == "failed" for attempt in last)
        self.appear()

    @invariant()
    def never_too_many(self) -> None:
        """No more run than there are places, no more are in hand than a batch, and what waits may."""
        assert len(self.slots.begun) <= RUNS
        assert self.turns.in_hand() <= HAND
        assert all(attempt.deadline_ms is None and attempt.resource is None for attempt in self.slots._later.values())

    def teardown(self) -> None:
        """Everything settles; the log's oracles know that each node succeeds once in a generation."""
        for _ in range(200):
            while self.slots.begun:
                self.slots.finish(0, 1, None)
            self.turn()
            self.wait(2_500)
            if {self.shop.run_status(run) for run in self.runs} <= SETTLED:
                break
        assert {self.shop.run_status(run) for run in self.runs} <= SETTLED
        assert not self.turns.in_hand()
        self.shop.check()
        self.shop.engine.close()
        self.folder.cleanup()


BatchMachine.TestCase.settings = settings(
    max_examples=10, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestBatchMachine = BatchMachine.TestCase


def test_who_ends_beyond_its_deadline_leaves_one_place() -> None:
    """It ended, and is overdue, when the worker looks: that is one attempt less in hand, not two."""
    machine = BatchMachine()
    machine.submit(FLOWS[3])
    machine.turn()
    for _ in range(8):
        machine.submit(FLOWS[0])
    machine.turn()
    machine.shop.now += 2_500
    machine.end(0, OUTCOMES[0])
    machine.turn()
    machine.never_too_many()
    machine.teardown()
