"""Carrying out a decision about one dead letter or many, and telling what came of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from redrive.cli.context import Session
from redrive.cli.failures import REFUSED
from redrive.cli.ids import letter_named
from redrive.cli.letter_filters import Filters, asked, given
from redrive.cli.next_steps import executing_runs
from redrive.cli.output import printable
from redrive.cli.pages import each
from redrive.cli.tables import shortened
from redrive.domain.errors import RedriveError, Refused

if TYPE_CHECKING:
    from redrive.domain.identity import DeadLetterId
    from redrive.processes.sweep import SweepReport
    from redrive.projections.models import DeadLetterSummary
    from redrive.tenant_engine import TenantEngine

PER_COMMIT = 200


@dataclass(frozen=True)
class Decision:
    """A verb, the command of the engine that it means, and which dead letters ``--all`` means without a status."""

    verb: str
    method: str
    status: str


@dataclass(frozen=True)
class Outcome:
    """What came of it for one dead letter: *error* says why nothing did, *compensation* where the one stands that
    it is linked to."""

    letter: "DeadLetterSummary"
    error: RedriveError | None
    why: str = ""
    compensation: str = ""


_DONE = {
    "ignore": "ignored",
    "abandon": "abandoned",
    "reopen": "open again",
    "note": "noted",
    "resolve": "resolved",
}
_COMPENSATED = {
    "awaiting_approval": "awaits approval",
    "approved": "runs as soon as a worker can",
    "completed": "is done",
}


def decide(session: Session, decision: Decision, ids: Sequence[str], all_: bool, filters: Filters, **said: Any) -> int:
    """Carry *decision* out for the dead letters named by *ids*, or for all that *filters* leave.

    Every id must be known, else nothing is done. What the rules refuse for one harms no other; the exit code then
    tells that something was refused.
    """
    _require_choice(decision, ids, all_, filters)
    acme = session.tenant_engine()
    named = [letter_named(acme, text) for text in ids] if ids else _all(acme, decision, filters)
    letters = list(dict.fromkeys(named))
    errors: dict[DeadLetterId, RedriveError | None] = {}
    report, failure = None, None
    try:
        errors.update(_carried_out(acme, decision, letters, said))
        report = acme.sweep() if decision.verb in ("retry", "grant") else None
    except RedriveError as error:  # storage: what was acknowledged before is told, then the error
        if not errors:
            raise
        failure = error
    if len(letters) == 1 and (refused := errors[letters[0]]) is not None:
        raise refused
    outcomes = _outcomes(acme, errors, report)
    _tell(session, acme, decision, outcomes)
    if failure is not None:
        raise failure
    return REFUSED if any(outcome.error for outcome in outcomes) else 0


def _require_choice(decision: Decision, ids: Sequence[str], all_: bool, filters: Filters) -> None:
    if not ids and not all_:
        raise click.UsageError(f"say which dead letters to {decision.verb}: ids, or --all (with filters, if need be).")
    if ids and (all_ or given(filters)):
        raise click.UsageError("ids and --all (or filters) exclude each other.")


def _all(acme: "TenantEngine", decision: Decision, filters: Filters) -> "list[DeadLetterId]":
    """Every dead letter that the filters leave, the oldest first."""
    from redrive.domain.identity import DeadLetterId

    chosen = {"status": decision.status, **asked(acme, filters)}
    return [DeadLetterId(letter.id) for letter in each(acme.dead_letters, **chosen)][::-1]


def _carried_out(
    acme: "TenantEngine", decision: Decision, letters: "Sequence[DeadLetterId]", said: Mapping[str, Any]
) -> "Iterator[tuple[DeadLetterId, RedriveError | None]]":
    """Many in one commit; the sweep comes after the last, so that dead letters of one run are dispatched together."""
    command = getattr(acme, decision.method)
    for start in range(0, len(letters), PER_COMMIT):
        some = letters[start : start + PER_COMMIT]
        with acme.engine.batch() as batch:
            pending = [(id_, batch.add(command, id_, **said)) for id_ in some]
        for id_, outcome in pending:
            error: RedriveError | None = None
            try:
                outcome.result()
            except Refused as refused:
                error = refused
            yield id_, error


def _outcomes(
    acme: "TenantEngine", errors: "Mapping[DeadLetterId, RedriveError | None]", report: "SweepReport | None"
) -> list[Outcome]:
    whys = {act.dead_letter: act.why for act in (*report.acted, *report.skipped)} if report else {}
    letters = [(acme.dead_letter(id_), error) for id_, error in errors.items()]
    return [Outcome(letter, error, whys.get(letter.id, ""), _standing(acme, letter)) for letter, error in letters]


def _standing(acme: "TenantEngine", letter: "DeadLetterSummary") -> str:
    """Where the compensation stands that settles a dead letter; "" when none does."""
    from redrive.domain.identity import CompensationId

    if letter.status != "linked_to_compensation" or letter.compensation_id is None:
        return ""
    return acme.show_compensation(CompensationId(letter.compensation_id)).status


def _tell(session: Session, acme: "TenantEngine", decision: Decision, outcomes: Sequence[Outcome]) -> None:
    out = session.output
    if out.json:
        out.items("dead-letter-decisions", [_document(decision, outcome) for outcome in outcomes])
        return
    if not outcomes:
        out.remark(f"No dead letter is like that: nothing to {decision.verb}.")
        out.next((session.command("dead-letters", "list"), "all of them"))
        return
    for outcome in outcomes:
        out.say(_sentence(session, decision, outcome))
    refused = sum(outcome.error is not None for outcome in outcomes)
    if len(outcomes) > 1:
        out.say(f"{decision.verb}: {len(outcomes) - refused} done, {refused} refused.")
    out.next(*_next(session, acme, outcomes))


def _document(decision: Decision, outcome: Outcome) -> dict[str, Any]:
    error = None if outcome.error is None else {"code": outcome.error.code, "message": printable(outcome.error)}
    return {"command": decision.verb, "done": error is None, "error": error, **outcome.letter.model_dump(mode="json")}


def _sentence(session: Session, decision: Decision, outcome: Outcome) -> str:
    letter = outcome.letter
    name = f"{letter.id[:8]} ({_place(letter)})"
    if outcome.error is not None:
        return f"{name}: refused ({outcome.error.code}): {printable(outcome.error)}"
    if decision.verb not in ("retry", "grant"):
        return f"{name}: {_compensated(outcome) if decision.verb == 'compensate' else _DONE[decision.verb]}"
    used = f"{letter.dispatches} of {session.settings.max_dispatches + letter.budget_granted} dispatches used"
    match letter.status:
        case "retrying":
            return f"{name}: dispatched, its run is queued again; {used}"
        case "retry_requested":
            why = outcome.why or "its run is not failed or blocked, is paused, or is read-only"
            return f"{name}: retry requested, to be dispatched later: {printable(why)}; {used}"
        case status:
            return f"{name}: {status.replace('_', ' ')}; {used}"


def _compensated(outcome: Outcome) -> str:
    stands = _COMPENSATED.get(outcome.compensation, f"is {outcome.compensation.replace('_', ' ')}")
    return f"linked to compensation {str(outcome.letter.compensation_id)[:8]}, which {stands}"


def _place(letter: "DeadLetterSummary") -> str:
    """Where it failed: outside runs, only the effect tells."""
    effect = f"effect {shortened(printable(letter.effect_key), 40)}" if letter.effect_id else ""
    if not letter.run_id:
        return effect
    node = f"run {letter.run_id[:8]}, node {shortened(printable(letter.node), 40)}"
    return f"{node}, {effect}" if effect else node


def _next(session: Session, acme: "TenantEngine", outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    queued = [one.letter for one in outcomes if one.letter.status in ("retrying", "retry_requested")]
    if queued:
        first = executing_runs(session, acme, (letter.run_id for letter in queued))
    elif spent := [one for one in outcomes if one.error is not None and one.error.code == "budget-spent"]:
        grant = ("grant", spent[0].letter.id[:8], "1", "--reason", "WHY")
        first = (session.command("dead-letters", *grant), "allow one more")
    elif asked_ := [o.letter.compensation_id for o in outcomes if o.compensation == "awaiting_approval"]:
        approve = ("approve", str(asked_[0])[:8], "--reason", "WHY")
        first = (session.command("compensations", *approve), "let it run")
    elif waiting := [o.letter.compensation_id for o in outcomes if o.letter.status == "linked_to_compensation"]:
        first = (session.command("compensations", "show", str(waiting[0])[:8]), "what becomes of it")
    else:
        first = (session.command("dead-letters", "list", "--active"), "what is left")
    done = next((one.letter.id[:8] for one in outcomes if one.error is None), None)
    refused = next((one.letter.id[:8] for one in outcomes if one.error is not None), None)
    which = "how it stands" if len(outcomes) == 1 else "how the first stands"
    ways = [first] if done is None else [first, (session.command("show", done), which)]
    return (
        ways
        if refused is None
        else [*ways, (session.command("show", refused), "what can be done where it was refused")]
    )
