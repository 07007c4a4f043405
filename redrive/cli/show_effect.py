"""An effect or a compensation in full, for people: what was asked, what came back, and what can be done."""

import json
from typing import TYPE_CHECKING

from redrive.cli.context import Session
from redrive.cli.effect_tables import print_compensations
from redrive.cli.events import history_of, print_history, redacted_all
from redrive.cli.output import printable
from redrive.cli.times import moment

if TYPE_CHECKING:
    from redrive.domain.identity import CompensationId, EffectId
    from redrive.effect_detail import CompensationDetail, EffectDetail
    from redrive.tenant_queries import TenantQueries

MOST_SHOWN = 2_000


def print_effect(session: Session, acme: "TenantQueries", id_: "EffectId") -> None:
    """Print an effect with its history."""
    out, effect, told = session.output, acme.show_effect(id_), history_of(acme, id_)
    if out.json:
        events = redacted_all(told, acme.services.redactor)
        out.item("effect", {**effect.model_dump(mode="json"), "events": events})
        return
    now = acme.engine.now_ms()
    out.facts(
        [
            ("effect", effect.id),
            ("status", _standing(effect)),
            ("key", effect.key + (" (of the tenant)" if effect.scope == "tenant" else "")),
            ("operation", effect.operation),
            ("target", effect.target or None),
            ("request", _shown(effect.request)),
            ("receipt", _shown(effect.receipt)),
            ("why", effect.reason or effect.failure_class),
            ("run", effect.run_id),
            ("node", effect.node and f"{effect.node} (its attempt {effect.lifetime})"),
            ("tries", effect.tries),
            ("reconciled by", effect.reconciled_by),
            ("held until", moment(effect.expires_at_ms, now)),
            ("dead letters", ", ".join(f"{dl.id} ({dl.status.replace('_', ' ')})" for dl in effect.letters) or None),
            ("began", moment(effect.began_at_ms, now)),
            ("tenant", effect.tenant),
            ("read-only", None if effect.readable else "a newer version wrote to it"),
        ]
    )
    if effect.compensations:
        out.say()
        print_compensations(session, acme, effect.compensations)
    print_history(session, acme, told)
    out.next(*_effect_next(session, effect))


def print_compensation(session: Session, acme: "TenantQueries", id_: "CompensationId") -> None:
    """Print a compensation with its history."""
    out, found, told = session.output, acme.show_compensation(id_), history_of(acme, id_)
    if out.json:
        events = redacted_all(told, acme.services.redactor)
        out.item("compensation", {**found.model_dump(mode="json"), "events": events})
        return
    now = acme.engine.now_ms()
    doubt = ", nobody knows whether it happened" if found.outcome_unknown else ""
    out.facts(
        [
            ("compensation", found.id),
            ("status", found.status.replace("_", " ") + doubt),
            ("operation", found.operation),
            ("target", found.target or None),
            ("request", _shown(found.request)),
            ("receipt", _shown(found.receipt)),
            ("why", found.reason or found.failure_class),
            ("effect", f"{found.effect_id} ({found.effect_key})"),
            ("dead letter", found.dead_letter),
            ("run", found.run_id),
            ("node", found.node),
            ("approval", "needed" if found.requires_approval else "not needed"),
            ("runs", found.tries),
            ("worker", found.worker),
            ("decided", found.decided_by and ": ".join(filter(None, (found.decided_by, found.decided_reason)))),
            ("lease until", moment(found.expires_at_ms, now)),
            ("proposed", moment(found.proposed_at_ms, now)),
            ("tenant", found.tenant),
            ("read-only", None if found.readable else "a newer version wrote to it"),
        ]
    )
    print_history(session, acme, told)
    out.next(*_compensation_next(session, found))


def _standing(effect: "EffectDetail") -> str:
    told: list[str] = [effect.status]
    if effect.did_not_happen:
        told.append("it did not happen")
    if effect.late:
        told.append("its outcome came late")
    if effect.tolerate:
        told.append("a failure is tolerated")
    return ", ".join(told)


def _shown(body: object) -> str | None:
    return None if body is None else printable(json.dumps(body, ensure_ascii=False), MOST_SHOWN)


def _effect_next(session: Session, effect: "EffectDetail") -> list[tuple[str, str]]:
    """The commands that fit where the effect stands."""
    id_, open_ = effect.id[:8], [letter for letter in effect.letters if not letter.settled]
    steps = []
    if effect.status == "unknown" and effect.readable:
        for outcome, what in (("succeeded", "it was done"), ("did-not-happen", "it may be sent again")):
            steps.append((session.command("reconcile", id_, "--outcome", outcome, "--reason", "WHY"), what))
    if open_:
        steps.append((session.command("show", open_[0].id[:8]), "the dead letter that waits"))
    if effect.run_id:
        steps.append((session.command("resume-plan", effect.run_id[:8]), "what can be done about its run"))
    return [*steps, (session.command("history", (effect.run_id or effect.id)[:8]), "all that happened")]


def _compensation_next(session: Session, found: "CompensationDetail") -> list[tuple[str, str]]:
    """The commands that fit where the compensation stands."""

    def command(verb: str, what: str) -> tuple[str, str]:
        return session.command("compensations", verb, found.id[:8], "--reason", "WHY"), what

    effect = (session.command("show", found.effect_id[:8]), "the effect it makes good for")
    if not found.readable:
        return [effect]
    match found.status:
        case "proposed":
            choose = ("dead-letters", "compensate", found.dead_letter[:8], "--reason", "WHY")
            return [(session.command(*choose), "choose it"), effect]
        case "awaiting_approval":
            return [command("approve", "let it run"), command("cancel", "give it up"), effect]
        case "approved":
            return [command("cancel", "give it up"), effect]
        case "running":
            return [command("cancel", "disown it: what it does is not stopped"), effect]
        case "failed":
            return [command("rerun", "once you have looked"), command("cancel", "give it up"), effect]
        case _:
            return [effect]
