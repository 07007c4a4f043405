"""What followed from an event: forward along causes and facts, in its own correlation by the index, and beyond."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from redrive.domain.errors import NotFound
from redrive.domain.event import Recorded, UnknownEvent
from redrive.domain.identity import Tenant
from redrive.domain.records import FlowRegistered, LimitRemoved, LimitSet, PolicyRegistered
from redrive.forensics.causes.lineage import How, lineage_of
from redrive.forensics.causes.neighbours import apart, children_of
from redrive.forensics.causes.roots import claimed_together
from redrive.forensics.footing import Footing
from redrive.forensics.subjects import whole
from redrive.history import HistoryEntry, entry_of
from redrive.ledger.mentions import mentions
from redrive.projections.models import Model

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

MOST_GOVERNED = 10_000
CHUNK = 500


class BlastEvent(Model):
    """An event that followed: from the one at *parent*, *how* (caused, followed, governed), *depth* steps from the
    first. *stream* is the id of what it is about: its run, or a dead letter, an effect, a compensation."""

    position: int
    parent: int
    how: str
    depth: int
    recorded_at_ms: int
    topic: str
    stream: str
    run: str
    node: str | None
    actor: str
    event_id: str


class Blast(Model):
    """What followed from *event*, in log order: a tree by *parent*. *by_topic* counts it, *runs* are those it reached.

    *governed*: how many were decided under the policy, limit or flow that *event* set; what followed from those in
    turn is not among them. *complete* is false when there were more of these than are told.
    """

    event: HistoryEntry
    events: tuple[BlastEvent, ...]
    by_topic: dict[str, int]
    runs: tuple[str, ...]
    governed: int
    complete: bool
    footing: Footing | None = None


def blast_of(ledger: "LogLedger", tenant: Tenant | None, position: int, until: int) -> Blast:
    """What followed from the event at *position*, up to *until*. Raises NotFound."""
    told = ledger.at_positions([position])
    if not told or tenant not in (None, told[0].tenant):
        raise NotFound("event", str(position))
    first = told[0]
    found = _Found(ledger, tenant, until, {position: 0})
    waiting = [first]
    while waiting:
        seed = waiting.pop(0)
        found.follow(seed)
        waiting += found.beyond(seed)
    governed = found.govern(first)
    events = tuple(found.events[place] for place in sorted(found.events))
    return Blast(
        event=entry_of(first),
        events=events,
        by_topic=dict(sorted(Counter(one.topic for one in events).items())),
        runs=tuple(dict.fromkeys(one.run for one in events)),
        governed=governed,
        complete=governed < MOST_GOVERNED,
    )


@dataclass
class _Found:
    """What followed, by position; *depths* has the first event as well."""

    ledger: "LogLedger"
    tenant: Tenant | None
    until: int
    depths: dict[int, int]
    events: dict[int, BlastEvent] = field(default_factory=dict)

    def follow(self, seed: Recorded) -> None:
        """Add all that followed within the correlation of *seed*."""
        events = list(whole(self.ledger, seed.correlation, seed.tenant, self.until))
        links = lineage_of(events, children_of(self.ledger, events)).links
        for one in events:
            if one.position <= seed.position or one.position in self.depths:
                continue
            link = next((link for link in links[one.position] if link.position in self.depths), None)
            if link is not None:
                self._add(one, link.position, link.how)

    def beyond(self, seed: Recorded) -> list[Recorded]:
        """Add events of other correlations that were appended together with one of *seed*'s, because of it."""
        ids = {place: one.event_id for place, one in self.events.items() if one.run == seed.correlation}
        ids[seed.position] = seed.event_id
        found: list[Recorded] = []
        edge = sorted(place + 1 for place in ids if place + 1 not in self.depths and place < self.until)
        while edge:
            beside: list[int] = []
            for one in _at(self.ledger, edge):
                if one.position in self.depths or not apart(one.event_id, ids[one.position - 1]):
                    continue
                ids[one.position] = one.event_id
                beside.append(one.position + 1)
                cause = one.causation
                back = apart(one.event_id, cause.id) if cause is not None and cause.kind == "event" else 0
                if back and one.position - back in self.depths and not claimed_together(one) and self._may_see(one):
                    self._add(one, one.position - back, "caused")
                    found.append(one)
            edge = [place for place in beside if place not in self.depths and place <= self.until]
        return found

    def govern(self, first: Recorded) -> int:
        """Add what was decided under the policy, limit or flow that an event set, and count it."""
        name = governing(first)
        found = [] if name is None else list(islice(self._under(name, first), MOST_GOVERNED))
        for one in found:
            self._add(one, first.position, "governed")
        return len(found)

    def _under(self, name: str, first: Recorded) -> Iterator[Recorded]:
        """What was decided under what is called *name*: found in the log beyond *first*."""
        for one in mentions(self.ledger.recorder, name, first.position, self.until):
            if isinstance(first.event, (LimitSet, LimitRemoved)) and governing(one) == name:
                return  # from here on another holds
            if one.position in self.depths or not self._may_see(one) or not _is_under(one, name):
                continue
            if isinstance(first.event, PolicyRegistered | FlowRegistered) and one.tenant != first.tenant:
                continue
            yield one

    def _may_see(self, one: Recorded) -> bool:
        return self.tenant in (None, one.tenant)

    def _add(self, one: Recorded, parent: int, how: How) -> None:
        depth = self.depths[one.position] = self.depths[parent] + 1
        node = None if isinstance(one.event, UnknownEvent) else getattr(one.event, "node", None)
        self.events[one.position] = BlastEvent(
            position=one.position,
            parent=parent,
            how=how,
            depth=depth,
            recorded_at_ms=one.recorded_at_ms,
            topic=one.topic,
            stream=one.stream,
            run=one.correlation,
            node=node or None,
            actor=f"{one.actor.kind}:{one.actor.id}",
            event_id=one.event_id,
        )


def _at(ledger: "LogLedger", places: Sequence[int]) -> Iterator[Recorded]:
    for n in range(0, len(places), CHUNK):
        yield from ledger.at_positions(places[n : n + CHUNK])


def governing(one: Recorded) -> str | None:
    """The policy, limit or flow that an event set."""
    match one.event:
        case PolicyRegistered(policy=name) | FlowRegistered(flow=name) | LimitRemoved(limit=name):
            return str(name)
        case LimitSet(limit=limit):
            return limit.key
        case _:
            return None


def _is_under(one: Recorded, name: str) -> bool:
    """Whether an event was decided under what is called *name*; a text that only mentions it was not."""
    event = one.event
    decision = getattr(event, "decision", None)
    uses = getattr(event, "limits", ()) or ()
    cited = {getattr(decision, "policy", None), getattr(event, "policy", None), getattr(event, "flow", None)}
    return name in cited | {use.limit for use in uses}
