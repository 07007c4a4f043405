"""What the eventsourcing library's application asks for: a mapper, and infrastructure that is a recorder and nothing
else. The committer needs neither: it makes rows by itself, and appends them within its transaction."""

from typing import Any, NoReturn

from eventsourcing.persistence import InfrastructureFactory, Mapper, StoredEvent, TrackingRecorder
from eventsourcing.utils import resolve_topic

from redrive.domain.event import Recorded
from redrive.domain.identity import StreamId
from redrive.ledger.mapper import LoggedEvent, decode, row_of
from redrive.ledger.recorder import LogRecorder


class EventMapper(Mapper[str]):
    """Maps ``Recorded`` to ``LoggedEvent`` and back."""

    def to_stored_event(self, domain_event: Recorded) -> LoggedEvent:  # type: ignore[override]
        """The row of an event, ready to insert."""
        return LoggedEvent(*row_of(domain_event))

    def to_domain_event(self, stored_event: StoredEvent) -> Recorded:
        """The event of a row. Raises StreamDamaged when the bytes of a known topic make no sense."""
        assert isinstance(stored_event, LoggedEvent)
        s = stored_event
        return decode(
            s.position, StreamId(str(s.originator_id)), s.originator_version, s.topic, s.state, s.tenant, s.correlation,
            s.recorded_at_ms,
        )  # fmt: skip


class LogFactory(InfrastructureFactory[TrackingRecorder]):
    """Makes the recorder that the environment names."""

    def application_recorder(self) -> LogRecorder:
        """A recorder, not connected yet."""
        recorder: type[LogRecorder] = resolve_topic(self.env.get("APPLICATION_RECORDER_TOPIC") or "")
        return recorder()

    def aggregate_recorder(self, purpose: str = "events") -> NoReturn:
        """Snapshots are not kept."""
        raise NotImplementedError(purpose)

    def tracking_recorder(self, tracking_recorder_class: Any = None) -> NoReturn:
        """Views keep their own positions."""
        raise NotImplementedError

    def process_recorder(self) -> NoReturn:
        """Processes write through the ledger."""
        raise NotImplementedError
