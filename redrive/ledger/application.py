"""The eventsourcing application whose recorder and mapper are ours."""

from eventsourcing.application import Application
from eventsourcing.utils import Environment, EnvType

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

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """What is given here, and nothing else: variables such as CIPHER_TOPIC, COMPRESSOR_TOPIC or
        POSTGRES_ENABLE_DB_FUNCTIONS are for the host's own applications of the library."""
        return Environment(name, env)

    def close(self) -> None:
        """Close every connection."""
        self.recorder.close()
        super().close()
