"""The eventsourcing application whose recorder and mapper are ours."""

from eventsourcing.application import Application

from redrive.ledger.mapper import EventMapper
from redrive.ledger.recorder import LogRecorder


class LogApplication(Application[str]):
    """An application over one SQLite log. The committer appends through its recorder, within its own transaction."""

    recorder: LogRecorder
    mapper: EventMapper

    def __init__(self, path: str, *, busy_timeout_ms: int, durable: bool) -> None:
        super().__init__(
            {
                "PERSISTENCE_MODULE": "eventsourcing.sqlite",
                "SQLITE_DBNAME": path,
                "ORIGINATOR_ID_TYPE": "text",
                "MAPPER_TOPIC": "redrive.ledger.mapper:EventMapper",
                "APPLICATION_RECORDER_TOPIC": "redrive.ledger.recorder:LogRecorder",
                "CREATE_TABLE": "no",
            }
        )
        self.recorder.open(path, busy_timeout_ms=busy_timeout_ms, durable=durable)

    def close(self) -> None:
        """Close every connection."""
        self.recorder.close()
        super().close()
