"""The eventsourcing application whose recorder and mapper are ours."""

from eventsourcing.application import Application

from redrive.ledger.persistence import EventMapper
from redrive.ledger.recorder import LogRecorder


class LogApplication(Application[str]):
    """An application over one log. The committer appends through its recorder, within its own transaction."""

    recorder: LogRecorder
    mapper: EventMapper

    def __init__(self, recorder: str) -> None:
        """*recorder* is the topic of its class: ``module:Class``."""
        super().__init__(
            {
                "PERSISTENCE_MODULE": "redrive.ledger.persistence:LogFactory",
                "ORIGINATOR_ID_TYPE": "text",
                "MAPPER_TOPIC": "redrive.ledger.persistence:EventMapper",
                "APPLICATION_RECORDER_TOPIC": recorder,
            }
        )

    def close(self) -> None:
        """Close every connection."""
        self.recorder.close()
        super().close()
