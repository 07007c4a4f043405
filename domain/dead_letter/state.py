"""The state of a dead letter, and how events change it. Appliers only assign."""

from dataclasses import dataclass, field
from enum import StrEnum

from redrive.domain.dead_letter import events as e
from redrive.domain.event import Evolve
from redrive.domain.failure import Failure
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, NodeId, RunId, Tenant


class Disposition(StrEnum):
    """Where a dead letter stands."""

    OPEN = "open"
    RETRY_REQUESTED = "retry_requested"
    RETRYING = "retrying"
    PARKED = "parked"
    RESOLVED = "resolved"
    IGNORED = "ignored"
    ABANDONED = "abandoned"
    LINKED = "linked_to_compensation"


SETTLED = frozenset({Disposition.RESOLVED, Disposition.IGNORED, Disposition.ABANDONED, Disposition.LINKED})
REDRIVING = frozenset({Disposition.RETRY_REQUESTED, Disposition.RETRYING})


@dataclass(slots=True)
class DeadLetter:
    """One failure of a node or of an effect, with its recurrences and dispositions.

    *settled_lifetime* is the last attempt that had started when it was settled: only a later one can open it again.
    *granted* adds to the policy's budget; *resolution* tells a success from an operator's word.
    """

    tenant: Tenant = field(default_factory=Tenant)
    id: DeadLetterId = DeadLetterId("")
    run: RunId = RunId("")
    automation: str = ""
    node: NodeId = NodeId("")
    source: e.Source = "node"
    effect: EffectId | None = None
    effect_key: str = ""
    compensation: CompensationId | None = None
    status: Disposition = Disposition.OPEN
    failure: Failure | None = None
    fingerprint: str = ""
    override_allowed: bool = True
    opened_at_ms: int = 0
    lifetime: int = 0
    recurrences: int = 0
    dispatches: int = 0
    granted: int = 0
    not_before_ms: int = 0
    settled_lifetime: int = 0
    resolution: str = ""
    held: e.DeadLetterHeld | None = None
    superseded: bool = False
    version: int = 0

    @property
    def correlation(self) -> str:
        """What its events belong to: its run, or its effect where there is none."""
        return self.run or self.effect or self.id

    @property
    def settled(self) -> bool:
        """Resolved, ignored, abandoned or linked to a compensation."""
        return self.status in SETTLED


evolve: Evolve[DeadLetter] = Evolve()
evolve.inert(e.DeadLetterNoted)


@evolve.on(e.DeadLetterOpened)
def _opened(dl: DeadLetter, event: e.DeadLetterOpened) -> None:
    dl.id, dl.run, dl.automation, dl.node = event.dead_letter, event.run, event.automation, event.node
    dl.source, dl.override_allowed, dl.opened_at_ms = event.source, event.override_allowed, event.opened_at_ms
    dl.effect, dl.effect_key = event.effect, event.effect_key
    dl.failure, dl.fingerprint, dl.lifetime = event.failure, event.fingerprint, event.lifetime


@evolve.on(e.DeadLetterRecurred)
def _recurred(dl: DeadLetter, event: e.DeadLetterRecurred) -> None:
    dl.failure, dl.fingerprint, dl.lifetime = event.failure, event.fingerprint, event.lifetime
    dl.recurrences += 1
    if dl.settled and event.status == Disposition.OPEN:
        dl.superseded = False
    dl.status, dl.held = Disposition(event.status), None
    if event.renewed:
        _renew(dl)


@evolve.on(e.DeadLetterRetryRequested)
def _requested(dl: DeadLetter, _event: e.DeadLetterRetryRequested) -> None:
    dl.status, dl.held = Disposition.RETRY_REQUESTED, None


@evolve.on(e.DeadLetterRetryDispatched)
def _dispatched(dl: DeadLetter, event: e.DeadLetterRetryDispatched) -> None:
    dl.status, dl.held = Disposition.RETRYING, None
    dl.dispatches, dl.not_before_ms = event.count, event.not_before_ms


@evolve.on(e.RetryExhausted)
def _exhausted(dl: DeadLetter, _event: e.RetryExhausted) -> None:
    dl.status = Disposition.PARKED


@evolve.on(e.RetryBudgetGranted)
def _granted(dl: DeadLetter, event: e.RetryBudgetGranted) -> None:
    dl.granted += event.granted
    dl.held = None
    if dl.status in (Disposition.OPEN, Disposition.PARKED):
        dl.status = Disposition.RETRY_REQUESTED


@evolve.on(e.DeadLetterHeld)
def _held(dl: DeadLetter, event: e.DeadLetterHeld) -> None:
    dl.held = event


@evolve.on(e.DeadLetterSuperseded)
def _superseded(dl: DeadLetter, _event: e.DeadLetterSuperseded) -> None:
    dl.superseded = True


@evolve.on(e.DeadLetterResolved)
def _resolved(dl: DeadLetter, event: e.DeadLetterResolved) -> None:
    _settle(dl, Disposition.RESOLVED, event.lifetime)
    dl.resolution = event.disposition


@evolve.on(e.DeadLetterIgnored)
def _ignored(dl: DeadLetter, event: e.DeadLetterIgnored) -> None:
    _settle(dl, Disposition.IGNORED, event.lifetime)


@evolve.on(e.DeadLetterAbandoned)
def _abandoned(dl: DeadLetter, event: e.DeadLetterAbandoned) -> None:
    _settle(dl, Disposition.ABANDONED, event.lifetime)


@evolve.on(e.DeadLetterLinkedToCompensation)
def _linked(dl: DeadLetter, event: e.DeadLetterLinkedToCompensation) -> None:
    _settle(dl, Disposition.LINKED, event.lifetime)
    dl.compensation = event.compensation


@evolve.on(e.DeadLetterReopened)
def _reopened(dl: DeadLetter, event: e.DeadLetterReopened) -> None:
    dl.status, dl.superseded, dl.held = Disposition.OPEN, False, None
    if event.renewed:
        _renew(dl)


def _settle(dl: DeadLetter, status: Disposition, lifetime: int) -> None:
    dl.status, dl.settled_lifetime, dl.held = status, lifetime, None


def _renew(dl: DeadLetter) -> None:
    dl.dispatches = dl.granted = dl.not_before_ms = 0
