"""Timeline, why and blast, asked of an engine: each names the moment it looks at, and what it stands on."""

import re
from typing import TYPE_CHECKING

from redrive.domain.errors import InvalidValue, NotFound
from redrive.domain.identity import Tenant
from redrive.forensics.footing import footing
from redrive.forensics.positions import position_of
from redrive.ledger.moments import position_of_event

if TYPE_CHECKING:
    from redrive.engine import Engine
    from redrive.forensics.blast import Blast
    from redrive.forensics.positions import Asked
    from redrive.forensics.timeline import Timeline
    from redrive.forensics.why import Why

MOST_DIGITS = 18


def timeline(
    engine: "Engine", tenant: Tenant | None, key: str, *, correlated: bool = False, at: "Asked | None" = None
) -> "Timeline":
    """The timeline of *key* as of *at*. Raises NotFound, InvalidValue."""
    from redrive.forensics.spans import timeline_of
    from redrive.forensics.subjects import found, story

    until = _until(engine, tenant, at)
    of = found(engine.ledger, tenant, key, until)
    told = timeline_of(
        story(engine.ledger, of, correlated=correlated), key=key, subject=of.kind, correlated=correlated
    )
    return told.model_copy(update={"footing": footing(engine, until)})


def why(engine: "Engine", tenant: Tenant | None, key: str, at: "Asked | None" = None) -> "Why":
    """Why *key*, a field of it, or an event is as it is as of *at*. Raises NotFound, InvalidValue, StreamReadOnly."""
    from redrive.forensics.why import why_event, why_of

    until = _until(engine, tenant, at)
    if isinstance(key, str) and key.startswith("pos:"):
        told = why_event(engine.ledger, tenant, _exactly(engine, tenant, key), until)
    else:
        told = why_of(engine.ledger, tenant, key, until)
    return told.model_copy(update={"footing": footing(engine, until)})


def blast(engine: "Engine", tenant: Tenant | None, event: "Asked", at: "Asked | None" = None) -> "Blast":
    """What followed from *event*, as of *at*. Raises NotFound, InvalidValue."""
    from redrive.forensics.blast import blast_of

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
    if not re.fullmatch(r"[0-9a-f][0-9a-f-]{18,62}[0-9a-f]", text):
        raise InvalidValue("event", event, "the position of an event (pos:N) or its id")
    found = position_of_event(engine.ledger.recorder, text, None if tenant is None else str(tenant))
    if found is None:
        raise NotFound("event", text)
    return found
