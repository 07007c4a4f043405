"""The recorder of a log to which others may write while a command decides."""

from abc import abstractmethod
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from redrive.ledger.database import Row
from redrive.ledger.recorder import LogRecorder, News

if TYPE_CHECKING:
    from redrive.ledger.postgres.pipeline import Statement


class ConcurrentRecorder(LogRecorder):
    """Writes down what was decided without the lock, unless others moved what it rests on: ``AheadCommitter`` asks."""

    def is_there(self) -> bool:
        """The server tells by itself."""
        return True

    @property
    @abstractmethod
    def lost(self) -> bool:
        """Whether the connection that writes is known to be gone."""

    @abstractmethod
    def begin_unless(self, moved: Callable[[], Collection[str]]) -> bool:
        """Begin a transaction that writes only if nobody else wrote to the streams that *moved* names, asked when it
        is sent; until then it costs nothing, and then it raises LogMoved otherwise. False: it cannot be told."""

    @abstractmethod
    def ask_along(self, answered: Callable[[], None]) -> None:
        """Ask for the news with whatever is asked next, ahead of it, and call *answered* then."""

    @abstractmethod
    def look(self, first: "Statement", *then: "Statement") -> list[list[Row]]:
        """Begin the transaction in which it is decided, unless it is begun, and ask *first*, then for the news, and
        *then* the others: what *first* keeps from others is heard as of then."""

    @abstractmethod
    def heard(self) -> News:
        """What was heard of others since this was last asked, without asking the database again."""

    @abstractmethod
    def keep(self, statement: "Statement") -> list[Row]:
        """Ask *statement*, which keeps from others what it finds until ``leave``, and then for the news."""

    @abstractmethod
    def leave(self) -> None:
        """Keep nothing any more."""
