"""Runs with approvals and timed waits."""

from redrive.domain.flow import Flow, Node
from redrive.domain.run import wait_events as w
from redrive.domain.run.state import Run
from redrive.domain.run.stateful_waits import begin_ready
from redrive.domain.stateful_wait import Approval, Wait
from tests.domain.facts import attempt, policy, submitted
from tests.domain.given import Given, given

ASK = Approval("go on?")
SOON = Approval("go on?", timeout_ms=50)


def ask(node: str = "ask", *after: str, mode: str = "fail_run", timeout_ms: int | None = None) -> Node:
    """An approval."""
    return Node(node, after=after, retry=policy(mode=mode), approval=Approval("go on?", timeout_ms))


def rest(node: str = "rest", *after: str, delay_ms: int = 50) -> Node:
    """A timed wait."""
    return Node(node, after=after, wait=Wait(delay_ms=delay_ms))


def begun(*nodes: Node, at: int = 0) -> Given[Run]:
    """A run that was just submitted, with all that follows in the same transaction."""
    start = given(submitted(Flow(nodes)))
    run = start.state
    return Given(start.fold, (*start.events, *begin_ready(run, now_ms=at)))


def yes(node: str = "ask", lifetime: int = 1) -> w.ApprovalGiven:
    """It was approved."""
    return w.ApprovalGiven(node=attempt(node).node, lifetime=lifetime, by="human:ana", given_at_ms=9)
