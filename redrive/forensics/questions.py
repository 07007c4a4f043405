"""Timeline, why and blast, asked of an engine: each names the moment it looks at, and what it stands on. And the note
that somebody writes about anything that these show."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from redrive.domain.errors import InvalidValue, NotFound
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, RunId, Tenant
from redrive.domain.ports import Transaction
from redrive.forensics.footing import footing
from redrive.forensics.positions import EVENT_ID, position_of
from redrive.ledger.moments import position_of_event
from redrive.processes.notes import noting_compensation, noting_effect, noting_event
from redrive.processes.operations import noting_letter, noting_run

if TYPE_CHECKING:
    from redrive.engine import Engine
    from redrive.forensics.causes.blast import Blast
    from redrive.forensics.causes.why import Why
    from redrive.forensics.positions import Asked
    from redrive.forensics.timelines.timeline import Timeline

MOST_DIGITS = 18
UUID_LENGTH = 36


def timeline(
    engine: "Engine", tenant: Tenant | None, key: str, *, correlated: bool = False, at: "Asked | None" = None
) -> "Timeline":
    """The timeline of *key* as of *at*. Raises NotFound, InvalidValue."""
    from redrive.forensics.subjects import found, story
    from redrive.forensics.timelines.spans import timeline_of

    until = _until(engine, tenant, at)
    of = found(engine.ledger, tenant, key, until)
    told = timeline_of(story(engine.ledger, of, correlated=correlated), key=key, subject=of.kind, correlated=correlated)
    return told.model_copy(update={"footing": footing(engine, until)})


def why(engine: "Engine", tenant: Tenant | None, key: str, at: "Asked | None" = None) -> "Why":
    """Why *key*, a field of it, or an event is as it is as of *at*. Raises NotFound, InvalidValue, StreamReadOnly."""
    from redrive.forensics.causes.why import why_event, why_of

    until = _until(engine, tenant, at)
    if isinstance(key, str) and key.startswith("pos:"):
        told = why_event(engine.ledger, tenant, _exactly(engine, tenant, key), until)
    else:
        told = why_of(engine.ledger, tenant, key, until)
    return told.model_copy(update={"footing": footing(engine, until)})


def blast(engine: "Engine", tenant: Tenant | None, event: "Asked", at: "Asked | None" = None) -> "Blast":
    """What followed from *event*, as of *at*. Raises NotFound, InvalidValue."""
    from redrive.forensics.causes.blast import blast_of

    until = _until(engine, tenant, at)
    told = blast_of(engine.ledger, tenant, _exactly(engine, tenant, event), until)
    return told.model_copy(update={"footing": footing(engine, until)})


def _until(engine: "Engine", tenant: Tenant | None, at: "Asked | None") -> int:
    return engine.ledger.last_position() if at is None else position_of(engine.ledger, at, tenant).position


def _exactly(engine: "Engine", tenant: Tenant | None, event: "Asked") -> int:
    """The position that *event* names: ``pos:N``, N, or an id. Raises NotFound, also for another tenant's event, and
    InvalidValue."""
    text = str(event).strip() if isinstance(event, (str, int)) and not isinstance(event, bool) else ""
    number = text.removeprefix("pos:")
    if number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS:
        return int(number)
    if not EVENT_ID.fullmatch(text):
        raise InvalidValue("event", event, "the position of an event (pos:N, as `redrive history` shows it) or its id")
    found = position_of_event(engine.ledger.recorder, text, None if tenant is None else str(tenant))
    if found is None:
        raise NotFound("event", text)
    return found


def noting(engine: "Engine", tenant: Tenant, key: str, text: str) -> Callable[[Transaction], object]:
    """The command that writes *text* down about *key*: what *key* names decides where. Raises NotFound."""
    from redrive.forensics.subjects import found

    if isinstance(key, str) and (key.startswith("pos:") or (EVENT_ID.fullmatch(key) and not _is_uuid(key))):
        position = _exactly(engine, tenant, key)
        told = [one for one in engine.ledger.at_positions([position]) if one.tenant == tenant]
        if not told:
            raise NotFound("event", key)
        return noting_event(tenant, told[0].correlation, told[0].event_id, position, text)
    match found(engine.ledger, tenant, key, engine.ledger.last_position()).kind:
        case "run":
            return noting_run(RunId(key), text)
        case "dead letter":
            return noting_letter(DeadLetterId(key), text, None)
        case "effect":
            return noting_effect(EffectId(key), text)
        case _:
            return noting_compensation(CompensationId(key), text)


def _is_uuid(text: str) -> bool:
    return len(text) == UUID_LENGTH and text.count("-") == 4
