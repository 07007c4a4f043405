"""What a command may ask of who decides it, answered for one that decides under the write lock: nobody else writes."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from redrive.domain.ports import PAGE, DueKey, DuePage

if TYPE_CHECKING:
    from redrive.domain.identity import Tenant
    from redrive.ledger.agenda import Agenda
    from redrive.ledger.agenda_reading import Untaken
    from redrive.ledger.states import Entry


class Alone:
    """The answers; ``AheadCommitter`` has others."""

    ahead = False
    """Whether others may write while a command decides."""

    distant = False
    """Whether each look at the agenda is a way to a server."""

    contended = False
    """Whether others decided about the same streams lately."""

    def look(self) -> None:
        """What is due is about to be read."""

    def read_ahead(self, streams: Iterable[str]) -> None:
        """These streams are about to be asked for: each of them is at hand."""

    def sweeping(self, agenda: "Agenda", tenant: "Tenant | None", now_ms: int, after: "DueKey") -> Iterator[DuePage]:
        """Nobody decides in vain: nothing has to be kept from others."""
        rest: DueKey | None = after
        while rest is not None and (rows := agenda.due("dead_letter", tenant, now_ms, PAGE, rest)):
            rest = rows[-1].place if len(rows) == PAGE else None
            yield DuePage(rows, rest)

    def untaken(self, *_asked: Any) -> "Untaken | None":
        """Nobody else decides about what is due meanwhile."""
        return None

    def written_ahead(self) -> "Iterable[Entry]":
        """What earlier commands wrote is in the database."""
        return ()
