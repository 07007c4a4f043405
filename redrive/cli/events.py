"""Events as people read them: one line each, secrets redacted."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from redrive.cli.output import Output, document_of
from redrive.cli.saying import sentence_of
from redrive.cli.times import absolute, clock

if TYPE_CHECKING:
    from redrive.domain.event import Recorded
    from redrive.domain.redaction import Redactor
    from redrive.history import HistoryEntry


def entries_of(events: Iterable["Recorded"], redactor: "Redactor") -> Iterator["HistoryEntry"]:
    """Events as entries, without what must not be shown."""
    from redrive.history import entry_of

    return (redacted(entry_of(event), redactor) for event in events)


def redacted(entry: "HistoryEntry", redactor: "Redactor") -> "HistoryEntry":
    """Inputs and outputs are stored exactly; nobody is shown the secrets in them."""
    return entry.model_copy(update={"data": redactor.value(entry.data)})


class EventLines:
    """Prints events one by one: JSON, or a line for people; on a terminal the date stands on a line of its own."""

    def __init__(self, out: Output, *, tenant: bool = False) -> None:
        self._out = out
        self._day = ""

    def print(self, entry: "HistoryEntry") -> None:
        """Print one event."""
        if self._out.json:
            self._out.entry("event", entry)
        elif self._out.terminal:
            self._on_terminal(entry)
        else:
            at = clock(entry.recorded_at_ms, "%Y-%m-%dT%H:%M:%S")
            ms = entry.recorded_at_ms % 1_000
            self._out.say(f"{entry.position}  {at}.{ms:03}Z  {entry.topic}  {sentence_of(entry)}")
