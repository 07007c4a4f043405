"""The states of streams as they stood before a position: folded as the log is read, read again once dropped."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redrive.domain.aggregates import APPLIERS, BEGUN_BY, QUIET
from redrive.domain.errors import StreamUnreadable
from redrive.domain.event import Event, Recorded, UnknownEvent
from redrive.domain.flow import Flow
from redrive.domain.identity import FlowDigest, Tenant
from redrive.domain.run.events import RunSubmitted
from redrive.domain.run.state import Run
from redrive.forensics.decided_again.encrypted_payloads import Erasures
from redrive.ledger.agenda_rows import State
from redrive.ledger.database import Row
from redrive.ledger.mapper import shown

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

MOST_EVENTS = 100_000
"""How many events the states in memory were folded from, together."""


@dataclass(slots=True)
class Stream:
    """A stream in memory: its *state* (None when it cannot be read), the position of its first event, and the *weight*
    that it was counted with. It is not *whole* where a bundle holds but its end."""

    id: str
    state: State | None
    created: int
    unknown: bool = False
    moved_by: str = ""
    weight: int = 0
    whole: bool = True

    def fold(self, event: Event | UnknownEvent, event_id: str = "") -> None:
        """Fold one event; what follows an unknown one cannot be understood."""
        state = self.state
        if isinstance(event, UnknownEvent):
            self.unknown = True
        elif not self.unknown and state is not None:
            kind = event.__class__
            state.version += 1
            APPLIERS[state.__class__][kind](state, event)  # as ``Evolve`` does: this is on the way of every event
            if kind not in QUIET:
                self.moved_by = event_id


class Streams:
    """The streams of a log, least recently used dropped first. *flow_of* may give other flows than the log's."""

    def __init__(self, ledger: "LogLedger", flow_of: "FlowOf") -> None:
        self._ledger = ledger
        self._flow_of = flow_of
        self._known: OrderedDict[str, Stream] = OrderedDict()
        self._events = 0
        self.erasures = Erasures(ledger)

    def get(self, id_: str, before: int) -> Stream | None:
        """A stream as it stood before the position *before*; None when it had not begun."""
        found = self._known.get(id_)
        if found is None:
            return self._read(id_, before)
        self._known.move_to_end(id_)
        return found

    def lacks_flow(self, recorded: Recorded) -> bool:
        """Whether *recorded* submits a run whose flow is not here, or cannot be read."""
        if not isinstance(recorded.event, RunSubmitted):
            return False
        try:
            self._flow_of(recorded.tenant, recorded.event.flow, recorded.event.automation)
        except StreamUnreadable:
            return True
        return False

    def begin(self, recorded: Recorded) -> Stream:
        """The stream that *recorded* begins, before it is folded."""
        whole = recorded.version == 1
        state = blank(recorded, self._flow_of) if whole else None
        stream = Stream(recorded.stream, state, recorded.position, whole=whole)
        self.forget(recorded.stream)
        self._known[recorded.stream] = stream
        self._weigh(stream)
        return stream

    def fold(self, stream: Stream, recorded: Recorded) -> None:
        """Fold what the log holds next of a stream that was got."""
        stream.fold(recorded.event, recorded.event_id)
        self._weigh(stream)

    def forget(self, id_: str) -> None:
        """Drop a stream; it is read again when it is asked for."""
        if (stream := self._known.pop(id_, None)) is not None:
            self._events -= stream.weight

    def knows(self, id_: str) -> bool:
        """Whether a stream is in memory."""
        return id_ in self._known

    def learn(self, events: Iterable[Recorded], id_: str) -> Stream | None:
        """Fold the stream *id_* from *events*, which hold all that it has so far, and may hold others."""
        stream: Stream | None = None
        for recorded in events:
            if recorded.stream == id_:
                stream = self.begin(recorded) if stream is None else stream
                stream.fold(recorded.event, recorded.event_id)
        if stream is not None:
            self._weigh(stream)
        return stream

    def shrink(self) -> None:
        """Drop what was used least recently, between two decisions."""
        while self._events > MOST_EVENTS and len(self._known) > 1:
            _, stream = self._known.popitem(last=False)
            self._events -= stream.weight

    def follow(self, rows: Iterable[Row]) -> None:
        """Fold what the log holds next, of the streams that are in memory."""
        for row in rows:
            if (stream := self._known.get(row[1])) is not None:
                self.fold(stream, shown([row])[0])

    def _read(self, id_: str, before: int) -> Stream | None:
        rows = self._ledger.recorder.rows_of(id_, 0)
        events = shown([row for row in rows if row[0] < before])
        return self.learn(events, id_)

    def _weigh(self, stream: Stream) -> None:
        weight = 1 if stream.state is None else stream.state.version
        self._events += weight - stream.weight
        stream.weight = weight


FlowOf = Callable[[Tenant, FlowDigest, str], Flow]
"""The flow of a run: by its tenant, its digest and the automation."""


def recorded_flows(ledger: "LogLedger") -> FlowOf:
    """The flows as the log has them."""
    flow_of = ledger.committer.states.flow
    return lambda tenant, digest, _automation: flow_of(tenant, digest)


def blank(first: Recorded, flow_of: FlowOf) -> State | None:
    """The state of a stream before *first*, which begins it; None when it begins nothing that is decided about."""
    if isinstance(first.event, RunSubmitted):
        return _run_of(first, first.event, flow_of)
    kind = BEGUN_BY.get(first.event.__class__)
    return None if kind is None else kind(tenant=first.tenant)


def _run_of(first: Recorded, event: RunSubmitted, flow_of: FlowOf) -> Run | None:
    """The run that *first* submits; None when its flow cannot be read."""
    try:
        flow = flow_of(first.tenant, event.flow, event.automation)
    except StreamUnreadable:
        return None
    return Run(flow=flow, tenant=first.tenant, id=event.run)
