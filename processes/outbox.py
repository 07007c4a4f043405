"""The outbox: sends an effect once, around the host's own function; the same steps for threads and for asyncio."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from redrive.domain.effect.request import Receipt
from redrive.domain.effect.state import EffectStatus, withheld_failure
from redrive.domain.errors import Conflict, InvalidValue, NotAllowed, StorageError
from redrive.domain.failure import OUTCOME_UNKNOWN, Failure
from redrive.domain.identity import EffectId
from redrive.domain.ports import Caller, Transaction
from redrive.domain.values import cut_text
from redrive.processes import effects, reconciliation
from redrive.processes.effects import EffectCall, EffectStanding, call_of, receipt_of
from redrive.processes.given import takes_nothing
from redrive.processes.handlers import AttemptError, NotSent, Rejected
from redrive.processes.services import Services, worker_principal
from redrive.processes.steps import Commit, InThread, Pause, Step, Steps, drive, drive_async, finished
from redrive.processes.wanted import WantedEffect
from redrive.projections.logs import log

Send: TypeAlias = Callable[..., Any]
"""Does it: a function of the ``EffectCall`` (or of nothing), sync or async, that returns the receipt."""

PAUSES_S = (0.1, 0.5, 2.0)
MAX_WHY_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class Withhold:
    """Return it from the gate to keep an effect from being sent."""

    reason: str

    def __post_init__(self) -> None:
        if not isinstance(self.reason, str):
            raise InvalidValue("reason", self.reason, "a text that says why it is withheld")


@dataclass(frozen=True, slots=True)
class Happened:
    """A reconciler found that the effect was done; *receipt* is what proves it."""

    receipt: Any = None


@dataclass(frozen=True, slots=True)
class DidNotHappen:
    """A reconciler is certain that the effect was not done, and will not be: it may be sent again."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class StillUnknown:
    """A reconciler could not find out."""

    why: str = ""


Gate: TypeAlias = Callable[..., Withhold | Awaitable[Withhold | None] | None]
"""Lets an effect out: a function of the ``EffectCall`` (or of nothing), sync or async, of None or Withhold(reason)."""

Found: TypeAlias = Happened | DidNotHappen | StillUnknown
"""What a reconciler answers."""

Reconciler: TypeAlias = Callable[[EffectCall], Found | Awaitable[Found]]
"""Finds out what became of an effect: a function, sync or async, of Happened, DidNotHappen or StillUnknown."""


