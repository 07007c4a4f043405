"""Which command wrote an event, with which inputs: so that the ordinary code can be asked again.

Every command here is that of ``processes`` or a rule of ``domain``; its arguments are read from the log.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redrive.domain.dead_letter import events as de
from redrive.domain.event import Event, Recorded, UnknownEvent
from redrive.domain.identity import DeadLetterId, PolicyId, RunId, Tenant
from redrive.domain.ports import Transaction
from redrive.domain.records import RECORDS
from redrive.domain.run import events as e
from redrive.domain.run import wait_events as w
from redrive.domain.run.attempts import AttemptId, start_attempt
from redrive.domain.run.claims import claim_run, release_claim, renew_lease
from redrive.domain.run.state import Run
from redrive.domain.run.stateful_waits import begin_ready
from redrive.domain.values import JsonValue
from redrive.processes import compensations, intake, operations, reports, timers
from redrive.processes.leases import reclaiming
from redrive.processes.letters import PolicyOf
from redrive.processes.sweep import redriving

Command = Callable[[Transaction], object]


class NoClassifier:
    """Stands for the classifier: which one classified a failure is part of the recorded failure."""

    id = PolicyId("")

    def document(self) -> JsonValue:
        """Nothing."""
        return None


@dataclass(frozen=True, slots=True)
class Rule:
    """A command that can be run again; *name* is what reports count it under."""

    name: str
    command: Command


@dataclass(frozen=True, slots=True)
class Given:
    """An event that no rule decides by recorded inputs alone, and why; it is taken as it is."""

    why: str


Making = Callable[[Recorded, Any, PolicyOf], Rule | Given]
_MAKING: dict[type[Event], Making] = {}
INPUT = Given("what somebody said, or set: an input")


def command_of(together: Sequence[Recorded], at: int, policy_of: PolicyOf) -> Rule | Given | None:
    """The command that wrote *together* from index *at* on; None: no command begins with that event."""
    recorded = together[at]
    last = together[-1]
    if at == 0 and last.event.__class__ is e.RunCancelled:  # what it loses comes first
        return Rule("cancel", operations.cancelling(RunId(last.stream), policy_of))
    if at == 0 and last.event.__class__ is de.DeadLetterLinkedToCompensation:
        return Rule("compensate", compensations.choosing(DeadLetterId(last.stream), None))
    event = recorded.event
    if isinstance(event, UnknownEvent):
        return None
    if (plain := _PLAIN.get(event.__class__)) is not None:
        name, command = plain
        return Rule(name, command(recorded.stream, event, policy_of))
    making = _MAKING.get(event.__class__)
    return None if making is None else making(recorded, event, policy_of)


def by(*classes: type[Event]) -> Callable[[Making], Making]:
    """Register what makes the command that begins with an event of *classes*."""

    def register(making: Making) -> Making:
        for cls in classes:
            _MAKING[cls] = making
        return making

    return register


def attempt_of(run: str, event: Any) -> AttemptId:
    """The attempt that *event* of *run* is about."""
    return AttemptId(RunId(run), event.node, event.number, event.lifetime, event.epoch)


_PLAIN: dict[type[Event], tuple[str, Callable[[str, Any, PolicyOf], Command]]] = {
    e.AttemptSucceeded: (
        "complete",
        lambda id_, event, of: reports.completing(attempt_of(id_, event), event.output, of),
    ),
    e.AttemptFailed: (
        "fail",
        lambda id_, event, of: reports.failing(attempt_of(id_, event), event.decision.failure, of, NoClassifier()),
    ),
    e.AttemptSnoozed: ("snooze", lambda id_, event, _: reports.snoozing(attempt_of(id_, event), event.delay_ms)),
    e.RunPauseRequested: ("pause", lambda id_, _event, _: operations.pausing(RunId(id_))),
    e.RunResumed: ("resume", lambda id_, _event, _: operations.resuming(RunId(id_))),
    w.ApprovalGiven: ("approve", lambda id_, event, _: operations.approving(RunId(id_), event.node)),
    w.ApprovalDenied: ("deny", lambda id_, event, _: operations.denying(RunId(id_), event.node)),
    w.WaitEnded: ("end wait", lambda id_, _event, of: timers.ending(RunId(id_), of)),
    w.ApprovalExpired: ("end wait", lambda id_, _event, of: timers.ending(RunId(id_), of)),
    de.DeadLetterRetryRequested: (
        "request retry",
        lambda id_, _event, of: operations.requesting_retry(DeadLetterId(id_), of, None),
    ),
    de.RetryBudgetGranted: (
        "grant retries",
        lambda id_, event, _: operations.granting_retries(DeadLetterId(id_), event.granted, None),
    ),
    de.DeadLetterIgnored: ("ignore", lambda id_, _event, _: operations.ignoring(DeadLetterId(id_), None)),
    de.DeadLetterAbandoned: ("abandon", lambda id_, _event, _: operations.abandoning(DeadLetterId(id_), None)),
    de.DeadLetterReopened: ("reopen", lambda id_, _event, _: operations.reopening(DeadLetterId(id_), None)),
}
"""The commands that follow from the id of their stream and the event alone, with what reports count them under."""


@by(e.NoteAdded, de.DeadLetterNoted, *RECORDS)
def _input(_recorded: Recorded, _event: Event, _policy_of: PolicyOf) -> Given:
    return INPUT


def on_run(run: str, rule: Callable[[Run, int], Sequence[Event]]) -> Command:
    """A command that appends to a run what *rule* makes of it and the time."""

    def command(tx: Transaction) -> None:
        found = tx.run(RunId(run))
        tx.append_run(found, *rule(found, tx.now_ms))

    return command


@by(e.RunSubmitted)
def _submitted(recorded: Recorded, event: e.RunSubmitted, _policy_of: PolicyOf) -> Rule:
    return Rule("submit", submitting(recorded.tenant, event))


def submitting(tenant: Tenant, event: e.RunSubmitted) -> Command:
    """A run is submitted again: one with a key through intake; the id of one without was rolled."""

    def submit(tx: Any) -> None:
        flow = tx.flow(tenant, event.flow, event.automation)
        if event.key is not None:
            intake.submission(tenant, flow, event.automation, event.key, event.input)(tx)
            return
        run = tx.begin_run(tenant, flow, event, event.run)
        tx.append_run(run, *begin_ready(run, now_ms=tx.now_ms))

    return submit


@by(e.RunClaimed)
def _claimed(recorded: Recorded, event: e.RunClaimed, _policy_of: PolicyOf) -> Rule:
    def rule(run: Run, now_ms: int) -> Sequence[Event]:
        return [
            claim_run(
                run, worker=event.worker, holder=event.holder, lease_ms=event.lease_ms, now_ms=now_ms,
                limits=event.limits,
            )
        ]  # fmt: skip

    return Rule("claim", on_run(recorded.stream, rule))


@by(e.AttemptStarted)
def _started(recorded: Recorded, event: e.AttemptStarted, _policy_of: PolicyOf) -> Rule:
    def rule(run: Run, now_ms: int) -> Sequence[Event]:
        return [start_attempt(run, event.node, epoch=event.epoch, now_ms=now_ms, limits=event.limits)]

    return Rule("start", on_run(recorded.stream, rule))


@by(e.LeaseRenewed)
def _renewed(recorded: Recorded, event: e.LeaseRenewed, _policy_of: PolicyOf) -> Rule:
    lease_ms = event.expires_at_ms - recorded.occurred_at_ms

    def rule(run: Run, now_ms: int) -> Sequence[Event]:
        return renew_lease(run, event.epoch, lease_ms=lease_ms, now_ms=now_ms)

    return Rule("renew", on_run(recorded.stream, rule))


@by(e.ClaimReleased)
def _released(recorded: Recorded, event: e.ClaimReleased, _policy_of: PolicyOf) -> Rule:
    def rule(run: Run, now_ms: int) -> Sequence[Event]:
        return release_claim(run, event.epoch, now_ms=now_ms, no_handler=event.why == "no_handler")

    return Rule("release", on_run(recorded.stream, rule))


@by(e.ClaimAbandoned)
def _abandoned(recorded: Recorded, event: e.ClaimAbandoned, policy_of: PolicyOf) -> Rule:
    def reclaim(tx: Transaction) -> None:
        claim = tx.run(RunId(recorded.stream)).claim
        gone = claim.holder if claim is not None and event.why == "process_gone" else None
        reclaiming(RunId(recorded.stream), policy_of, gone)(tx)

    return Rule("reclaim", reclaim)


@by(e.RunQueued)
def _queued(_recorded: Recorded, event: e.RunQueued, _policy_of: PolicyOf) -> Rule | Given:
    if event.limits:
        return Given("a run put in line: what the limits had room for is not in the log")
    return Given("a run queued by a rule that wrote nothing else")


@by(e.RunRequeued)
def _requeued(recorded: Recorded, event: e.RunRequeued, policy_of: PolicyOf) -> Rule:
    if event.cause == "redrive":
        return Rule("sweep", redriving(RunId(recorded.stream), policy_of, recorded.engine))
    return Rule("recover", operations.recovering(RunId(recorded.stream), list(event.roots)))


@by(de.DeadLetterResolved)
def _resolved(recorded: Recorded, event: de.DeadLetterResolved, policy_of: PolicyOf) -> Rule | Given:
    if event.disposition == "resolved_by_operator":
        return Rule("resolve", operations.resolving(DeadLetterId(recorded.stream), None))
    return _swept(recorded, event, policy_of)


@by(de.RetryExhausted, de.DeadLetterHeld)
def _swept(recorded: Recorded, _event: Event, policy_of: PolicyOf) -> Rule:
    def sweep(tx: Transaction) -> None:
        dl = tx.dead_letter(DeadLetterId(recorded.stream))
        redriving(dl.run, policy_of, recorded.engine)(tx)

    return Rule("sweep", sweep)
