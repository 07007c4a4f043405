"""Events as people read them: one line each, secrets redacted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redrive.cli.output import Output, printable
from redrive.cli.times import clock

if TYPE_CHECKING:
    from redrive.cli.context import Session
    from redrive.domain.redaction import Redactor
    from redrive.history import HistoryEntry
    from redrive.tenant_queries import TenantQueries

_OF_RUNS = ("run.", "dead-letter.", "effect.", "compensation.")


class EventLines:
    """Prints events one by one: JSON, or a line for people. On a terminal the day stands on a line of its own.

    Inputs and outputs are stored exactly; nobody is shown the secrets in them. *runs*: each line begins with the run
    it is about, where the events of many stand together.
    """

    def __init__(self, out: Output, redactor: "Redactor", *, runs: bool = False) -> None:
        self._out = out
        self._runs = runs
        self._redactor = redactor
        self._day = ""

    def print(self, entry: "HistoryEntry") -> None:
        """Print one event."""
        if self._out.json:
            self._out.entry("event", redacted(entry, self._redactor))
            return
        from redrive.cli.saying import sentence_of

        if "prompt" in entry.data:
            entry = entry.model_copy(update={"data": self._redactor.value(entry.data)})
        sentence = sentence_of(entry)
        time = f"{clock(entry.recorded_at_ms, '%H:%M:%S')}.{entry.recorded_at_ms % 1_000:03}"
        day = clock(entry.recorded_at_ms, "%Y-%m-%d")
        place = f"{entry.position:>6}  "
        if self._runs and entry.topic.startswith(_OF_RUNS) and entry.run:
            sentence = f"{printable(entry.run[:8])} {sentence}"
        if self._out.terminal:
            if day != self._day:
                self._out.say(f"{' ' * len(place)}{day} UTC")
                self._day = day
            self._out.say(f"{place}{time}  {sentence}", hang=len(place) + len(time) + 2)
        else:
            self._out.say(f"{place}{day}T{time}Z  {printable(entry.topic)}  {sentence}")


def history_of(acme: "TenantQueries", stream: str) -> "list[HistoryEntry]":
    """What happened to one thing, by its own stream."""
    from redrive.history import entry_of

    return [entry_of(event) for event in acme.engine.ledger.stream(stream)]


def print_history(session: "Session", acme: "TenantQueries", told: "Sequence[HistoryEntry]") -> None:
    """What happened to one thing, below what it is."""
    session.output.say()
    lines = EventLines(session.output, acme.services.redactor)
    for entry in told:
        lines.print(entry)


def redacted_all(told: "Sequence[HistoryEntry]", redactor: "Redactor") -> list[dict[str, Any]]:
    """Events as JSON objects without what must not be shown."""
    return [redacted(entry, redactor) for entry in told]


def redacted(entry: "HistoryEntry", redactor: "Redactor") -> dict[str, Any]:
    """An event as a JSON object without what must not be shown."""
    document = entry.model_dump(mode="json")
    document["data"] = redactor.value(document["data"])
    return document