class Outbox:
    """Sends effects with the engine's gate and the reconcilers of its host."""

    def __init__(self, services: Services, reconcilers: Mapping[str, Reconciler]) -> None:
        self._services = services
        self._reconcilers = reconcilers

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an Attempt stays in the process that has its log open: pass on what it holds, as its run_input"
        )

    def perform(self, wanted: WantedEffect, holder: str, send: Send, caller: Caller | None = None) -> Any:
        """Send *wanted* unless it was done; the stored receipt. For what it raises see ``Attempt.effect``."""
        return drive(self._services.ledger, self._steps(wanted, holder, send, caller))

    async def perform_async(
        self,
        wanted: WantedEffect,
        holder: str,
        send: Send,
        caller: Caller | None = None,
        in_thread: InThread = asyncio.to_thread,
    ) -> Any:
        """As ``perform``; commits run *in_thread*, *send* and the reconciler may be coroutine functions."""
        return await drive_async(self._services.ledger, self._steps(wanted, holder, send, caller), in_thread)

    def reconcile(self, id_: EffectId, caller: Caller) -> EffectStanding:
        """Ask the reconciler for the operation of an effect whose outcome is unknown. Raises NotFound, NotAllowed."""
        call = self._services.ledger.transact(caller, reconciliation.looking_up(id_))
        _require_at_once(call, EffectCall)
        if call.operation not in self._reconcilers:
            raise NotAllowed("reconcile", f"effect {call.effect_id}", f"no reconciler for {call.operation!r} is here")
        standing: EffectStanding = drive(self._services.ledger, self._reconciling(call, caller))[0]
        return standing

    def _steps(self, wanted: WantedEffect, holder: str, send: Send, caller: Caller | None) -> Steps:
        if caller is None:
            caller = Caller(wanted.tenant, worker_principal(holder))
        withheld = yield from self._ask_gate(call_of(wanted))
        begin = effects.beginning(
            wanted, holder, withheld, self._services.redactor, self._services.policy_of, self._services.classifier
        )
        standing = yield Commit(caller, begin)
        _require_at_once(standing, EffectStanding)
        if standing.status is EffectStatus.UNKNOWN:
            yield from self._reconciled(wanted, caller)
            standing = yield Commit(caller, begin)  # also when it happened: perhaps what did was another request
        if standing.status is EffectStatus.SUCCEEDED:
            return standing.receipt
        if standing.status is EffectStatus.WITHHELD:
            raise AttemptError(withheld_failure(standing.why))
        if standing.status is not EffectStatus.INTENDED:
            raise AttemptError(_unknown(standing.why))
        return (yield from self._send(wanted, standing, send, caller))

    def _send(self, wanted: WantedEffect, standing: EffectStanding, send: Send, caller: Caller) -> Steps:
        call, services = call_of(wanted, standing.try_number), self._services
        try:
            answer = yield _calling(send, call)
        except (NotSent, Rejected) as error:
            failure = services.failure_told(error)
            receipt = getattr(error, "receipt", None)
            kept = None if receipt is None else receipt_of(receipt, services.redactor)
            failed = effects.failing_effect(standing.id, standing.try_number, failure, kept, services.policy_of)
            yield from self._record(caller, failed)
            raise
        except BaseException as error:
            why = cut_text(services.redactor.text(shown(error)), MAX_WHY_BYTES)
            yield from self._record(caller, effects.losing(standing.id, standing.try_number, why, services.policy_of))
            if isinstance(error, Exception) and not self._can_ask(call):
                raise AttemptError(_unknown(why)) from error
            raise  # the next attempt asks the reconciler first
        receipt = receipt_of(answer, services.redactor)
        yield from self._record(caller, effects.succeeding(standing.id, standing.try_number, receipt))
        return receipt.body

    def _record(self, caller: Caller, command: Callable[[Transaction], EffectStanding]) -> Steps:
        """Record an outcome; it happened, so a log that cannot be written for a moment is asked again."""
        for pause in PAUSES_S:
            try:
                return (yield Commit(caller, command))
            except (StorageError, Conflict) as error:
                log.error("effect.outcome_not_recorded", error=str(error), again_in_s=pause)
            yield Pause(pause)
        return (yield Commit(caller, command))

    def _ask_gate(self, call: EffectCall) -> Generator[Step, Any, str | None]:
        if self._services.gate is None:
            return None
        return withheld_by((yield _calling(self._services.gate, call)), self._services)

    def _reconciled(self, wanted: WantedEffect, caller: Caller) -> Steps:
        """Find out what became of the last try. Raises AttemptError when that cannot be found out."""
        call = yield Commit(caller, reconciliation.looking(wanted))
        if call.operation not in self._reconcilers:
            raise AttemptError(_unknown(f"no reconciler for {call.operation!r} is here"))
        try:
            standing, why = yield from self._reconciling(call, caller)
        except NotAllowed as quicker:  # somebody else found out meanwhile, and has perhaps sent it again
            log.info("effect.reconciled_elsewhere", effect=call.effect_id, why=str(quicker))
            return
        if standing.status is EffectStatus.UNKNOWN:
            raise AttemptError(_unknown(f"{standing.why}; asked: {why or 'still unknown'}"))

    def _can_ask(self, call: EffectCall) -> bool:
        """Whether a reconciler here may find out about *call*; one may say by ``knows(call)`` that it cannot."""
        reconciler = self._reconcilers.get(call.operation)
        knows = getattr(reconciler, "knows", None)
        return reconciler is not None and (knows is None or bool(knows(call)))

    def _reconciling(self, call: EffectCall, caller: Caller) -> Steps:
        try:
            found = yield _calling(self._reconcilers[call.operation], call)
        except Exception as error:  # noqa: BLE001 - a reconciler that fails has found nothing out
            log.exception("effect.reconciler_failed", effect=call.effect_id, operation=call.operation)
            found = StillUnknown(f"the reconciler failed: {shown(error)}")
        kept: Receipt | None = None
        match found:
            case Happened(receipt=receipt):
                outcome, why, kept = "succeeded", "", receipt_of(receipt, self._services.redactor)
            case DidNotHappen(why=why):
                outcome = "did_not_happen"
            case StillUnknown(why=why):
                outcome = "still_unknown"
            case other:
                outcome = "still_unknown"
                why = f"the reconciler answered {type(other).__name__}, not Happened, DidNotHappen or StillUnknown"
        why = cut_text(self._services.redactor.text(str(why)), MAX_WHY_BYTES)
        command = reconciliation.reconciling(
            call.effect_id, outcome, kept, why, by_operator=False, try_number=call.try_number
        )
        standing = yield from self._record(caller, command)
        return standing, why


def asked(call: EffectCall, services: Services) -> str | None:
    """Why the host's gate, asked in this thread, withholds *call*; None when it lets it out. Raises what the gate
    raised, InvalidValue."""
    if services.gate is None:
        return None
    return withheld_by(finished(_calling(services.gate, call)()), services)


def withheld_by(answer: object, services: Services) -> str | None:
    """Why the gate withholds an effect, by its *answer*; None when it lets it out. Raises InvalidValue."""
    if answer is None:
        return None
    if not isinstance(answer, Withhold):
        raise InvalidValue("gate", answer, "None to let the effect out, or Withhold(reason)")
    return cut_text(services.redactor.text(str(answer.reason or "withheld")), MAX_WHY_BYTES)


def _calling(function: Callable[..., Any], call: EffectCall) -> Step:
    """*function* with *call*, or with nothing when it takes nothing."""
    try:
        alone = takes_nothing(inspect.signature(function))
    except (ValueError, TypeError):
        alone = False
    return function if alone else (lambda: function(call))


def shown(error: BaseException) -> str:
    """An error of the host's in words; it may do anything when it is read."""
    try:
        return f"{type(error).__name__}: {error}"
    except (Exception, SystemExit):  # noqa: BLE001
        return type(error).__name__


def _require_at_once(answer: object, kind: type) -> None:
    """Within a batch nothing is durable yet. Raises InvalidValue."""
    if not isinstance(answer, kind):
        raise InvalidValue("command", "effect", "begin_effect within a batch: an intent is durable before the call")


def _unknown(why: str) -> Failure:
    return Failure(OUTCOME_UNKNOWN, cut_text(why, MAX_WHY_BYTES) or "the outcome of the effect is unknown")
