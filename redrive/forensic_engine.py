"""What an engine can tell of the past: nothing here writes to the log."""

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redrive.engine import Engine
    from redrive.forensics.counterfactual import WhatIf
    from redrive.forensics.past import Past
    from redrive.forensics.positions import Asked
    from redrive.forensics.prefix import Progress
    from redrive.forensics.replay_check import ReplayReport


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

    def replay_check(
        self, from_: "Asked | None" = None, to: "Asked | None" = None, *, progress: "Progress | None" = None
    ) -> "ReplayReport":
        """Make every recorded decision beyond *from_*, up to *to*, again with its recorded inputs: what the code of
        today would decide otherwise is drift. Positions as for ``at``. Raises InvalidValue, StorageError."""
        from redrive.forensics.replay_check import replay_check_between

        return replay_check_between(cast("Engine", self), from_, to, progress)

    def what_if(
        self,
        policy: object,
        from_: "Asked | None" = None,
        drop: "Sequence[Asked]" = (),
        *,
        progress: "Progress | None" = None,
    ) -> "WhatIf":
        """Decide history beyond *from_* again under another *policy* (a document, or the path of a policy file), as if
        the events *drop* (positions or ids) had not happened. What was never tried is unknown, and told as bounds.
        Close the answer when done, or use it as a context manager. Raises InvalidValue, StorageError."""
        from redrive.forensics.counterfactual import what_if

        return what_if(cast("Engine", self), policy, from_, drop, progress)
