"""Why something is as it is: the event that changed it last, and what that followed from, back to a root."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic_core import to_jsonable_python

from redrive.domain.dead_letter.events import DeadLetterNoted
from redrive.domain.errors import InvalidValue, NotFound
from redrive.domain.event import Event, Recorded, UnknownEvent
from redrive.domain.identity import PolicyId, Tenant, policy_stream_of
from redrive.domain.records import PolicyRegistered
from redrive.domain.run.events import NoteAdded, RunSubmitted
from redrive.forensics.fields import changes, field_named
from redrive.forensics.footing import Footing
from redrive.forensics.lineage import Children, How, Link, lineage_of
from redrive.forensics.roots import Root, root_of
from redrive.forensics.subjects import Found, found, whole
from redrive.history import HistoryEntry, entry_of

if TYPE_CHECKING:
    from redrive.ledger.ledger import SqliteLedger

_NOTES = (NoteAdded, DeadLetterNoted)


class PolicyUsed(BaseModel):
    """A policy that a decision was made by: its *id*, its *kind* and its *body*, as the log keeps it. No body: the
    event that registered it is not in this log."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str | None
    body: JsonValue


class WhyStep(BaseModel):
    """A step back. *how* it leads to the step before it: ``changed`` (the first), ``caused`` (the log stores it) or
    ``followed`` (the facts say it). *inputs* are those of the decision that the event holds, *policy* is what it was
    decided by, *root* what the stored cause is when it is no event."""

    model_config = ConfigDict(frozen=True)

    how: str
    event: HistoryEntry
    inputs: dict[str, JsonValue]
    policy: PolicyUsed | None
    root: Root | None


class Why(BaseModel):
    """Why *field* of *key* (None: anything of it) is as it is at the footing's position: *before* and *after* are its
    values around the event that changed it last. *steps* go back to a root: the last one has it."""

    model_config = ConfigDict(frozen=True)

    key: str
    subject: str
    field: str | None
    before: JsonValue
    after: JsonValue
    steps: tuple[WhyStep, ...]
    footing: Footing | None = None


def why_of(ledger: "SqliteLedger", tenant: Tenant | None, asked: str, until: int) -> Why:
    """Why ``KEY`` or ``KEY.field`` is as it is at position *until*. Raises NotFound, InvalidValue, StreamReadOnly."""
    if not isinstance(asked, str):
        raise InvalidValue("key", asked, "an id, or an id, a dot and the name of a field, as text")
    key, dot, name = asked.partition(".")
    of = found(ledger, tenant, key, until)
    before: Any = None
    after: Any = None
    if dot:
        last = None
        for last, before, after in changes(ledger, of, field_named(ledger, of, name)):
            pass
        changed = last or of.own[0]
    else:
        changed = next((one for one in reversed(of.own) if not isinstance(one.event, _NOTES)), of.own[-1])
    return Why(
        key=key,
        subject=of.kind,
        field=name if dot else None,
        before=to_jsonable_python(before),
        after=to_jsonable_python(after),
        steps=tuple(_steps(ledger, of, changed)),
    )


def why_event(ledger: "SqliteLedger", tenant: Tenant | None, position: int) -> Why:
    """Why the event at *position* was appended. Raises NotFound."""
    told = ledger.at_positions([position])
    if not told or tenant not in (None, told[0].tenant):
        raise NotFound("event", str(position))
    one = told[0]
    of = Found(one.stream, "run", (one,), one.correlation, one.tenant, position)
    steps = tuple(_steps(ledger, of, one))
    return Why(key=str(position), subject="event", field=None, before=None, after=None, steps=steps)


def _steps(ledger: "SqliteLedger", of: Found, changed: Recorded) -> list[WhyStep]:
    """Back from an event, until nothing is known to have come before: an operator decided, or it all began."""
    events = {one.position: one for one in whole(ledger, changed.correlation, of.tenant, changed.position)}
    lineage = lineage_of(events.values(), children_of(ledger, events.values()))
    bodies: dict[str, PolicyUsed] = {}
    steps: list[WhyStep] = []
    here: Recorded | None = changed
    how: How | str = "changed"
    while here is not None:
        links = lineage.links.get(here.position, ())
        root = root_of(here, known=any(link.how == "caused" for link in links))
        inputs, policy = _decided(here.event)
        used = None if policy is None else bodies.setdefault(policy, _policy(ledger, here.tenant, policy))
        steps.append(WhyStep(how=how, event=entry_of(here), inputs=inputs, policy=used, root=root))
        link = None if root is not None and root.kind == "person" else next(iter(links), None)
        if link is None and root is not None and root.kind == "unseen":
            here, how = _elsewhere(ledger, of.tenant, here), "caused"
            if here is not None:
                steps[-1] = steps[-1].model_copy(update={"root": None})
                more = _steps(ledger, of, here)
                return [*steps, more[0].model_copy(update={"how": "caused"}), *more[1:]]
        elif link is None:
            here = None
        else:
            here, how = events[link.position], link.how
    return steps


