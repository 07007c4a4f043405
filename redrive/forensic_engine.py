"""What an engine can tell of the past: nothing here writes to the log."""

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from redrive.engine import Engine
    from redrive.forensics.blast import Blast
    from redrive.forensics.past import Past
    from redrive.forensics.positions import Asked
    from redrive.forensics.prefix import Progress
    from redrive.forensics.timeline import Timeline
    from redrive.forensics.why import Why


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

    def timeline(self, key: str, *, correlated: bool = False, at: "Asked | None" = None) -> "Timeline":
        """What happened to *key* (the id of a run, dead letter, effect or compensation) as spans and moments, as of
        position *at* (default: now). *correlated*: with everything else of the same run, and the limits that held it
        back. ``redrive.svg_of`` draws it. Raises NotFound, InvalidValue."""
        from redrive.forensics import stories

        return stories.timeline(cast("Engine", self), None, key, correlated=correlated, at=at)

    def why(self, key: str, *, at: "Asked | None" = None) -> "Why":
        """Why *key*, or a field of it (``RUN.status``, ``RUN.nodes.publish.status``), is as it was at position *at*
        (default: now): the event that changed it last, and what that followed from, back to a root. ``pos:N``: why
        that event was appended. Raises NotFound, InvalidValue, StreamReadOnly."""
        from redrive.forensics import stories

        return stories.why(cast("Engine", self), None, key, at)

    def blast(self, event: "Asked", *, at: "Asked | None" = None) -> "Blast":
        """What followed from *event* (its position or id), up to position *at* (default: now), as a tree. Raises
        NotFound, InvalidValue."""
        from redrive.forensics import stories

        return stories.blast(cast("Engine", self), None, event, at)
