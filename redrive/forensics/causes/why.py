"""Why something is as it is: the event that changed it last, and what that followed from, back to a root."""

from collections import deque
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from redrive.domain.dead_letter.events import DeadLetterNoted
from redrive.domain.errors import InvalidValue, NotFound
from redrive.domain.event import Recorded
from redrive.domain.identity import Tenant
from redrive.domain.run.events import NoteAdded
from redrive.forensics.causes.decisions import PolicyUsed, decided, policy_used
from redrive.forensics.causes.fields import changes, field_named
from redrive.forensics.causes.lineage import lineage_of
from redrive.forensics.causes.neighbours import children_of, elsewhere
from redrive.forensics.causes.roots import Root, root_of
from redrive.forensics.footing import Footing
from redrive.forensics.subjects import found, own_events, whole
from redrive.history import HistoryEntry, entry_of
from redrive.projections.models import Model

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

_NOTES = (NoteAdded, DeadLetterNoted)


class WhyStep(Model):
    """A step back. *how* it leads to the step before it: ``changed`` (the first), ``caused`` (the log stores it) or
    ``followed`` (the facts say it). *inputs* are those of the decision that the event holds, *policy* is what it was
    decided by, *root* what the stored cause is when it is no event."""

    how: str
    event: HistoryEntry
    inputs: dict[str, JsonValue]
    policy: PolicyUsed | None
    root: Root | None


class Why(Model):
    """Why *field* of *key* (None: anything of it) is as it is at the footing's position: *before* and *after* are its
    values around the event that changed it last. *steps* go back to a root: the last one has it."""

    key: str
    subject: str
    field: str | None
    before: JsonValue
    after: JsonValue
    steps: tuple[WhyStep, ...]
    footing: Footing | None = None


def why_of(ledger: "LogLedger", tenant: Tenant | None, asked: str, until: int) -> Why:
    """Why ``KEY`` or ``KEY.field`` is as it is at position *until*. Raises NotFound, InvalidValue, StreamReadOnly."""
    if not isinstance(asked, str):
        raise InvalidValue("key", asked, "an id, or an id, a dot and the name of a field, as text")
    key, dot, name = asked.partition(".")
    of = found(ledger, tenant, key, until)
    before: Any = None
    after: Any = None
    if dot:
        told = deque(changes(ledger, of, field_named(ledger, of, name)), maxlen=1)
        changed, before, after = told[0] if told else (of.first, None, None)
    else:
        own = own_events(ledger, of)
        changed = next((one for one in reversed(own) if not isinstance(one.event, _NOTES)), own[-1])
    return Why(
        key=key,
        subject=of.kind,
        field=name if dot else None,
        before=to_jsonable_python(before),
        after=to_jsonable_python(after),
        steps=tuple(_steps(ledger, of.tenant, changed)),
    )


def why_event(ledger: "LogLedger", tenant: Tenant | None, position: int, until: int) -> Why:
    """Why the event at *position* was appended. Raises NotFound."""
    told = ledger.at_positions([position])
    if not told or tenant not in (None, told[0].tenant) or position > until:
        raise NotFound("event", str(position))
    steps = tuple(_steps(ledger, told[0].tenant, told[0]))
    return Why(key=str(position), subject="event", field=None, before=None, after=None, steps=steps)


def _steps(ledger: "LogLedger", tenant: Tenant, changed: Recorded) -> list[WhyStep]:
    """Back from an event, until nothing is known to have come before: an operator decided, or it all began."""
    events = {one.position: one for one in whole(ledger, changed.correlation, tenant, changed.position)}
    lineage = lineage_of(events.values(), children_of(ledger, events.values()))
    bodies: dict[str, PolicyUsed] = {}
    steps: list[WhyStep] = []
    here, how = changed, "changed"
    while True:
        links = lineage.links.get(here.position, ())
        root = root_of(here, known=any(link.how == "caused" for link in links))
        foreign = elsewhere(ledger, tenant, here) if root is not None and root.kind == "unseen" else None
        steps.append(_step(ledger, here, how, None if foreign else root, bodies))
        if foreign is not None:
            first, *rest = _steps(ledger, tenant, foreign)
            return [*steps, first.model_copy(update={"how": "caused"}), *rest]
        if not links or (root is not None and root.kind == "person"):
            return steps
        here, how = events[links[0].position], links[0].how


def _step(ledger: "LogLedger", here: Recorded, how: str, root: Root | None, bodies: dict[str, PolicyUsed]) -> WhyStep:
    inputs, policy = decided(here.event)
    if policy is not None and policy not in bodies:
        bodies[policy] = policy_used(ledger, here.tenant, policy)
    used = None if policy is None else bodies[policy]
    return WhyStep(how=how, event=entry_of(here), inputs=inputs, policy=used, root=root)
