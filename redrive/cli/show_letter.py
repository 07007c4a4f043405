"""A dead letter in full, for people: what failed, how it stands, what happened to it, and what can be done."""

from typing import TYPE_CHECKING

from redrive.cli.context import Session
from redrive.cli.counted import counted
from redrive.cli.effect_tables import print_compensations, print_effects
from redrive.cli.events import history_of, print_history, redacted_all
from redrive.cli.times import moment

if TYPE_CHECKING:
    from redrive.domain.identity import DeadLetterId, EffectId
    from redrive.projections.models import DeadLetterSummary
    from redrive.tenant_queries import TenantQueries


def print_letter(session: Session, acme: "TenantQueries", id_: "DeadLetterId") -> None:
    """Print a dead letter with its history."""
    out, letter, told = session.output, acme.dead_letter(id_), history_of(acme, id_)
    if out.json:
        events = redacted_all(told, acme.services.redactor)
        out.item("dead-letter", {**letter.model_dump(mode="json"), "events": events})
        return
    budget = session.settings.max_dispatches + letter.budget_granted
    out.facts(_facts(letter, budget, acme.engine.now_ms()))
    if letter.effect_id is not None:
        _print_effect(session, acme, letter.effect_id)
    print_history(session, acme, told)
    out.next(*_next(session, acme, letter))


def _facts(letter: "DeadLetterSummary", budget: int, now: int) -> list[tuple[str, str | None]]:
    kind = f"/{letter.kind}" if letter.kind else ""
    return [
        ("dead letter", letter.id),
        ("status", letter.status + (", superseded by a later success" if letter.superseded else "")),
        ("failure", f"{letter.failure_class}{kind}, {letter.verdict.replace('_', ' ')}"),
        ("reason", letter.reason or None),
        ("source", letter.source.replace("_", " ") if letter.effect_id else None),
        ("effect", letter.effect_id and f"{letter.effect_id} ({letter.effect_key})"),
        ("compensation", letter.compensation_id),
        ("run", f"{letter.run_id} (generation {letter.generation})" if letter.run_id else None),
        ("automation", letter.automation or None),
        ("node", f"{letter.node} (attempt {letter.number}, {letter.lifetime} in all)" if letter.node else None),
        ("recurred", counted(letter.recurrences, "time") if letter.recurrences else None),
        ("dispatches", f"{letter.dispatches} of {budget}" if letter.run_id else None),
        ("next dispatch", moment(letter.next_dispatch_ms, now)),
        ("held", letter.held),
        ("decided", _decision(letter)),
        ("opened", moment(letter.opened_at_ms, now)),
        ("last failure", moment(letter.last_failure_at_ms, now)),
        ("fingerprint", letter.fingerprint),
        ("tenant", letter.tenant),
        ("read-only", None if letter.readable else "a newer version wrote to it"),
    ]


def _print_effect(session: Session, acme: "TenantQueries", id_: "EffectId") -> None:
    """The effect that failed, and what would make good for it."""
    effect = acme.show_effect(id_)
    session.output.say()
    print_effects(session, acme, [effect])
    if effect.compensations:
        session.output.say()
        print_compensations(session, acme, effect.compensations)


def _decision(letter: "DeadLetterSummary") -> str | None:
    if letter.disposition is None:
        return None
    why = f": {letter.decided_reason}" if letter.decided_reason else ""
    return f"{letter.disposition.replace('_', ' ')} by {letter.decided_by}{why}"


def _next(session: Session, acme: "TenantQueries", letter: "DeadLetterSummary") -> list[tuple[str, str]]:
    """The commands that fit where the dead letter stands."""

    def command(verb: str, *more: str) -> str:
        return session.command("dead-letters", verb, letter.id[:8], *more, "--reason", "WHY")

    of = "run" if letter.run_id else "effect"
    history = (
        session.command("history", (letter.run_id or letter.effect_id or "")[:8]),
        f"all that happened to its {of}",
    )
    alike = (session.command("dead-letters", "list", "--fingerprint", letter.fingerprint), "failures like it")
    match letter.status if letter.readable else "read-only":
        case "read-only":
            return [alike, history]
        case "open" if letter.source == "stateful_wait":
            again = (session.command("recover", letter.run_id[:8], "--reason", "WHY"), "have it asked again")
            return [again, (command("ignore"), "it does not matter"), alike, history]
        case "open" if letter.effect_id is not None:
            return [*effect_ways(session, acme, letter), (command("ignore"), "it does not matter"), alike, history]
        case "open":
            return [(command("retry"), "do its work again"), (command("ignore"), "it does not matter"), alike, history]
        case "parked":
            return [(command("grant", "1"), "allow one more"), (command("abandon"), "give it up"), alike, history]
        case "retry_requested" | "retrying":
            return [(session.command("show", letter.run_id[:8]), "how its run stands"), history]
        case _:
            return [(command("reopen"), "put it back"), history]


def effect_ways(session: Session, acme: "TenantQueries", letter: "DeadLetterSummary") -> list[tuple[str, str]]:
    """Ways on with an effect: one whose outcome is unknown is looked at first, and never just sent again."""
    assert letter.effect_id is not None
    effect = acme.show_effect(letter.effect_id)
    steps = []
    if effect.status == "unknown":
        steps.append((session.command("show", effect.id[:8]), "look at the other side, then reconcile it"))
    elif letter.run_id:
        steps.append((session.command("dead-letters", "retry", letter.id[:8], "--reason", "WHY"), "do its work again"))
    if any(one.status == "proposed" for one in effect.compensations):
        line = ("dead-letters", "compensate", letter.id[:8], "--reason", "WHY")
        steps.append((session.command(*line), "make good for it instead"))
    return steps
