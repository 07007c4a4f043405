"""What a view says about itself: which log it was folded from, up to which event, and by which code."""

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, Self

from sqlite_utils import Database

from redrive.domain.event import Recorded
from redrive.projections import fold
from redrive.projections.batch import Batch
from redrive.projections.view_file import APPLICATION_ID


class PayloadGoneError(Exception):
    """A key was destroyed: what was folded with it must not stay in the file."""


class Source(Protocol):
    """The log, as far as a view needs it."""

    @property
    def id(self) -> str:
        """Which log this is."""

    def replay(self, after: int = 0, until: int | None = None, batch: int = 256) -> Iterator[list[Recorded]]:
        """The log beyond position *after*, batch by batch."""

    def tip(self) -> tuple[Any, ...]:
        """The last event: its position, 0 when the log is empty, and what tells it from another one that came to stand
        there, where a log may be restored and grow again."""

    def event_id_at(self, position: int) -> str | None:
        """The id of the event at *position*, None when there is none."""


class ViewState(NamedTuple):
    """The one row of the table ``view``."""

    ledger: str
    position: int
    event_id: str
    fingerprint: str

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> Self:
        """What the view behind *connection* says. TypeError when it says nothing."""
        return cls(*connection.execute("SELECT ledger, position, event_id, fingerprint FROM view").fetchone())

    def mismatch(self, source: Source, target: int) -> str | None:
        """Why it is no view of *source* up to *target* by this code."""
        if self.ledger != source.id:
            return "it was folded from another log"
        if self.fingerprint != fold.fingerprint():
            return "other code folded it"
        return self.departure(source, target)

    def departure(self, source: Source, target: int) -> str | None:
        """Why the log is not the one that was folded up to this position."""
        if self.position > target:
            return "the log is shorter"
        if self.position and source.event_id_at(self.position) != self.event_id:
            return "the log holds another event at the view's position"
        return None


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether there is no table yet."""
    return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0)


def create(connection: sqlite3.Connection, ledger: str) -> None:
    """Create the tables of a view of *ledger*, at position 0."""
    fold.create(connection)
    row = ViewState(ledger, 0, "", fold.fingerprint())._asdict()
    Database(connection, execute_plugins=False).table("view").insert(row)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def write(batch: Batch, last: Recorded) -> None:
    """Write the batch, and with it the position that it reaches."""
    fold.write(batch)
    batch.connection.execute("UPDATE view SET position = ?, event_id = ?", (last.position, last.event_id))
