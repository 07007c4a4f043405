"""What a key names in the log, and which events are its story. Another tenant's key is not found."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from typing import TYPE_CHECKING

from redrive.domain.errors import NotFound
from redrive.domain.event import Recorded
from redrive.domain.identity import Tenant, note_stream_of
from redrive.domain.records import LimitSet, NoteWritten
from redrive.domain.run.events import RunQueued
from redrive.domain.values import clean_name
from redrive.forensics.timelines.timeline import Subject
from redrive.ledger.limit_book import LIMITS_STREAM
from redrive.ledger.mentions import first_of

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

PAGE = 1_000
KINDS: dict[str, Subject] = {
    "run": "run", "dead-letter": "dead letter", "effect": "effect", "compensation": "compensation"
}  # fmt: skip
CALLED = "run, dead letter, effect or compensation"


@dataclass(frozen=True, slots=True)
class Found:
    """What a key names: its *kind*, its *first* event, and the run (or effect outside runs) it belongs to; looked at
    up to position *until*."""

    key: str
    kind: Subject
    first: Recorded
    correlation: str
    tenant: Tenant
    until: int


def found(ledger: "LogLedger", tenant: Tenant | None, key: str, until: int) -> Found:
    """What *key* named at position *until*, for *tenant* (None: for whoever may read the whole log).

    Raises NotFound.
    """
    clean_name(key, "key")
    first = first_of(ledger.recorder, key)
    kind = KINDS.get(first.topic.partition(".")[0]) if first else None
    if first is None or kind is None or first.position > until or tenant not in (None, first.tenant):
        raise NotFound(CALLED, key)
    return Found(key, kind, first, first.correlation, first.tenant, until)


def own_events(ledger: "LogLedger", of: Found) -> list[Recorded]:
    """The events of its own stream."""
    return [one for one in ledger.stream(of.key) if one.position <= of.until and one.tenant == of.tenant]


def story(ledger: "LogLedger", of: Found, *, correlated: bool) -> Iterator[Recorded]:
    """The events of what was found, in log order: a run's with its effects, dead letters and compensations; of those,
    their own. *correlated*: with all of the run they belong to, and of the limits that held it back."""
    if not correlated and of.kind != "run":
        own = own_events(ledger, of)
        return merge(own, _notes(ledger, of, own), key=lambda one: one.position)
    if not correlated:
        return whole(ledger, of.correlation, of.tenant, of.until)
    told = {one.position: one for one in own_events(ledger, of)}
    told.update((one.position, one) for one in whole(ledger, of.correlation, of.tenant, of.until))
    cited = {use.limit for one in told.values() if isinstance(one.event, RunQueued) for use in one.event.limits}
    told.update((one.position, one) for one in _changes_of(ledger, cited, of))
    return iter([told[position] for position in sorted(told)])


def whole(ledger: "LogLedger", correlation: str, tenant: Tenant | None, until: int) -> Iterator[Recorded]:
    """The events with a correlation up to a position, by its index."""
    after = 0
    while page := ledger.correlated(correlation, after, PAGE):
        for one in page:
            if one.position > until:
                return
            if tenant in (None, one.tenant):
                yield one
        after = page[-1].position


def _notes(ledger: "LogLedger", of: Found, events: Iterable[Recorded]) -> Iterator[Recorded]:
    """What was written down about it, or about one of its events."""
    own = {of.key, *(one.event_id for one in events)}
    for one in ledger.stream(note_stream_of(of.tenant, of.correlation)):
        if isinstance(one.event, NoteWritten) and one.event.id in own and one.position <= of.until:
            yield one


def _changes_of(ledger: "LogLedger", limits: set[str], of: Found) -> Iterator[Recorded]:
    """Who changed these limits, as far as it may be seen."""
    for one in ledger.stream(LIMITS_STREAM) if limits else ():
        event = one.event
        name = event.limit.key if isinstance(event, LimitSet) else getattr(event, "limit", None)
        if one.position <= of.until and one.tenant == of.tenant and name in limits:
            yield one