def _elsewhere(ledger: "SqliteLedger", tenant: Tenant, effect: Recorded) -> Recorded | None:
    """The event that an event names as its cause, in another correlation: looked for among those before it that were
    appended with it, and then in the whole log before it."""
    wanted = effect.causation.id if effect.causation else ""
    position = effect.position - _apart(effect.event_id, wanted)
    for one in ledger.at_positions([position]) if 0 < position < effect.position else ():
        if one.event_id == wanted:
            return one if one.tenant == tenant else None
    return found_before(ledger, tenant, wanted, effect.position)


def _apart(later: str, earlier: str) -> int:
    """How many positions lie between two events of one transaction: their ids count on from one number."""
    if len(later) == len(earlier) == _ID and later[:-_COUNT] == earlier[:-_COUNT]:
        return int(later[-_COUNT:], 16) - int(earlier[-_COUNT:], 16)
    return 0


_ID, _COUNT = 24, 4


def found_before(ledger: "SqliteLedger", tenant: Tenant, event_id: str, before: int) -> Recorded | None:
    """An event of *tenant* by its id, if it stands before a position."""
    from redrive.ledger.moments import position_of_event

    place = position_of_event(ledger.recorder, event_id, str(tenant)) if event_id else None
    return ledger.at_positions([place])[0] if place is not None and place < before else None


def children_of(ledger: "SqliteLedger", events: Any) -> Children:
    """The graph of the flow that the run among *events* executes; empty when it cannot be read."""
    from redrive.domain.errors import StorageError, StreamUnreadable

    for one in events:
        if isinstance(one.event, RunSubmitted):
            try:
                return ledger.committer.states.flow(one.tenant, one.event.flow).children
            except (StreamUnreadable, StorageError):
                return {}
    return {}


def _decided(event: Event | UnknownEvent) -> tuple[dict[str, JsonValue], str | None]:
    """What a decision was made from, and the id of the policy it was made by."""
    if isinstance(event, UnknownEvent):
        return {}, None
    body = event.model_dump(mode="json")
    decision = body.get("decision")
    inputs = decision if isinstance(decision, dict) else {n: body[n] for n in _INPUTS.get(event.TOPIC, ()) if n in body}
    policy = (decision or body).get("policy") if isinstance(decision, dict) or "policy" in inputs else None
    return inputs, policy


_INPUTS = {
    "dead-letter.retry-dispatched": ("count", "budget", "backoff_ms", "not_before_ms", "dispatched_at_ms", "policy"),
    "dead-letter.retry-exhausted": ("dispatches", "budget", "policy"),
    "dead-letter.opened": ("verdict", "failure", "number", "lifetime", "override_allowed"),
    "dead-letter.recurred": ("verdict", "failure", "status", "renewed"),
    "run.retry-backoff-scheduled": ("backoff_ms", "retry_after_ms", "next_number", "max_attempts"),
    "run.queued": ("reason", "due_ms", "limits"),
    "run.claimed": ("limits", "lease_ms"),
    "run.claim-abandoned": ("why", "expires_at_ms"),
    "run.requeued": ("cause", "generation", "roots", "reset_count"),
}


def _policy(ledger: "SqliteLedger", tenant: Tenant, id_: str) -> PolicyUsed:
    for one in ledger.stream(policy_stream_of(tenant, PolicyId(id_))):
        if isinstance(one.event, PolicyRegistered):
            return PolicyUsed(id=id_, kind=one.event.kind, body=one.event.body)
    return PolicyUsed(id=id_, kind=None, body=None)


__all__ = ["Link", "PolicyUsed", "Why", "WhyStep", "why_event", "why_of"]
