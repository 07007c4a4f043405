"""The flows that simulated runs have: small, and of every kind that behaves in its own way."""

from functools import lru_cache

from redrive.domain.flow import Flow, Node
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.retry_policy import Backoff, Mode, RetryPolicy, Strategy, TerminalBehavior
from redrive.domain.stateful_wait import Approval, Wait

RESOURCE, PROVIDER = "press", "mailer"
POISON, PAY, APPROVAL = "poison", "pay", "ok"


def _policy(attempts: int, mode: str, delay_ms: int = 0) -> RetryPolicy:
    backoff = Backoff(strategy=Strategy.FIXED, initial_delay_ms=delay_ms) if delay_ms else Backoff()
    terminal = TerminalBehavior(mode=Mode(mode))
    return RetryPolicy(max_attempts=attempts, backoff=backoff, terminal_behavior=terminal)


@lru_cache(maxsize=1)
def flows() -> tuple[Flow, ...]:
    """Made once: equal in every simulation."""
    letter, fail, review = _policy(2, "dead_letter", 50), _policy(1, "fail_run"), _policy(2, "pause_for_review")
    once = _policy(1, "dead_letter")
    return (
        Flow([Node("a", retry=once)]),
        Flow([Node("a", retry=letter), Node("b", after=["a"], retry=fail, resource=RESOURCE)]),
        Flow([Node(PAY, retry=letter, resource=RESOURCE), Node("b", after=[PAY], retry=once)]),
        Flow([Node(f"{PAY}1", retry=once), Node(f"{PAY}2", retry=review, provider=PROVIDER), Node("c", retry=fail)]),
        Flow(
            [
                Node("a", retry=once, resource=RESOURCE),
                Node("b", after=["a"], retry=letter, provider=PROVIDER),
                Node(f"{PAY}3", after=["a"], retry=letter, resource=RESOURCE),
                Node("d", after=["b", f"{PAY}3"], retry=review),
            ]
        ),
        Flow([Node("a", retry=once), Node(APPROVAL, after=["a"], approval=Approval("go on?", timeout_ms=3_000))]),
        Flow([Node("w", wait=Wait(delay_ms=500)), Node("b", after=["w"], retry=letter, resource=RESOURCE)]),
    )


POLICIES = {
    "strict": RedrivePolicy(max_dispatches=1, base_delay_ms=100, max_delay_ms=1_000),
    "patient": RedrivePolicy(max_dispatches=3, base_delay_ms=100, max_delay_ms=1_000),
}
"""By the automation of a run: budgets that are soon spent."""


def policy_of(automation: str) -> RedrivePolicy:
    """How often, and how soon, the dead letters of an automation are dispatched."""
    return POLICIES.get(automation, POLICIES["patient"])


@lru_cache(maxsize=1)
def poisoned() -> Flow:
    """A flow with a handler that ends its process, beside one that is well."""
    return Flow([Node(POISON, retry=_policy(2, "dead_letter", 50)), Node("a", retry=_policy(2, "dead_letter"))])
