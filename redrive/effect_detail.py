"""An effect or a compensation in full: what ``show`` prints. Bodies and tries are folded from the log itself."""

from collections.abc import Iterable

from redrive.domain.compensation import events as ce
from redrive.domain.effect import events as e
from redrive.domain.effect.state import withheld_failure
from redrive.domain.event import Recorded
from redrive.domain.failure import Failure
from redrive.domain.values import CleanJson
from redrive.projections.models import CompensationSummary, DeadLetterSummary, EffectSummary, Model


class EffectOutcome(Model):
    """What was said of a try: succeeded, failed, unknown, withheld, did_not_happen or still_unknown. *by*: who said
    it, the sender, the host's reconciler or an operator. *receipt* is redacted. Times are UTC milliseconds."""

    outcome: str
    by: str
    at_ms: int
    late: bool = False
    failure_class: str | None = None
    kind: str | None = None
    reason: str | None = None
    receipt: CleanJson = None
    receipt_digest: str | None = None


class EffectTry(Model):
    """One sending of an effect, and what was said of it; *number* is None when the gate withheld it."""

    number: int | None
    run_id: str | None
    node: str | None
    lifetime: int
    holder: str
    request_digest: str
    began_at_ms: int
    outcomes: tuple[EffectOutcome, ...]


class EffectDetail(EffectSummary):
    """An effect: its request and its receipt (both redacted), every try, its dead letters and its compensations."""

    request: CleanJson
    receipt: CleanJson
    sendings: tuple[EffectTry, ...]
    letters: tuple[DeadLetterSummary, ...]
    compensations: tuple[CompensationSummary, ...]


class CompensationDetail(CompensationSummary):
    """A compensation: what it asks for, and what came back (both redacted)."""

    request: CleanJson
    receipt: CleanJson


def effect_detail_of(
    summary: EffectSummary,
    events: Iterable[Recorded],
    letters: tuple[DeadLetterSummary, ...],
    compensations: tuple[CompensationSummary, ...],
) -> EffectDetail:
    """The effect of *summary*, with what the *events* of its stream tell."""
    begun: list[tuple[e.EffectIntended | e.EffectWithheld, list[EffectOutcome]]] = []
    receipt: CleanJson = None
    for recorded in events:
        event = recorded.event
        if isinstance(event, e.EffectIntended | e.EffectWithheld):
            begun.append((event, []))
        if (outcome := _outcome(event)) is not None and begun:
            begun[_place(begun, event)][1].append(outcome)
            if outcome.outcome == "succeeded" and receipt is None:
                receipt = outcome.receipt
    return EffectDetail(
        **dict(summary),
        request=begun[-1][0].request.request if begun else None,
        receipt=receipt,
        sendings=tuple(_try(event, outcomes) for event, outcomes in begun),
        letters=letters,
        compensations=compensations,
    )


def compensation_detail_of(summary: CompensationSummary, events: Iterable[Recorded]) -> CompensationDetail:
    """The compensation of *summary*, with what the *events* of its stream tell."""
    request: CleanJson = None
    receipt: CleanJson = None
    for recorded in events:
        match recorded.event:
            case ce.CompensationProposed() as proposed:
                request = proposed.plan.request
            case ce.CompensationCompleted() as completed:
                receipt = completed.receipt
    return CompensationDetail(**dict(summary), request=request, receipt=receipt)


def _place(begun: list[tuple[e.EffectIntended | e.EffectWithheld, list[EffectOutcome]]], event: object) -> int:
    """Which of *begun* an outcome is about: that of its try, or the last."""
    number = getattr(event, "try_number", None)
    for place, (began, _) in enumerate(begun):
        if number is not None and isinstance(began, e.EffectIntended) and began.try_number == number:
            return place
    return -1


def _try(event: e.EffectIntended | e.EffectWithheld, outcomes: list[EffectOutcome]) -> EffectTry:
    sent = event if isinstance(event, e.EffectIntended) else None
    return EffectTry(
        number=sent.try_number if sent else None,
        run_id=event.run,
        node=event.node,
        lifetime=event.lifetime,
        holder=sent.holder if sent else "",
        request_digest=event.request.digest,
        began_at_ms=event.withheld_at_ms if isinstance(event, e.EffectWithheld) else event.intended_at_ms,
        outcomes=tuple(outcomes),
    )


def _outcome(event: object) -> EffectOutcome | None:
    """What *event* says of a try, if anything."""
    match event:
        case e.EffectSucceeded():
            return EffectOutcome(
                outcome="succeeded", by="sender", at_ms=event.ended_at_ms, late=event.late, receipt=event.receipt,
                receipt_digest=event.receipt_digest,
            )  # fmt: skip
        case e.EffectFailed():
            failed = _bad("failed", event.failure, event.ended_at_ms, event.late)
            return failed.model_copy(update={"receipt": event.receipt, "receipt_digest": event.receipt_digest})
        case e.EffectOutcomeUnknown():
            return _bad("unknown", event.failure, event.ended_at_ms, event.late)
        case e.EffectWithheld():
            return _bad("withheld", withheld_failure(event.why), event.withheld_at_ms, late=False)
        case e.EffectReconciled():
            return EffectOutcome(
                outcome=event.outcome, by=event.by, at_ms=event.reconciled_at_ms, reason=event.why or None,
                receipt=event.receipt, receipt_digest=event.receipt_digest,
            )  # fmt: skip
    return None


def _bad(outcome: str, failure: Failure, at_ms: int, late: bool) -> EffectOutcome:
    return EffectOutcome(
        outcome=outcome,
        by="sender",
        at_ms=at_ms,
        late=late,
        failure_class=failure.failure_class,
        kind=failure.kind,
        reason=failure.reason or None,
    )
