"""What is known of the end of a log in PostgreSQL, and to which streams others wrote since it was looked at."""

from redrive.domain.errors import StorageError
from redrive.ledger.concurrent import ConcurrentRecorder
from redrive.ledger.database import Row
from redrive.ledger.postgres.appending import LAST, MOST_NEWS, NEWS, NOWHERE, Place
from redrive.ledger.postgres.connection import PostgresConnection
from redrive.ledger.postgres.pipeline import Statement
from redrive.ledger.postgres.schema import META
from redrive.ledger.recorder import News


class HearingRecorder(ConcurrentRecorder):
    """The part of the recorder that hears the news: *_known* is the last event that it saw, None when it is not known;
    *_heard* are the streams that others wrote to, None when they are not."""

    writer: PostgresConnection
    _id: str
    _known: Place | None = None
    _heard: set[str] | None

    def __init__(self, **given: object) -> None:
        super().__init__(**given)
        self._heard = set()

    def _moved_on(self, known: Place, rows: list[Row]) -> None:
        """To which streams others wrote, up to where, beyond what was *known* when this transaction told its own
        positions."""
        position, recorded_at_ms, streams, _ = rows[0]
        if streams is not None and len(streams) > MOST_NEWS:
            self._heard = None
        elif self._heard is not None:
            self._heard.update(streams or ())
        self.shift = position - known.position
        told = self._known or known
        self._known = told._replace(
            position=told.position + self.shift, recorded_at_ms=max(told.recorded_at_ms, recorded_at_ms)
        )

    def heard(self) -> News:
        """What was heard of others since this was last asked."""
        if self._heard is None:
            self._require_same_log()
        heard, self._heard = self._heard, set()
        return News(heard, self._known.recorded_at_ms if self._known else 0)

    def distrust(self) -> None:
        """Anything is news."""
        self._known = None

    def _require_same_log(self) -> None:
        """Raises StorageError when the schema was filled with another log."""
        row = self.writer.execute(META, ("ledger_id",)).fetchone()
        if row is None or row[0] != self._id:
            raise StorageError(f"{self.path}: another log lies here now: open it anew")

    def _question(self) -> Statement:
        return (LAST, ()) if self._known is None else (NEWS, self._known)

    def _hear(self, rows: list[Row]) -> None:
        """Note to which streams others wrote, as far as it can be told."""
        known, self._known, told, new = self._known, NOWHERE, self._known is NOWHERE, None
        if rows:
            *last, stands, new = rows[0]
            self._known = Place(*last)
            told = known is not None and (stands or told) and last[0] - known.position <= MOST_NEWS
        if not told:
            self._heard = None
        elif self._heard is not None:
            self._heard.update(new or ())
