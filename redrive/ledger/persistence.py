"""The infrastructure that the library's application asks for: a recorder, and nothing else."""

from typing import Any, NoReturn

from eventsourcing.persistence import InfrastructureFactory, TrackingRecorder
from eventsourcing.utils import resolve_topic

from redrive.ledger.recorder import LogRecorder


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
