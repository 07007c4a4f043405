"""The states of aggregates in memory: folded once, then only from newer events; bounded by bytes."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from redrive.domain.aggregates import APPLIERS, BEGUN_BY, QUIET
from redrive.domain.errors import (
    PayloadDestroyed,
    PayloadLocked,
    StreamDamaged,
    StreamReadOnly,
    StreamUnreadable,
)
from redrive.domain.event import Cause, CauseKind, Event, Recorded, UnknownEvent
from redrive.domain.flow import Flow
from redrive.domain.identity import EventId, FlowDigest, Tenant
from redrive.domain.payloads import EXECUTING
from redrive.domain.records import RECORDS
from redrive.domain.run.events import RunSubmitted
from redrive.domain.run.state import Run
from redrive.ledger.agenda_rows import AgendaRow, State
from redrive.ledger.database import Connection, Row
from redrive.ledger.flows import Flows
from redrive.ledger.mapper import decode, event_id_of
from redrive.ledger.recorder import LogRecorder

BYTES_PER_NODE = 400
BYTES_PER_STORED_BYTE = 3


@dataclass(slots=True)
class Entry:
    """A stream in memory. *created* is the position of its first event, *rows* what the agenda holds of it
    (None: not known), *checked* the count of foreign changes after which it was last compared with the log, *head* its
    last event."""

    stream: str
    state: State
    created: int
    size: int = 0
    checked: int = -1
    rows: tuple[AgendaRow, ...] | None = None
    moved_by: EventId = EventId("")
    head: EventId = EventId("")
    unknown: str = ""
    destroyed: bool = False

    def apply(self, event: Event, event_id: EventId) -> None:
        """Fold one event, as ``Evolve`` does: without a call for it, because this is on the way of every event."""
        state, kind = self.state, type(event)
        state.version += 1
        APPLIERS[type(state)][kind](state, event)
        self.head = event_id
        if kind not in QUIET:
            self.moved_by = event_id

    def require_writable(self, events: Sequence[Event] = ()) -> None:
        """Raises StreamReadOnly when the stream holds an event that this version does not know, PayloadDestroyed when
        *events* would have work done with a payload that is gone."""
        if self.unknown:
            raise StreamReadOnly(self.stream, self.unknown)
        if self.destroyed and any(event.__class__ in EXECUTING for event in events):
            raise PayloadDestroyed(self.stream)


class States:
    """The cache. All use is under the writer's lock."""

    def __init__(self, recorder: LogRecorder, most_bytes: int) -> None:
        self._recorder = recorder
        self._most_bytes = most_bytes
        self._bytes = 0
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._read_ahead: dict[str, tuple[int, list[Row]]] = {}  # beyond a version
        self.flows = Flows(recorder)
        self.foreign_changes = 0

    def get(self, stream: str) -> Entry | None:
        """The stream as of now, or None when it has no event."""
        entry = self._entries.get(stream)
        if entry is None:
            return self._load(stream)
        self._entries.move_to_end(stream)
        if entry.checked != self.foreign_changes and not self._brought_up(entry):
            self.forget(stream)
            return self._load(stream)
        return entry

    def read_ahead(self, streams: Iterable[str]) -> Collection[str]:
        """Read at once what is not known as of now of *streams*, which are about to be asked for one after the other
        in this transaction; which these are. Of none: what was read and not asked for is forgotten."""
        wanted = {}
        for stream in streams:
            if self.is_old(stream):
                entry = self._entries.get(stream)
                wanted[stream] = 0 if entry is None else entry.state.version - 1
        rows = self._recorder.rows_of_each(wanted) if len(wanted) > 1 else {}
        self._read_ahead = {stream: (wanted[stream], found) for stream, found in rows.items()}
        return wanted.keys()

    def were_read(self, rows: list[Row]) -> list[str]:
        """All *rows* of some streams, which are about to be asked for in this transaction; which these are."""
        each: dict[str, list[Row]] = {}
        for row in rows:
            each.setdefault(row[1], []).append(row)
        self._read_ahead.update((stream, (0, found)) for stream, found in each.items())
        return list(each)

    def is_old(self, stream: str) -> bool:
        """Whether a stream is not known as of now."""
        return self.known(stream) is None

    def known(self, stream: str) -> State | None:
        """The state of a stream that is in memory as of now, else None."""
        entry = self._entries.get(stream)
        return None if entry is None or entry.checked != self.foreign_changes else entry.state

    def _rows_of(self, stream: str, after: int) -> list[Row]:
        known, rows = self._read_ahead.pop(stream, (after + 1, ()))
        if known > after:
            return self._recorder.rows_of(stream, after, self._recorder.writer)
        return [row for row in rows if row[2] > after]

    def _brought_up(self, entry: Entry) -> bool:
        """Fold what others wrote to a stream; False when it does not go on from what is known: the log was restored to
        an earlier moment, and others may have gone on from there."""
        version = entry.state.version
        rows = self._rows_of(entry.stream, version - 1)
        if not rows or rows[0][2] != version or event_id_of(rows[0][4]) != entry.head:
            return False
        self._recorder.heads[entry.stream] = rows[-1][2]
        if len(rows) > 1:
            entry.rows = None
            self._fold(entry, [_required(decode(*row)) for row in rows[1:]], rows[1:])
            self._letters_moved(entry.state)
        entry.checked = self.foreign_changes
        return True

    def _letters_moved(self, state: State) -> None:
        """Whoever moved a run made its letters due, or not: what is remembered of their rows is void."""
        if isinstance(state, Run):
            self.rows_changed((*state.dead_letters.values(), *state.effect_letters.values()))

    def readable(self, stream: str) -> Entry | None:
        """The stream as of now, or None when it has no event or cannot be understood in full."""
        try:
            entry = self.get(stream)
        except StreamUnreadable:
            return None
        return None if entry is None or entry.unknown else entry

    def begin(self, entry: Entry) -> None:
        """Keep a stream that this process begins: it was found empty, so the agenda holds nothing of it."""
        entry.checked, entry.rows = self.foreign_changes, ()
        self._keep(entry)

    def forget(self, stream: str) -> None:
        """Drop a stream whose events were not committed; it will be read again."""
        entry = self._entries.pop(stream, None)
        if entry is not None:
            self._bytes -= entry.size

    def look_again(self, stream: str) -> None:
        """Others wrote to a stream: compare it with the log before it is used."""
        self._read_ahead.clear()
        if (entry := self._entries.get(stream)) is not None:
            entry.checked = -1

    def forget_all(self) -> None:
        """Drop everything: what was read may not be used any more."""
        self._entries.clear()
        self._read_ahead.clear()
        self._bytes = 0

    def rows_changed(self, subjects: Iterable[str]) -> None:
        """The agenda's rows of *subjects* were changed in bulk: what is remembered of them is void."""
        for subject in subjects:
            if subject in self._entries:
                self._entries[subject].rows = None

    def rows_unknown(self) -> None:
        """The whole agenda was written anew."""
        self.rows_changed(tuple(self._entries))

    def shrink(self) -> None:
        """Drop what was used least recently until the bound holds."""
        while self._bytes > self._most_bytes and len(self._entries) > 1:
            self.forget(next(iter(self._entries)))

    def grew(self, entry: Entry, stored_bytes: int) -> None:
        """Account for events that were appended."""
        size = stored_bytes * BYTES_PER_STORED_BYTE
        entry.size += size
        self._bytes += size

    def flow(self, tenant: Tenant, digest: FlowDigest, connection: Connection | None = None) -> Flow:
        """A flow that the log has, as *connection* sees it. Raises StreamReadOnly when a newer version wrote it."""
        return self.flows.flow(tenant, digest, connection)

    def fold(self, rows: list[Row]) -> State | None:
        """The state after *rows* of one stream, beside the cache: for reading, also of a past moment."""
        events = [decode(*row) for row in rows]
        if not events or isinstance(events[0].event, RECORDS):
            return None
        entry = Entry(events[0].stream, self._blank(events[0]), created=rows[0][0])
        self._fold(entry, events, rows, kept=False)
        return entry.state

    def _load(self, stream: str) -> Entry | None:
        rows = self._rows_of(stream, 0)
        if not rows:
            self._recorder.heads[stream] = 0  # the first event of a new stream need not look again
            return None
        events = [_required(decode(*row)) for row in rows]
        if isinstance(events[0].event, RECORDS):
            return None
        self._recorder.heads[stream] = rows[-1][2]
        entry = Entry(
            stream, self._blank(events[0], self._recorder.writer), created=rows[0][0], checked=self.foreign_changes
        )
        if isinstance(entry.state, Run):
            entry.size = BYTES_PER_NODE * len(entry.state.flow)
        self._fold(entry, events, rows, kept=False)
        self._letters_moved(entry.state)
        self._keep(entry)
        return entry

    def _blank(self, first: Recorded, connection: Connection | None = None) -> State:
        match first.event:
            case RunSubmitted(flow=digest):
                return Run(flow=self.flows.flow(first.tenant, digest, connection), tenant=first.tenant)
            case UnknownEvent(topic=topic):
                raise StreamReadOnly(first.stream, topic)
            case event if (kind := BEGUN_BY.get(type(event))) is not None:
                return kind(tenant=first.tenant)
        raise StreamDamaged(f"stream {first.stream} begins with {first.topic}, which begins nothing")

    def _fold(self, entry: Entry, events: list[Recorded], rows: list[Row], kept: bool = True) -> None:
        for recorded in events:
            if isinstance(recorded.event, UnknownEvent):
                entry.unknown = entry.unknown or recorded.event.topic
                entry.state.version += 1
            elif entry.unknown:
                entry.state.version += 1  # what follows an unknown event cannot be understood
            else:
                self._apply(entry, recorded)
        if any(recorded.payload for recorded in events):
            entry.destroyed = True
        entry.head = events[-1].event_id
        if entry.state.id != entry.stream:
            raise StreamDamaged(f"stream {entry.stream} cannot be read: its first event names {entry.state.id}")
        if entry.state.version != rows[-1][2]:
            self.forget(entry.stream)
            raise StreamDamaged(f"stream {entry.stream} cannot be read: it ends with version {rows[-1][2]}, with holes")
        size = BYTES_PER_STORED_BYTE * sum(len(row[4]) for row in rows)
        entry.size += size
        if kept:
            self._bytes += size

    def _apply(self, entry: Entry, recorded: Recorded) -> None:
        assert not isinstance(recorded.event, UnknownEvent)
        try:
            entry.apply(recorded.event, recorded.event_id)
        except Exception as error:
            self.forget(entry.stream)
            where = f"event {recorded.stream} version {recorded.version} ({recorded.topic})"
            raise StreamDamaged(
                f"{where} cannot be read: it does not follow from those before it: {error!r}"
            ) from error

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.stream] = entry
        self._bytes += entry.size


def _required(recorded: Recorded) -> Recorded:
    """An event that a decision rests on. Raises PayloadLocked when its payload is encrypted, and the key not here."""
    if recorded.payload == "locked":
        raise PayloadLocked(recorded.stream)
    return recorded


def cause_of(kind: CauseKind, id_: str) -> Cause:
    """A cause, made by what its constructor ends with: this is on the way of every command."""
    return tuple.__new__(Cause, (kind, id_))
