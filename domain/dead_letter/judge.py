"""How the sweep judges a dead letter: dispatch, park, resolve, hold, or leave untouched.

Why: docs/explanation/dead-letters.md.
"""

from dataclasses import dataclass
from enum import StrEnum

from redrive.domain.dead_letter import events as e
from redrive.domain.dead_letter.rules import budget_of, why_no_retry
from redrive.domain.dead_letter.state import REDRIVING, DeadLetter
from redrive.domain.effect.state import Effect, EffectStatus
from redrive.domain.flow import dependants
from redrive.domain.identity import NodeId
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.run.control import can_restart
from redrive.domain.run.state import NodeStatus, Run


class Act(StrEnum):
    """What the sweep does with a dead letter."""

    DISPATCH = "dispatch"
    PARK = "park"
    RESOLVE = "resolve"
    HOLD = "hold"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Judgement:
    """An act, and why."""

    act: Act
    why: str


def judge(
    dl: DeadLetter, run: Run | None, policy: RedrivePolicy, *, now_ms: int, effect: Effect | None = None
) -> Judgement:
    """Judge *dl* in the order that the contract fixes; the first match wins. *effect* is the one it is about."""
    if dl.status not in REDRIVING or dl.source == "stateful_wait":
        return Judgement(Act.SKIP, f"it is {dl.status}, of a {dl.source}")
    if run is None:
        return Judgement(Act.HOLD, "unknown run")
    if run.tenant != dl.tenant:
        return Judgement(Act.SKIP, "another tenant's run")
    if why := _superseded(dl, run, effect):
        return Judgement(Act.RESOLVE, why)
    if why := why_no_retry(dl, run, effect):
        return Judgement(Act.SKIP, why)
    if not run.redrivable:
        return Judgement(Act.SKIP, "a pause was requested" if run.pause_requested else f"the run is {run.status}")
    if dl.dispatches >= budget_of(dl, policy):
        return Judgement(Act.PARK, "the dispatch budget is spent")
    if now_ms < dl.not_before_ms:
        return Judgement(Act.SKIP, f"its backoff ends at {dl.not_before_ms}")
    if dl.node not in run.nodes:
        return Judgement(Act.HOLD, "no root in the graph")
    return Judgement(Act.DISPATCH, "due")


def _superseded(dl: DeadLetter, run: Run, effect: Effect | None) -> str:
    """Which success answers it; empty when there is none."""
    node = run.nodes.get(dl.node)
    if dl.source == "node" and node is not None and node.status is NodeStatus.SUCCEEDED:
        return "its node succeeded"
    return "its effect succeeded" if effect is not None and effect.status is EffectStatus.SUCCEEDED else ""


def stuck(run: Run, roots: list[NodeId]) -> list[NodeId]:
    """Those of *roots* that could not start after being reset together: a parent outside has not succeeded."""
    reached = set(dependants(run.flow.children, [root for root in roots if can_restart(run, root)]))
    return [root for root in roots if root not in reached]


def dispatch(dl: DeadLetter, policy: RedrivePolicy, *, generation: int, now_ms: int) -> e.DeadLetterRetryDispatched:
    """The dispatch of *dl* in the requeue that starts *generation*, and when the next may come."""
    count = dl.dispatches + 1
    delay = policy.delay_ms(count)
    return e.DeadLetterRetryDispatched(
        count=count,
        budget=budget_of(dl, policy),
        generation=generation,
        dispatched_at_ms=now_ms,
        backoff_ms=delay,
        not_before_ms=now_ms + delay,
        policy=policy.id,
    )


def park(dl: DeadLetter, policy: RedrivePolicy) -> e.RetryExhausted:
    """The end of automatic redrives of *dl*."""
    return e.RetryExhausted(dispatches=dl.dispatches, budget=budget_of(dl, policy), policy=policy.id)
