"""Flows whose nodes judge failures by another policy. The rules that ask them are the ordinary ones."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from pydantic import PrivateAttr

from redrive.domain.dead_letter import events as de
from redrive.domain.event import Event
from redrive.domain.failure import Failure
from redrive.domain.flow import Flow
from redrive.domain.identity import FlowDigest, Tenant
from redrive.domain.retry_policy import RetryDecision, RetryPolicy
from redrive.domain.run import events as e
from redrive.domain.run import wait_events as w
from redrive.forensics.what_if.policy_file import WhatIfPolicy

MOST_FLOWS, MOST_DECISIONS = 256, 256
Judged = e.AttemptFailed | e.AttemptInterrupted | w.ApprovalDenied | w.ApprovalExpired


class OtherRetryPolicy(RetryPolicy):
    """A retry policy that leaves each failure to the one that *choose* names for its class."""

    _decided: Callable[[Failure, int, int, int, int, float], RetryDecision] = PrivateAttr()

    @classmethod
    def choosing(cls, policy: RetryPolicy, choose: Callable[[str], RetryPolicy]) -> "OtherRetryPolicy":
        """Instead of *policy*, what *choose* names."""
        known: dict[str, RetryPolicy] = {}
        other = cls(**policy.model_dump())

        def chosen(failure_class: str) -> RetryPolicy:
            if failure_class not in known:
                known[failure_class] = choose(failure_class)
            return known[failure_class]

        @lru_cache(maxsize=MOST_DECISIONS)
        def decided(
            failure: Failure, number: int, lifetime: int, started_ms: int, now_ms: int, draw: float
        ) -> RetryDecision:
            return chosen(failure.failure_class).decide(
                failure, number=number, lifetime=lifetime, started_ms=started_ms, now_ms=now_ms, draw=draw
            )

        other._decided = decided
        return other

    def decide(
        self, failure: Failure, *, number: int, lifetime: int, started_ms: int, now_ms: int, draw: float
    ) -> RetryDecision:
        """Judge by the policy for the class of *failure*. The same failure is judged when it is looked for what goes
        another way, and on every course of its run: by the same inputs, so the answer is remembered for a while."""
        return self._decided(failure, number, lifetime, started_ms, now_ms, draw)


class OtherFlows:
    """The flows of a log with another policy, by automation. Graph and digest are those that were recorded."""

    def __init__(self, policy: WhatIfPolicy, recorded: Callable[[Tenant, FlowDigest], Flow]) -> None:
        self._policy, self._recorded = policy, recorded
        self._known: OrderedDict[tuple[FlowDigest, str], Flow] = OrderedDict()

    def flow(self, tenant: Tenant, digest: FlowDigest, automation: str) -> Flow:
        """The flow of a run. Raises StreamUnreadable."""
        known = self._known.get((digest, automation))
        if known is None:
            known = self._known[digest, automation] = self._other(self._recorded(tenant, digest), automation)
            if len(self._known) > MOST_FLOWS:
                self._known.popitem(last=False)
        return known

    def _other(self, flow: Flow, automation: str) -> Flow:
        def policy_for(own: RetryPolicy) -> RetryPolicy:
            return OtherRetryPolicy.choosing(own, lambda name: self._policy.retry(automation, name, own))

        by_id = {id_: policy_for(policy) for id_, policy in flow.policies.items()}
        other = Flow(replace(node, retry=by_id[node.retry.id]) for node in flow.nodes.values())
        other.__dict__["digest"] = flow.digest  # the run was submitted with the recorded flow
        return other


def same_course(decided: Event, recorded: Event) -> bool:
    """Whether nothing goes another way, although the policy has another name or other numbers."""
    if decided == recorded:
        return True
    if decided.__class__ is not recorded.__class__:
        return False
    course = _COURSES.get(decided.__class__)
    return course is not None and course(decided) == course(recorded)


def same_decision(decided: RetryDecision, event: Judged) -> bool:
    """Whether *event* goes the same way with another decision in it: ``same_course``, without making that event."""
    of = _of_wait if isinstance(event, (w.ApprovalDenied, w.ApprovalExpired)) else _of_failure
    return of(decided) == of(event.decision)


def _of_failure(decision: RetryDecision) -> tuple[object, ...]:
    final = (decision.mode, decision.override_allowed) if decision.terminal else None
    return decision.failure, decision.verdict, decision.next_retry_at_ms, final


def _of_wait(decision: RetryDecision) -> object:
    return decision.mode


def _of_opening(event: de.DeadLetterOpened) -> object:
    """A retry of an expired approval is never offered, whatever a policy says of overrides."""
    return event.model_copy(update={"override_allowed": True}) if event.source == "stateful_wait" else event


_COURSES: dict[type[Event], Callable[[Any], object]] = {
    e.AttemptFailed: lambda event: (event.node, event.lifetime, _of_failure(event.decision)),
    e.AttemptInterrupted: lambda event: (event.node, event.lifetime, _of_failure(event.decision)),
    w.ApprovalDenied: lambda event: (event.node, event.lifetime, _of_wait(event.decision)),
    w.ApprovalExpired: lambda event: (event.node, event.lifetime, _of_wait(event.decision)),
    e.RetryBackoffScheduled: lambda event: (event.node, event.number, event.retry_after_ms),
    de.DeadLetterOpened: _of_opening,
    de.DeadLetterRetryDispatched: lambda event: (event.count, event.generation, event.not_before_ms),
    de.RetryExhausted: lambda event: event.dispatches,
    de.DeadLetterRecurred: lambda event: event.model_copy(update={"policy": None}),
}
