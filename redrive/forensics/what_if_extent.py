"""How far a what-if reaches: which events it is about, and what no course of a run can exceed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redrive.domain.dead_letter.events import DeadLetterRetryRequested, RetryBudgetGranted
from redrive.domain.errors import InvalidValue
from redrive.domain.event import Recorded
from redrive.domain.flow import Flow
from redrive.domain.records import FlowRegistered, LimitRemoved, LimitSet, PolicyRegistered
from redrive.domain.retry_policy import RetryPolicy
from redrive.domain.run.events import AttemptSucceeded, RunRequeued, RunSubmitted
from redrive.forensics.bounds import Amounts, Bounds
from redrive.forensics.policy_file import WhatIfPolicy
from redrive.forensics.positions import Asked, position_of
from redrive.forensics.recorded_policies import PATIENT, RecordedPolicies
from redrive.forensics.script import Script

if TYPE_CHECKING:
    from redrive.ledger.ledger import SqliteLedger

BUCKETS = 60
PAGE = 5_000
MOST_DISPATCHES = 10_000
WIDTHS_MS = (1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000, 86_400_000, 604_800_000)
_WANTS_A_RETRY = (DeadLetterRetryRequested, RetryBudgetGranted)


def kept_as_recorded(ledger: "SqliteLedger", drop: Sequence[Recorded]) -> dict[int, str]:
    """Which of the events to *drop* are kept, by position, and why: histories are those of runs."""
    kept: dict[int, str] = {}
    for r in drop:
        first = ledger.stream(r.correlation)[:1]
        if isinstance(r.event, (LimitSet, LimitRemoved)):
            kept[r.position] = f"position {r.position}: a limit was dropped, but limits are not part of the model"
        elif not first or not isinstance(first[0].event, RunSubmitted):
            kept[r.position] = f"position {r.position}: {r.topic} is of no run, and was kept as recorded"
        elif isinstance(r.event, (FlowRegistered, PolicyRegistered)):
            kept[r.position] = f"position {r.position}: what {r.topic} says was kept: runs are decided by it"
    return kept


@dataclass(frozen=True, slots=True)
class Widest:
    """No course of a run can have more than this."""

    nodes: int
    dispatches: int
    attempts: int


def widened(bounds: dict[str, Bounds], shared: Amounts, widest: Widest) -> dict[str, Bounds]:
    """Bounds that hold whatever the courses are that were not played; all of them begin with what is *shared*."""
    high = {
        "attempts": shared.attempts + widest.attempts,
        "retries": shared.retries + widest.attempts,
        "dead_letters": shared.dead_letters + widest.nodes,
        "dispatches": shared.dispatches + widest.dispatches,
        "completed": 1,
    }
    return {name: Bounds(low=getattr(shared, name), high=max(high[name], bounds[name].high)) for name in bounds}


def widest_of(
    events: Sequence[Recorded], at: int, script: Script, policy: WhatIfPolicy, policies: RecordedPolicies,
    ledger: "SqliteLedger",
) -> Widest:  # fmt: skip
    """What bounds a run that has too many courses to play them all: every node fails as often as it may, in as many
    generations as were asked for."""
    submitted = next(r for r in events if isinstance(r.event, RunSubmitted))
    assert isinstance(submitted.event, RunSubmitted)
    automation = submitted.event.automation
    flow = ledger.committer.states.flow(submitted.tenant, submitted.event.flow)
    redrive = policy.redrive(automation, policies.named(events) or PATIENT)
    wanted = [recorded.event for asked in script.asked for recorded in asked.together]
    wanted += [r.event for r in events if r.position < at and isinstance(r.event, _WANTS_A_RETRY)]
    recovers = sum(isinstance(event, RunRequeued) for event in wanted)
    granted = sum(event.granted for event in wanted if isinstance(event, RetryBudgetGranted))
    requests = sum(isinstance(event, _WANTS_A_RETRY) for event in wanted)
    dispatches = min(requests * redrive.max_dispatches + granted, MOST_DISPATCHES)
    if not (recovers or dispatches or any(isinstance(r.event, RunRequeued) for r in events)):
        return _in_one_generation(events, at, script, flow, lambda own: policy.most_attempts(automation, own))
    each = sum(policy.most_attempts(automation, node.retry) for node in flow.nodes.values())
    return Widest(len(flow), dispatches, each * (1 + recovers + dispatches))


def _in_one_generation(
    events: Sequence[Recorded], at: int, script: Script, flow: Flow, most: Callable[[RetryPolicy], int]
) -> Widest:
    """What succeeded before does not run again; a recorded success ends a node, and one at once excludes a failure."""
    done = {r.event.node for r in events if r.position < at and isinstance(r.event, AttemptSucceeded)}
    success = {
        key[0]: key[2]
        for key, tries in script.tried.items()
        if any(isinstance(tried.end, AttemptSucceeded) for tried in tries)
    }
    tries = {node: sum(len(found) for key, found in script.tried.items() if key[0] == node) for node in success}
    left = [node for node in flow.nodes if node not in done]
    attempts = sum(tries.get(node) or most(flow.nodes[node].retry) for node in left)
    return Widest(sum(success.get(node) != 1 for node in left), 0, attempts)


def correlated(ledger: "SqliteLedger", run: str, until: int) -> Iterator[Recorded]:
    """Every event of a run, of its effects, dead letters and compensations, up to *until*."""
    after = 0
    while page := ledger.correlated(run, after, PAGE):
        yield from (recorded for recorded in page if recorded.position <= until)
        after = page[-1].position


def width_of(ledger: "SqliteLedger", after: int, until: int) -> int:
    """The width of a bucket of time, so that there are about 60 of them."""
    first, last = ledger.read(after, 1), ledger.at_positions([until])
    span = last[0].recorded_at_ms - first[0].recorded_at_ms if first and last else 0
    return next((width for width in WIDTHS_MS if width * BUCKETS >= span), WIDTHS_MS[-1])


def dropped_events(ledger: "SqliteLedger", drop: Sequence[Asked]) -> list[Recorded]:
    """The events to leave out: by position, or by id. Raises InvalidValue."""
    found: list[Recorded] = []
    for one in drop:
        event = ledger.at_positions([position_of(ledger, one).position])
        if not event:
            raise InvalidValue("drop", one, "the position or the id of an event of this log")
        found += event
    return found
