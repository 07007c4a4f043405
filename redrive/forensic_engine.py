"""What an engine can tell of the past: nothing here writes to the log."""

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from redrive.engine import Engine
    from redrive.forensics.past import Past
    from redrive.forensics.positions import Asked
    from redrive.forensics.prefix import Progress


class ForensicEngine:
    """The forensic queries of an engine: about the whole log, for whoever may read all of it."""

    def at(
        self, position: "Asked", *, progress: "Progress | None" = None, checkpoint_events: int | None = None
    ) -> "Past":
        """The engine as it stood at *position*: ``with engine.at("pos:1200") as past: past.local.runs()``.

        ``pos:N``, ``time:T`` (ISO 8601 with a zone, or milliseconds), ``cp:HASH``, ``now``, or the id of an event. The
        views are folded up to there, from the nearest view checkpoint; one is left behind every *checkpoint_events*
        events (default 50,000; 0: none are used or made). *progress* is called with how many of how many events are
        folded. Raises InvalidValue, StorageError.
        """
        from redrive.forensics.past import past_of

        return past_of(cast("Engine", self), position, progress=progress, checkpoint_events=checkpoint_events)
