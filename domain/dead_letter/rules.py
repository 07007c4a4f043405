"""What may be done with a dead letter: opening, recurring, the operator's choices, and a success that answers it."""

from dataclasses import dataclass

from redrive.domain.dead_letter import events as e
from redrive.domain.dead_letter.state import SETTLED, DeadLetter, Disposition
from redrive.domain.effect.state import Effect, EffectStatus
from redrive.domain.errors import BudgetSpent, InFlight, NotAllowed, RetryUnavailable
from redrive.domain.event import Event
from redrive.domain.failure import Failure, fingerprint_of
from redrive.domain.identity import CompensationId, DeadLetterId, NodeId, RunId
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.retry_policy import RetryDecision, Verdict
from redrive.domain.run.state import FINAL, NodeStatus, Run
from redrive.domain.values import clean_integer

MAX_GRANT = 100


def open_dead_letter(run: Run, node: NodeId, id_: DeadLetterId, decision: RetryDecision) -> e.DeadLetterOpened:
    """The dead letter of a node's final failure, or of an approval's expiry."""
    return e.DeadLetterOpened(
        dead_letter=id_,
        run=run.id,
        automation=run.automation,
        node=node,
        effect=None,
        effect_key="",
        source="node" if run.flow.nodes[node].approval is None else "stateful_wait",
        failure=decision.failure,
        fingerprint=fingerprint_of(decision.failure),
        verdict=decision.verdict,
        override_allowed=decision.override_allowed,
        number=decision.number,
        lifetime=decision.lifetime,
        generation=run.generation,
        opened_at_ms=decision.decided_at_ms,
    )


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why an effect gets a dead letter: its *failure*, and the attempt and decision that made it final."""

    failure: Failure
    verdict: Verdict
    number: int
    lifetime: int
    generation: int
    decided_at_ms: int
    override_allowed: bool = True


def grounds_of(run: Run, decision: RetryDecision, failure: Failure) -> Grounds:
    """*failure* of an effect, made final by *decision* about its node."""
    return Grounds(
        failure, decision.verdict, decision.number, decision.lifetime, run.generation, decision.decided_at_ms,
        decision.override_allowed,
    )  # fmt: skip


def open_effect_letter(effect: Effect, id_: DeadLetterId, run: Run | None, grounds: Grounds) -> e.DeadLetterOpened:
    """The dead letter of an effect that failed, or whose outcome nobody knows; *run* is None outside runs."""
    return e.DeadLetterOpened(
        dead_letter=id_,
        run=RunId("") if run is None else run.id,
        automation=effect.automation,
        node=effect.node,
        effect=effect.id,
        effect_key=effect.key,
        source="tool_effect",
        failure=grounds.failure,
        fingerprint=fingerprint_of(grounds.failure),
        verdict=grounds.verdict,
        override_allowed=grounds.override_allowed,
        number=grounds.number,
        lifetime=grounds.lifetime,
        generation=grounds.generation,
        opened_at_ms=grounds.decided_at_ms,
    )


def recur(dl: DeadLetter, run: Run, decision: RetryDecision, policy: RedrivePolicy) -> e.DeadLetterRecurred:
    """The same node failed for good again; see ``recur_on``."""
    return recur_on(dl, grounds_of(run, decision, decision.failure), policy)


def recur_on(dl: DeadLetter, grounds: Grounds, policy: RedrivePolicy, *, ends: bool = False) -> e.DeadLetterRecurred:
    """It failed for good again. Retrying goes on unless the failure is not retryable, *policy* says so, or *ends* (an
    effect whose outcome is unknown is not retried); what was settled before the attempt started opens again; parked
    stays parked."""
    status, renewed = dl.status, False
    if dl.status is Disposition.RETRYING:
        if ends or grounds.verdict is Verdict.NOT_RETRYABLE or not policy.continue_after_recurrence:
            status = Disposition.OPEN
    elif dl.status is Disposition.RETRY_REQUESTED and ends:
        status = Disposition.OPEN
    elif dl.settled and grounds.lifetime > dl.settled_lifetime:
        status, renewed = Disposition.OPEN, dl.resolution == "retry_succeeded"
    return e.DeadLetterRecurred(
        failure=grounds.failure,
        fingerprint=fingerprint_of(grounds.failure),
        verdict=grounds.verdict,
        number=grounds.number,
        lifetime=grounds.lifetime,
        generation=grounds.generation,
        recurred_at_ms=grounds.decided_at_ms,
        status=status,
        renewed=renewed,
        policy=policy.id,
    )


def succeed(dl: DeadLetter, lifetime: int) -> list[Event]:
    """The node succeeded: resolves the dead letter, or is noted on a settled one."""
    if not dl.settled:
        return [e.DeadLetterResolved(disposition="retry_succeeded", lifetime=lifetime)]
    return [] if dl.superseded else [e.DeadLetterSuperseded(lifetime=lifetime)]


def why_no_retry(dl: DeadLetter, run: Run | None, effect: Effect | None = None) -> str:
    """Why a retry is not among the options; empty when it is. *effect* is the one it is about, if any."""
    if not dl.run:
        return "its effect belongs to no run"
    if run is None:
        return "its run is unknown"
    if run.status in FINAL:
        return f"its run is {run.status}"
    if dl.source == "stateful_wait":
        return "an expired approval cannot be retried"
    if not dl.override_allowed:
        return "the retry policy forbids a manual override"
    node = run.nodes.get(dl.node)
    if node is not None and node.status is NodeStatus.SUCCEEDED:
        return "its node succeeded"
    if effect is not None and effect.status is EffectStatus.UNKNOWN:
        return "the outcome of its effect is unknown: reconcile it first"
    if effect is not None and effect.status is EffectStatus.SUCCEEDED:
        return "its effect succeeded"
    return ""


def budget_of(dl: DeadLetter, policy: RedrivePolicy) -> int:
    """How many dispatches are allowed in all."""
    return policy.max_dispatches + dl.granted


def request_retry(
    dl: DeadLetter, run: Run | None, policy: RedrivePolicy, *, now_ms: int, effect: Effect | None = None
) -> Event:
    """Ask the sweep to do the work again. Raises NotAllowed, RetryUnavailable, BudgetSpent."""
    if dl.status is Disposition.PARKED or (dl.status is Disposition.OPEN and dl.dispatches >= budget_of(dl, policy)):
        raise BudgetSpent(dl.id, dispatches=dl.dispatches, budget=budget_of(dl, policy))
    if dl.status is not Disposition.OPEN:
        raise NotAllowed("retry", f"dead letter {dl.id}", _stands(dl))
    if why := why_no_retry(dl, run, effect):
        raise RetryUnavailable(dl.id, why)
    return e.DeadLetterRetryRequested(requested_at_ms=now_ms)


def grant_retries(dl: DeadLetter, run: Run | None, granted: int, *, now_ms: int, effect: Effect | None = None) -> Event:
    """Allow *granted* more dispatches; open or parked becomes retry_requested. Raises NotAllowed, RetryUnavailable."""
    clean_integer(granted, "granted", 1, MAX_GRANT)
    _require_unsettled(dl, "grant retries to")
    if why := why_no_retry(dl, run, effect):
        raise RetryUnavailable(dl.id, why)
    return e.RetryBudgetGranted(granted=granted, granted_at_ms=now_ms)


def ignore(dl: DeadLetter, run: Run | None, effect: Effect | None = None) -> Event:
    """Decide that it does not matter. Raises NotAllowed when it is settled."""
    _require_unsettled(dl, "ignore")
    return e.DeadLetterIgnored(lifetime=_last_started(dl, run, effect))


def abandon(dl: DeadLetter, run: Run | None, effect: Effect | None = None) -> Event:
    """Give the work up. Raises NotAllowed when it is settled."""
    _require_unsettled(dl, "abandon")
    return e.DeadLetterAbandoned(lifetime=_last_started(dl, run, effect))


def resolve(dl: DeadLetter, run: Run | None, effect: Effect | None = None) -> Event:
    """Say that the work was done otherwise. Raises NotAllowed when it is settled."""
    _require_unsettled(dl, "resolve")
    return e.DeadLetterResolved(disposition="resolved_by_operator", lifetime=_last_started(dl, run, effect))


def link_compensation(dl: DeadLetter, run: Run | None, compensation: CompensationId, effect: Effect) -> Event:
    """Make good for it instead of doing it. Raises NotAllowed when it is settled, InFlight while the effect is being
    sent again: what it is to make good for may be happening."""
    _require_unsettled(dl, "compensate")
    if effect.status is EffectStatus.INTENDED:
        raise InFlight(effect.id, effect.holder)
    return e.DeadLetterLinkedToCompensation(compensation=compensation, lifetime=_last_started(dl, run, effect))


def reopen(dl: DeadLetter) -> Event:
    """Put a settled one back; only a success renewed its budget. Raises NotAllowed when it is not settled."""
    if dl.status not in SETTLED:
        raise NotAllowed("reopen", f"dead letter {dl.id}", _stands(dl))
    return e.DeadLetterReopened(renewed=dl.status is Disposition.RESOLVED and dl.resolution == "retry_succeeded")


def _require_unsettled(dl: DeadLetter, command: str) -> None:
    if dl.settled:
        raise NotAllowed(command, f"dead letter {dl.id}", _stands(dl))


def _stands(dl: DeadLetter) -> str:
    return f"it is {dl.status.replace('_', ' ')}"


def _last_started(dl: DeadLetter, run: Run | None, effect: Effect | None) -> int:
    """The last attempt that has started; outside runs, the last try of the effect."""
    if not dl.run:
        return effect.tries if effect else dl.lifetime
    node = run.nodes.get(dl.node) if run else None
    return node.lifetime if node else dl.lifetime
