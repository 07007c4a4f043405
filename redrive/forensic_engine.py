"""What an engine can tell of the past: nothing here writes to the log."""

from collections.abc import Collection
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redrive.domain.identity import Tenant
    from redrive.engine import Engine
    from redrive.forensics.causes.blast import Blast
    from redrive.forensics.causes.why import Why
    from redrive.forensics.decided_again.replay_check import ReplayReport
    from redrive.forensics.diff import ViewDiff
    from redrive.forensics.invariants.first import InvariantReport, Predicate
    from redrive.forensics.invariants.invariant import Invariant
    from redrive.forensics.past import Past
    from redrive.forensics.positions import Asked
    from redrive.forensics.prefix import Progress
    from redrive.forensics.timelines.timeline import Timeline
    from redrive.forensics.what_if.counterfactual import WhatIf


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
        from redrive.forensics import questions

        return questions.timeline(cast("Engine", self), None, key, correlated=correlated, at=at)

    def why(self, key: str, *, at: "Asked | None" = None) -> "Why":
        """Why *key*, or a field of it (``RUN.status``, ``RUN.nodes.publish.status``), is as it was at position *at*
        (default: now): the event that changed it last, and what that followed from, back to a root. ``pos:N``: why
        that event was appended. Raises NotFound, InvalidValue, StreamReadOnly."""
        from redrive.forensics import questions

        return questions.why(cast("Engine", self), None, key, at)

    def blast(self, event: "Asked", *, at: "Asked | None" = None) -> "Blast":
        """What followed from *event* (its position or id), up to position *at* (default: now), as a tree. Raises
        NotFound, InvalidValue."""
        from redrive.forensics import questions

        return questions.blast(cast("Engine", self), None, event, at)

    def diff(
        self,
        start: "Asked",
        end: "Asked" = "now",
        *,
        tables: Collection[str] | None = None,
        tenant: "Tenant | None" = None,
        run: str | None = None,
        limit: int | None = None,
        progress: "Progress | None" = None,
        checkpoint_events: int | None = None,
    ) -> "ViewDiff":
        """The rows of the views that differ between two positions, each with the event that changed it last.

        Only of some *tables* (runs, dead_letters, …), of one *tenant*, of one *run*; at most *limit* rows (default
        1,000), but counted in full. *checkpoint_events* as for ``at``. Raises InvalidValue, StorageError.
        """
        from redrive.forensics.diff import diff

        return diff(
            cast("Engine", self), start, end, tables=tables, tenant=tenant, run=run, limit=limit, progress=progress,
            checkpoint_events=checkpoint_events,
        )  # fmt: skip

    def first(
        self,
        invariant: "str | Invariant | Predicate",
        *,
        start: "Asked" = 0,
        end: "Asked" = "now",
        every: int = 1,
        settled: bool | None = None,
        progress: "Progress | None" = None,
        checkpoint_events: int | None = None,
    ) -> "InvariantReport":
        """Where *invariant* is first violated after *start*, and every flip up to *end*, exact to the event.

        It is a SELECT of the rows that violate it, a condition in SQL that must be true, the name of one that comes
        with redrive (``redrive first --list``), or a function of an event and of the views after it that says whether
        it holds. *settled*: judged only where the events end that a command appended together (default: only those
        of redrive's own that ask for it). With *every* more than 1 it is asked only after so many events.
        *checkpoint_events* as for ``at``.

        Raises InvalidValue, StorageError.
        """
        from redrive.forensics.invariants.first import first

        return first(
            cast("Engine", self), invariant, start=start, end=end, every=every, settled=settled, progress=progress,
            checkpoint_events=checkpoint_events,
        )  # fmt: skip

    def replay_check(
        self, from_: "Asked | None" = None, to: "Asked | None" = None, *, progress: "Progress | None" = None
    ) -> "ReplayReport":
        """Make every recorded decision beyond *from_*, up to *to*, again with its recorded inputs: what the code of
        today would decide otherwise is drift. Positions as for ``at``. Raises InvalidValue, StorageError."""
        from redrive.forensics.decided_again.replay_check import replay_check_between

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
        from redrive.forensics.what_if.what_if import what_if

        return what_if(cast("Engine", self), policy, from_, drop, progress)
