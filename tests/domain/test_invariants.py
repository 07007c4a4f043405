"""Any flow, any order of commands: the counters stay true, and the log tells the whole story."""

from collections.abc import Callable

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from redrive.domain.errors import RedriveError
from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.flow import Flow, Node
from redrive.domain.identity import NodeId
from redrive.domain.run.attempts import (
    AttemptId,
    complete_attempt,
    fail_attempt,
    snooze_attempt,
    start_attempt,
    startable,
)
from redrive.domain.run.claims import abandon_claim, claim_run, release_claim, renew_lease
from redrive.domain.run.control import cancel_run, pause_run, recover_run, requeue_run, resume_run
from redrive.domain.run.events import AttemptStarted
from redrive.domain.run.evolution import evolve
from redrive.domain.run.state import NodeStatus, Run, Status
from tests.domain.facts import BROKEN, DENIED, LEASE_MS, RUN, TIMEOUT, policy, submitted
from tests.domain.given import fold_run

POLICIES = st.builds(
    policy,
    st.integers(1, 3),
    st.sampled_from(["fail_run", "pause_for_review", "dead_letter"]),
    st.sampled_from([0, 50]),
)


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    """A random graph of up to seven nodes, each with its own policy; parents come before children."""
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 7))):
        parents = draw(st.sets(st.sampled_from([node.id for node in nodes]), max_size=3)) if nodes else set()
        nodes.append(Node(f"n{number}", after=sorted(parents), retry=draw(POLICIES)))
    return Flow(nodes)


class Driver:
    """Plays a worker, a sweep and an operator against one run, some of them late or confused."""

    def __init__(self, tape: bytes, flow: Flow) -> None:
        self.tape, self.now = list(tape), 0
        self.events: list[Event] = [submitted(flow)]
        self.run = fold_run(self.events)
        self.seen: list[AttemptId] = []

    def pick(self, most: int) -> int:
        """The next number of the tape, from 0 to *most*."""
        return self.tape.pop() % (most + 1) if self.tape else 0

    def node(self) -> NodeId:
        """Any node."""
        return list(self.run.nodes)[self.pick(len(self.run.nodes) - 1)]

    def attempt(self) -> AttemptId:
        """Mostly the latest attempt, at times an old one."""
        back = max(0, self.pick(6) - 3)
        return self.seen[-1 - back % len(self.seen)] if self.seen else AttemptId(RUN, self.node(), 1, 1, 1)

    def step(self) -> None:
        """One command; a refusal is as good as an answer."""
        self.now += (0, 10, 60, LEASE_MS)[max(0, self.pick(9) - 6)]
        try:
            self.record(self.command(self.pick(19)))
        except RedriveError:
            return

    def command(self, number: int) -> list[Event]:
        """The command of this number; starting and reporting are the most frequent."""
        run, now, draw = self.run, self.now, self.pick(9) / 10
        if number < 4 and run.status is not Status.RUNNING:
            return [claim_run(run, worker="w", holder=None, lease_ms=LEASE_MS, now_ms=now)]
        if number < 7:
            able = startable(run, now) or [self.node()]
            return [start_attempt(run, able[self.pick(len(able) - 1)], epoch=run.epoch, now_ms=now)]
        if number < 10:
            return complete_attempt(run, self.attempt(), self.pick(2), now_ms=now)
        if number < 13:
            return fail_attempt(run, self.attempt(), self.failure(), now_ms=now, draw=draw)
        return self.rare(number, draw)

    def rare(self, number: int, draw: float) -> list[Event]:
        """What operators, sweeps and reclaims do."""
        run, now = self.run, self.now
        rules: list[Callable[[], list[Event]]] = [
            lambda: snooze_attempt(run, self.attempt(), 20, now_ms=now),
            lambda: abandon_claim(run, now_ms=now, process_gone=draw > 0.5, draws=[draw] * len(run.running))[0],
            lambda: release_claim(run, run.epoch, now_ms=now),
            lambda: resume_run(run, now_ms=now) if run.pause_requested or draw > 0.4 else pause_run(run, now_ms=now),
            lambda: recover_run(run, [self.node()] if draw > 0.5 else None, now_ms=now),
            lambda: requeue_run(run, list(run.failed)[:1], "redrive", now_ms=now),
            lambda: (
                cancel_run(run, now_ms=now)
                if self.pick(9) == 9
                else renew_lease(run, run.epoch, lease_ms=None, now_ms=now)
            ),
        ]
        return rules[number - 13]()

    def failure(self) -> Failure:
        """Of a retryable class, a transient or a final one."""
        return (BROKEN, TIMEOUT, DENIED)[self.pick(2)]

    def record(self, events: list[Event]) -> None:
        """Fold what the rule gave into the live state."""
        self.events += events
        for event in events:
            evolve(self.run, event)
            if isinstance(event, AttemptStarted):
                self.seen.append(AttemptId(RUN, event.node, event.number, event.lifetime, event.epoch))


def assert_counters(run: Run) -> None:
    """Every counter and set equals its definition."""
    by_status = {status: {n for n, state in run.nodes.items() if state.status is status} for status in NodeStatus}
    assert run.succeeded == len(by_status[NodeStatus.SUCCEEDED])
    assert run.failed.keys() == by_status[NodeStatus.FAILED]
    if run.status is not Status.CANCELLED:  # a cancelled run shows where its nodes stood
        assert run.ready.keys() == by_status[NodeStatus.READY]
        assert run.running.keys() == by_status[NodeStatus.RUNNING]
        assert run.waiting == {n: run.nodes[n].due_ms for n in by_status[NodeStatus.WAITING]}
    for node, state in run.nodes.items():
        unmet = sum(run.nodes[NodeId(p)].status is not NodeStatus.SUCCEEDED for p in run.flow.nodes[node].after)
        assert state.unmet == unmet
        assert (state.status is NodeStatus.PENDING) is (unmet > 0)


def assert_stands_well(run: Run, now_ms: int) -> None:
    """The run is where settle would put it, and something can start when it says that something can."""
    assert (run.claim is not None) is (run.status is Status.RUNNING)
    assert (run.finished_at_ms is not None) is (run.status in ("completed", "blocked", "failed", "cancelled"))
    assert (run.due_ms is not None) is (run.status is Status.QUEUED)
    assert run.status is Status.RUNNING or not run.running
    assert (run.status is Status.COMPLETED) is (run.succeeded == len(run.nodes) and run.status is not Status.CANCELLED)
    assert run.status is not Status.PAUSED or run.pause_requested
    if run.status is Status.QUEUED:
        assert run.due_ms is not None
        assert startable(run, run.due_ms), "a queued run that nobody could work on"
        assert not run.ready or run.due_ms <= now_ms
    if run.status is Status.RUNNING and not run.running:
        assert startable(run, now_ms), "a claimed run that nobody could work on"


@settings(max_examples=100, deadline=None)
@for_all(st.binary(min_size=300, max_size=300), flows())
def test_counters_are_true_and_the_log_tells_the_whole_story(tape: bytes, flow: Flow) -> None:
    """After every command; no attempt is named twice, no epoch falls, and a refold gives the live state."""
    driver = Driver(tape, flow)
    while driver.tape:
        epoch = driver.run.epoch
        driver.step()
        assert driver.run.epoch in (epoch, epoch + 1)
        assert_counters(driver.run)
        assert_stands_well(driver.run, driver.now)
    starts = [(event.node, event.lifetime) for event in driver.events if isinstance(event, AttemptStarted)]
    assert len(set(starts)) == len(starts)
    assert fold_run(driver.events) == driver.run
