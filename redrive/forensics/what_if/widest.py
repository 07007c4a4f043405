"""What no course of a run can exceed: told when there are too many courses to play them all."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redrive.domain.dead_letter.events import DeadLetterOpened, DeadLetterRetryRequested, RetryBudgetGranted
from redrive.domain.event import Recorded
from redrive.domain.flow import Flow, dependants
from redrive.domain.identity import NodeId, StreamId
from redrive.domain.run.events import AttemptSucceeded, RunRequeued, RunSubmitted
from redrive.forensics.decided_again.recorded_policies import PATIENT, RecordedPolicies
from redrive.forensics.what_if.bounds import Amounts, Bounds
from redrive.forensics.what_if.policy_file import WhatIfPolicy
from redrive.forensics.what_if.script import Script

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

MOST_DISPATCHES = 10_000


@dataclass(frozen=True, slots=True)
class Widest:
    """No course of a run can have more than this."""

    dead_letters: int
    dispatches: int
    attempts: int


def widened(bounds: dict[str, Bounds], shared: Amounts, widest: Widest) -> dict[str, Bounds]:
    """Bounds that hold whatever the courses are that were not played; all of them begin with what is *shared*."""
    high = {
        "attempts": shared.attempts + widest.attempts,
        "retries": shared.retries + widest.attempts,
        "dead_letters": shared.dead_letters + widest.dead_letters,
        "dispatches": shared.dispatches + widest.dispatches,
        "completed": 1,
    }
    return {name: Bounds(low=getattr(shared, name), high=max(high[name], bounds[name].high)) for name in bounds}


def widest_of(
    events: Sequence[Recorded], at: int, script: Script, policy: WhatIfPolicy, policies: RecordedPolicies,
    ledger: "LogLedger",
) -> Widest:  # fmt: skip
    """What bounds a run that has too many courses to play them all: each node that may fail fails as often as it may,
    and whatever was asked for is done as often as its budget allows.

    What had succeeded where the histories part, at position *at*, does not run again unless something before it is
    requeued; and what succeeded at its first attempt succeeds there in every course.
    """
    submitted = next(r for r in events if isinstance(r.event, RunSubmitted))
    assert isinstance(submitted.event, RunSubmitted)
    automation = submitted.event.automation
    flow = ledger.committer.states.flow(submitted.tenant, submitted.event.flow)
    redrive = policy.redrive(automation, policies.named(events) or PATIENT)
    most = {id_: policy.most_attempts(automation, node.retry) for id_, node in flow.nodes.items()}
    extent = _Extent(flow, events, at, script)
    asked = [recorded for one in script.asked for recorded in one.together]
    wanted = _wanted((*asked, *(r for r in events if r.position < at)), redrive.max_dispatches)
    recovered = [r.event.roots for r in asked if isinstance(r.event, RunRequeued) and r.event.cause == "recover"]
    again = Counter[NodeId]()
    for roots, times in (*((extent.roots_of(letter), times) for letter, times in wanted.items()),
                         *(((*roots, *extent.uncertain), 1) for roots in recovered)):  # fmt: skip
        for node in dependants(extent.children, roots):
            again[node] += times
    attempts = sum(extent.tries(node, most[node]) for node in extent.left)
    attempts += sum(most[node] * times for node, times in again.items())
    letters = sum(extent.letters_of(node) for node in {*extent.uncertain, *again})
    return Widest(letters, sum(wanted.values()), attempts)


def _wanted(recorded: Iterable[Recorded], max_dispatches: int) -> dict[str, int]:
    """How often each dead letter may be dispatched, by what was asked for."""
    wanted = Counter[str]()
    for one in recorded:
        if isinstance(one.event, DeadLetterRetryRequested):
            wanted[one.stream] += max_dispatches
        elif isinstance(one.event, RetryBudgetGranted):
            wanted[one.stream] += max_dispatches + one.event.granted
    return {letter: min(times, MOST_DISPATCHES) for letter, times in wanted.items()}


class _Extent:
    """Which nodes of a run are left where the histories part, and which of them may fail."""

    def __init__(self, flow: Flow, events: Sequence[Recorded], at: int, script: Script) -> None:
        self.children = flow.children
        self._script = script
        self._opened = {r.stream: r.event.node for r in events if isinstance(r.event, DeadLetterOpened)}
        self._effects = Counter(intent.node for intent in script.intents.values())
        done: set[NodeId] = set()
        self._generation = 1
        for recorded in events:
            if recorded.position >= at:
                break
            if isinstance(recorded.event, AttemptSucceeded):
                done.add(recorded.event.node)
            elif isinstance(recorded.event, RunRequeued):
                done.difference_update(dependants(self.children, recorded.event.roots))
                self._generation = recorded.event.generation
        self.left = [node for node in flow.nodes if node not in done]
        self.uncertain = [node for node in self.left if self._success(node) != 1]

    def roots_of(self, letter: str) -> tuple[NodeId, ...]:
        """The node of a dead letter; of one that is not in this log, all that may fail."""
        node = self._opened.get(StreamId(letter))
        return tuple(self.uncertain) if node is None else (node,)

    def tries(self, node: NodeId, most: int) -> int:
        """How often a node is tried at most, until something is requeued."""
        return self._success(node) or most

    def letters_of(self, node: NodeId) -> int:
        """How many dead letters a node has at most: one of its own, or of each effect."""
        return max(1, self._effects[node])

    def _success(self, node: NodeId) -> int:
        """With which number of attempt a node succeeds in this generation; 0: nobody knows."""
        number, tries = 1, 0
        while found := self._script.tried.get((node, self._generation, number)):
            tries += len(found)
            if any(isinstance(tried.end, AttemptSucceeded) for tried in found):
                return tries
            number += 1
        return 0
