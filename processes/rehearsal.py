"""A rehearsal: a command is given to the rules as it would be, and stops where it would begin to write."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from redrive.domain.errors import Refused, StreamUnreadable
from redrive.domain.event import Event
from redrive.domain.ports import Transaction


class _WouldWriteError(Exception):
    """The rules have no objection: the command was about to append."""


class Rehearsal:
    """A transaction in which everything is read and nothing can be written.

    Commands decide before they write, so the first append is the end of what the rules have to say. It is refused
    where the stream may not be continued, as the append itself would be.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def append_run(self, run: Any, *events: Any, **_cause: Any) -> Any:
        """Stop here, unless there is nothing to append."""
        return self._stop(run.id, events) if events else run

    def append_dead_letter(self, id_: str, _subject: Any, *events: Any) -> Any:
        """As ``append_run``."""
        return self._stop(id_, events) if events else self._tx.dead_letter(id_)  # type: ignore[arg-type]  # an id is a text

    def append_effect(self, id_: str, _subject: Any, *events: Any) -> Any:
        """As ``append_run``."""
        return self._stop(id_, events) if events else self._tx.effect(id_)  # type: ignore[arg-type]

    def append_compensation(self, id_: str, _subject: Any, *events: Any) -> Any:
        """As ``append_run``."""
        return self._stop(id_, events) if events else self._tx.compensation(id_)  # type: ignore[arg-type]

    def begin_run(self, *_given: Any) -> NoReturn:
        """A new run may always begin."""
        raise _WouldWriteError

    def register_policy(self, *_given: Any) -> None:
        """No decision."""

    def _stop(self, stream: str, events: Sequence[Event]) -> NoReturn:
        self._tx.require_writable(stream, events)
        raise _WouldWriteError


def why_refused(tx: Transaction, command: Callable[[Transaction], object]) -> str | None:
    """What *command* would be refused with as things stand in *tx*; None when it would be carried out."""
    try:
        command(Rehearsal(tx))
    except _WouldWriteError:
        return None
    except (Refused, StreamUnreadable) as error:
        return str(error)
    return None
