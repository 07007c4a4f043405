"""The fields of runs, nodes, dead letters, effects and compensations that can be asked after, as they stood after each
event."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from redrive.domain.aggregates import APPLIERS, BEGUN_BY
from redrive.domain.errors import InvalidValue, StreamDamaged, StreamReadOnly
from redrive.domain.event import Recorded, UnknownEvent
from redrive.domain.run.events import RunSubmitted
from redrive.domain.run.state import Run
from redrive.forensics.subjects import Found, own_events

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

Getter = Callable[[Any], Any]


def _failure(part: str) -> Getter:
    return lambda state: None if state.failure is None else getattr(state.failure, part)


def _plain(*names: str) -> dict[str, Getter]:
    return {name: attrgetter(name) for name in names}


_FAILURE = {"failure_class": _failure("failure_class"), "failure_reason": _failure("reason")}
FIELDS: Mapping[str, Mapping[str, Getter]] = {
    "run": {
        **_plain("status", "generation", "epoch", "due_ms", "queue_reason", "held_by", "finished_at_ms",
                 "pause_requested", "succeeded", "failing"),
        "worker": lambda run: run.claim.worker if run.claim else None,
        "lease_expires_ms": lambda run: run.claim.expires_at_ms if run.claim else None,
    },
    "dead letter": {
        **_plain("status", "dispatches", "granted", "recurrences", "lifetime", "not_before_ms", "resolution",
                 "compensation", "superseded", "fingerprint"),
        **_FAILURE,
    },
    "effect": {
        **_plain("status", "tries", "lifetime", "expires_at_ms", "receipt_digest", "did_not_happen"),
        **_FAILURE,
    },
    "compensation": {**_plain("status", "epoch", "worker", "due_ms", "outcome_unknown"), **_FAILURE},
}  # fmt: skip
OF_NODES: Mapping[str, Getter] = {
    **_plain("status", "number", "lifetime", "due_ms", "decided_by", "output"), **_FAILURE
}  # fmt: skip


def field_named(ledger: "LogLedger", of: Found, name: str) -> Getter:
    """What reads the field *name* of a state: ``status``, ``nodes.publish.status``. Raises InvalidValue."""
    if of.kind == "run" and name.startswith("nodes."):
        node, _, part = name.removeprefix("nodes.").rpartition(".")
        first = of.first.event
        known = ledger.committer.states.flow(of.tenant, first.flow).nodes if isinstance(first, RunSubmitted) else {}
        if node not in known:
            raise InvalidValue("field", name, _accepted("nodes.NODE.FIELD with a node of its flow", node, known))
        if part not in OF_NODES:
            raise InvalidValue("field", name, f"nodes.{node}. and one of {', '.join(OF_NODES)}")
        return lambda run: OF_NODES[part](run.nodes[node])
    fields = FIELDS[of.kind]
    if name not in fields:
        more = ", or nodes.NODE.FIELD" if of.kind == "run" else ""
        raise InvalidValue("field", name, f"one of {', '.join(fields)}{more}")
    return fields[name]


def _accepted(wanted: str, given: str, known: Mapping[Any, Any]) -> str:
    near = get_close_matches(given, known, n=1)
    return f"{wanted} (did you mean {near[0]!r}?)" if near else wanted


def changes(ledger: "LogLedger", of: Found, getter: Getter) -> Iterator[tuple[Recorded, Any, Any]]:
    """Every event that changed a field, with what it was before and after. Raises StreamReadOnly when an event of the
    stream is of a version that is not known here, for what it changed cannot be known; StreamDamaged when one does
    not follow from those before."""
    state = _blank(ledger, of)
    before: Any = None
    for one in own_events(ledger, of):
        if isinstance(one.event, UnknownEvent):
            raise StreamReadOnly(one.stream, one.event.topic)
        try:
            state.version += 1
            APPLIERS[type(state)][type(one.event)](state, one.event)
            after = getter(state)
        except (LookupError, AttributeError, TypeError, ValueError) as error:
            raise StreamDamaged(f"event {one.stream} version {one.version} does not follow: {error!r}") from error
        if after != before:
            yield one, before, after
            before = after


def _blank(ledger: "LogLedger", of: Found) -> Any:
    first = of.first.event
    if isinstance(first, RunSubmitted):
        return Run(flow=ledger.committer.states.flow(of.tenant, first.flow), tenant=of.tenant)
    if isinstance(first, UnknownEvent):
        raise StreamReadOnly(of.key, first.topic)
    return BEGUN_BY[type(first)](tenant=of.tenant)
