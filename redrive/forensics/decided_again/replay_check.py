"""The replay check: every decision of the log is made again by the code of today; a difference is drift."""

from collections import Counter
from operator import eq
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from redrive.domain.errors import InvalidValue
from redrive.domain.event import Event, Recorded, UnknownEvent
from redrive.forensics.decided_again.commits import decisions, end_of_decision
from redrive.forensics.decided_again.recorded_policies import RecordedPolicies
from redrive.forensics.decided_again.retrial import Differs, Retrial, take, unreadable
from redrive.forensics.decided_again.streams import Streams, recorded_flows
from redrive.forensics.footing import Footing, footing
from redrive.forensics.positions import Asked, position_of
from redrive.forensics.prefix import Progress
from redrive.projections.batch import collector_paused
from redrive.projections.models import Model

if TYPE_CHECKING:
    from redrive.engine import Engine


class Difference(Model):
    """A decision that the code of today would make otherwise. *fields* are the paths that differ, each with what was
    *recorded* and what was *recomputed*; *inputs* is what the rule was asked with."""

    position: int
    stream: str
    version: int
    run: str
    node: str | None
    rule: str
    topic: str
    recorded: dict[str, JsonValue] | None
    recomputed: dict[str, JsonValue] | None
    recomputed_topic: str | None
    fields: dict[str, tuple[JsonValue, JsonValue]]
    inputs: dict[str, JsonValue]
    why: str


class ReplayReport(Model):
    """What a replay check found. *checked* counts the decisions that were made again, by rule; *given* what was taken
    as recorded, by why; *first* is the first difference, *differences* counts all, by rule."""

    from_position: int
    to_position: int
    events: int
    checked: dict[str, int]
    given: dict[str, int]
    differences: dict[str, int]
    first: Difference | None
    unknown_events: int
    footing: Footing

    @property
    def same(self) -> bool:
        """Whether every decision would be made as it was."""
        return self.first is None


def replay_check_between(
    engine: "Engine", from_: "Asked | None", to: "Asked | None", progress: Progress | None = None
) -> ReplayReport:
    """The check between two moments, as people name them. Raises InvalidValue."""
    after = 0 if from_ is None else position_of(engine.ledger, from_).position
    until = engine.ledger.last_position() if to is None else position_of(engine.ledger, to).position
    if until < after:
        raise InvalidValue("to", to, f"a moment that is not before pos:{after}, where the check begins")
    after, until = end_of_decision(engine.ledger, after), end_of_decision(engine.ledger, until)
    with collector_paused():
        return replay_check(engine, after, until, progress)


def replay_check(engine: "Engine", after: int, until: int, progress: Progress | None = None) -> ReplayReport:
    """Make every decision beyond position *after*, up to *until*, again. Reads only."""
    checked: Counter[str] = Counter()
    given: Counter[str] = Counter()
    differences: Counter[str] = Counter()
    first: Difference | None = None
    events = unknown = 0
    ledger = engine.ledger
    flow_of = recorded_flows(ledger)
    streams, policies = Streams(ledger, flow_of), RecordedPolicies(ledger)

    for together in decisions(ledger.replay(after, until)):
        events += len(together)
        if why := unreadable(streams, together):
            unknown += sum(isinstance(recorded.event, UnknownEvent) for recorded in together)
            given[why] += 1
            take(streams, together)
        else:
            again = Retrial(streams, together, flow_of, eq)
            try:
                again.try_again(policies.of(together), checked, given)
            except Differs as differs:
                checked[differs.rule] += 1
                differences[differs.rule] += 1
                first = first or difference_of(differs, together)
                again.take_rest()
        streams.shrink()
        if progress is not None:
            progress(together[-1].position, until)
    return ReplayReport(
        from_position=after, to_position=until, events=events, checked=dict(checked), given=dict(given),
        differences=dict(differences), first=first, unknown_events=unknown, footing=footing(engine, until),
    )  # fmt: skip


def difference_of(differs: Differs, together: list[Recorded]) -> Difference:
    """What a person needs to see of a difference."""
    at = differs.recorded or together[-1]
    recorded = None if differs.recorded is None else _document(differs.recorded.event)
    recomputed = None if differs.recomputed is None else _document(differs.recomputed)
    return Difference(
        position=at.position,
        stream=at.stream,
        version=at.version,
        run=at.correlation,
        node=_node_of(recorded or {}) or _node_of(recomputed or {}),
        rule=differs.rule,
        topic=at.topic if differs.recorded is not None else "",
        recorded=recorded,
        recomputed=recomputed,
        recomputed_topic=None if differs.recomputed is None else differs.recomputed.TOPIC,
        fields=_differing(recorded, recomputed),
        inputs=_inputs(at, recorded or {}),
        why=differs.why,
    )


def _document(event: Event | UnknownEvent) -> dict[str, Any]:
    return {} if isinstance(event, UnknownEvent) else event.model_dump(mode="json")


def _node_of(document: dict[str, Any]) -> str | None:
    return document["node"] if isinstance(document.get("node"), str) else None


def _differing(one: Any, other: Any, path: str = "") -> dict[str, tuple[JsonValue, JsonValue]]:
    """The paths at which two documents differ, with both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        found: dict[str, tuple[JsonValue, JsonValue]] = {}
        for key in {**one, **other}:
            found |= _differing(one.get(key), other.get(key), f"{path}.{key}" if path else key)
        return found
    return {} if one == other or not path else {path: (one, other)}


_INPUTS = ("failure", "policy", "number", "lifetime", "elapsed_ms", "draw", "decided_at_ms")


def _inputs(at: Recorded, recorded: dict[str, Any]) -> dict[str, JsonValue]:
    """The inputs of a decision: the time always, the rest where a rule recorded it."""
    decision = recorded.get("decision") or {}
    named = {name: decision[name] for name in _INPUTS if name in decision}
    return {"now_ms": at.occurred_at_ms, "engine": at.engine, **named}
