"""What one decision reads: states under the write lock, and which of them must not have moved when it is written."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from redrive.domain.errors import InvalidValue, NotFound, StreamUnreadable
from redrive.domain.event import Cause, Event, Recorded
from redrive.domain.identity import CompensationId, DeadLetterId, EffectId, RunId, StreamId
from redrive.domain.ports import Caller
from redrive.ledger.agenda_rows import State
from redrive.ledger.finding import Finding, S
from redrive.ledger.mapper import shown
from redrive.ledger.states import Entry, cause_of

if TYPE_CHECKING:
    from redrive.ledger.committer import Committer

SPREAD = 16


class Reading(Finding):
    """The half of a transaction that reads."""

    __slots__ = ("_committer", "_missed", "_read", "_seen", "_written", "caller", "now_ms")

    @property
    def spread(self) -> int:
        """Among how many of the oldest due runs a claim chooses: 1 where who decides holds the write lock, so that
        nobody else tries for the same run, and where nobody was met lately."""
        return SPREAD if self._committer.ahead and self._committer.contended else 1

    def __init__(self, committer: "Committer", caller: Caller, now_ms: int) -> None:
        self._committer = committer
        self.caller = caller
        self.now_ms = now_ms
        self._read: dict[str, int] = {}
        self._missed: set[str] = set()
        self._seen: dict[str, Entry] = {}
        self._written: dict[str, Entry] = {}

    def draw(self) -> float:
        """A die in [0, 1)."""
        return self._committer.dice()

    def _find(self, id_: str, kind: type[S]) -> S | None:
        entry = self._entry(id_)
        return entry.state if entry and isinstance(entry.state, kind) else None

    def _get(self, id_: str, kind: type[S], noun: str) -> S:
        entry = self._entry(id_)  # not by _find: this is on the way of every command
        if entry is None or not isinstance(entry.state, kind):
            raise NotFound(noun, id_)
        return entry.state

    def find_state(self, stream: str) -> State | None:
        """The state of any record as of now; None for a stream that is none. Raises StreamUnreadable."""
        entry = self._entry(stream)
        if entry is not None:
            entry.require_writable()
        return None if entry is None else entry.state

    def readable(self, id_: RunId | DeadLetterId | EffectId | CompensationId) -> bool:
        """Whether this version knows every event of a stream, so that it may be continued; also of one that has none
        yet. What it does not know is left alone."""
        try:
            entry = self._entry(id_)
        except StreamUnreadable:
            return False
        return entry is None or not (entry.unknown or entry.destroyed)

    def require_writable(self, stream: str, events: Sequence[Event] = ()) -> None:
        """Raises StreamReadOnly when a stream that was read holds an event that this version does not know,
        PayloadDestroyed when *events* would have work done with a payload that is gone."""
        self._require(stream).require_writable(events)

    def moved_by(self, id_: DeadLetterId) -> Cause:
        """The last event that changed a dead letter, as a cause."""
        return cause_of("event", self._require(id_).moved_by)

    def last_record(self, stream: StreamId) -> list[Recorded]:
        """The last event of a stream of records, which still is the last when this decision is written; none where
        there is none."""
        recorder = self._committer.recorder
        version = self._read[stream] = recorder.head(stream)
        return shown(recorder.rows_of(stream, version - 1, recorder.writer)) if version else []

    def _entry(self, stream: str) -> Entry | None:
        if not isinstance(stream, str):
            raise InvalidValue("id", stream, "the id of a run, dead letter, effect or compensation, as text")
        if (seen := self._seen.get(stream)) is not None:  # a command looks at the same stream again and again
            return seen
        entry = self._committer.states.get(stream)
        if entry is None:
            self._missed.add(stream)
            return None
        tenant = self.caller.tenant
        state = entry.state
        if tenant is not None and state.tenant is not tenant and state.tenant != tenant:
            return None
        if stream not in self._written:
            self._read[stream] = state.version
        self._seen[stream] = entry
        return entry

    def _require(self, stream: str) -> Entry:
        entry = self._seen.get(stream) or self._entry(stream)
        assert entry is not None, f"stream {stream} was not read before it was written"
        return entry
