"""The state of an effect, and how events change it. Appliers only assign."""

from dataclasses import dataclass, field
from enum import StrEnum

from redrive.domain.effect import events as e
from redrive.domain.effect.request import EffectRequest
from redrive.domain.event import Evolve
from redrive.domain.failure import POLICY_WITHHELD, Failure
from redrive.domain.identity import DeadLetterId, EffectId, NodeId, RunId, Tenant
from redrive.domain.values import JsonValue


class EffectStatus(StrEnum):
    """Where an effect stands."""

    INTENDED = "intended"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    WITHHELD = "withheld"


@dataclass(slots=True)
class Effect:
    """An action on the outside world. *run*, *node*, *lifetime*, *epoch* and *holder* are those of the last try;
    *reports* remembers every outcome by try, so that the same report again is no news; *digests* what each try asked
    for, *done_digest* what the one that succeeded asked for."""

    tenant: Tenant = field(default_factory=Tenant)
    id: EffectId = EffectId("")
    run: RunId = RunId("")
    automation: str = ""
    node: NodeId = NodeId("")
    request: EffectRequest | None = None
    status: EffectStatus = EffectStatus.INTENDED
    tries: int = 0
    lifetime: int = 0
    epoch: int = 0
    holder: str = ""
    expires_at_ms: int | None = None
    receipt: JsonValue = None
    receipt_digest: str | None = None
    failure: Failure | None = None
    did_not_happen: bool = False
    dead_letters: dict[DeadLetterId, None] = field(default_factory=dict)
    reports: set[tuple[int, str, str]] = field(default_factory=set)
    digests: dict[int, str] = field(default_factory=dict)
    done_digest: str = ""
    version: int = 0

    @property
    def correlation(self) -> str:
        """What its events belong to: the run of its last try, or itself outside runs."""
        return self.run or self.id

    @property
    def key(self) -> str:
        """What names it within its scope."""
        return self.request.key if self.request else ""

    @property
    def operation(self) -> str:
        """What it does."""
        return self.request.operation if self.request else ""


evolve: Evolve[Effect] = Evolve()


@evolve.on(e.EffectIntended)
def _intended(effect: Effect, event: e.EffectIntended) -> None:
    _describe(effect, event)
    effect.status, effect.tries = EffectStatus.INTENDED, event.try_number
    effect.epoch, effect.holder, effect.expires_at_ms = event.epoch, event.holder, event.expires_at_ms
    effect.failure, effect.did_not_happen = None, False
    effect.digests[event.try_number] = event.request.digest


@evolve.on(e.EffectWithheld)
def _withheld(effect: Effect, event: e.EffectWithheld) -> None:
    _describe(effect, event)
    effect.status, effect.failure, effect.expires_at_ms = EffectStatus.WITHHELD, withheld_failure(event.why), None


@evolve.on(e.EffectSucceeded)
def _succeeded(effect: Effect, event: e.EffectSucceeded) -> None:
    effect.reports.add((event.try_number, "succeeded", event.receipt_digest))
    if effect.status is not EffectStatus.SUCCEEDED:
        _succeed(effect, event.try_number, event.receipt, event.receipt_digest)


@evolve.on(e.EffectFailed)
def _failed(effect: Effect, event: e.EffectFailed) -> None:
    effect.reports.add((event.try_number, "failed", report_digest(event.failure)))
    if _moves(effect, event.try_number):
        effect.status, effect.failure, effect.expires_at_ms = EffectStatus.FAILED, event.failure, None


@evolve.on(e.EffectOutcomeUnknown)
def _unknown(effect: Effect, event: e.EffectOutcomeUnknown) -> None:
    effect.reports.add((event.try_number, "unknown", report_digest(event.failure)))
    if _moves(effect, event.try_number):
        effect.status, effect.failure, effect.expires_at_ms = EffectStatus.UNKNOWN, event.failure, None


@evolve.on(e.EffectReconciled)
def _reconciled(effect: Effect, event: e.EffectReconciled) -> None:
    if event.outcome == "succeeded":
        _succeed(effect, event.try_number, event.receipt, event.receipt_digest)
    elif event.outcome == "did_not_happen":
        effect.status, effect.did_not_happen = EffectStatus.FAILED, True


@evolve.on(e.EffectDeadLetterLinked)
def _linked(effect: Effect, event: e.EffectDeadLetterLinked) -> None:
    effect.dead_letters[event.dead_letter] = None


def withheld_failure(why: str) -> Failure:
    """How an effect fails, and the attempt that wants it, when the host's gate said no."""
    return Failure(POLICY_WITHHELD, why, kind="gate")


def report_digest(failure: Failure) -> str:
    """The mark by which the same report of a failure is known again."""
    return f"{failure.failure_class}:{failure.kind or ''}:{failure.reason}"


def _moves(effect: Effect, try_number: int) -> bool:
    """Whether an outcome of this try says something about the effect: an older one does not, nor any after success."""
    return try_number == effect.tries and effect.status in (EffectStatus.INTENDED, EffectStatus.UNKNOWN)


def _succeed(effect: Effect, try_number: int, receipt: JsonValue, receipt_digest: str | None) -> None:
    effect.status, effect.failure, effect.expires_at_ms = EffectStatus.SUCCEEDED, None, None
    effect.receipt, effect.receipt_digest = receipt, receipt_digest
    effect.done_digest = effect.digests.get(try_number, "")


def _describe(effect: Effect, event: e.EffectIntended | e.EffectWithheld) -> None:
    effect.id, effect.automation, effect.request = event.effect, event.automation, event.request
    effect.run, effect.node = event.run or RunId(""), event.node or NodeId("")
    effect.lifetime = event.lifetime
