"""Which nodes of a run an event may make ready, or have wait: to look at all of them after each event would take as
long as the square of a wide graph."""

from collections.abc import Iterable

from redrive.domain.event import Event, UnknownEvent
from redrive.domain.identity import NodeId
from redrive.domain.run import events as e
from redrive.domain.run.state import Run

_OF_ITS_NODE = frozenset(
    {e.AttemptStarted, e.AttemptFailed, e.AttemptSnoozed, e.AttemptInterrupted, e.RetryBackoffScheduled}
)
_OF_NO_NODE = frozenset({e.RunClaimed, e.LeaseRenewed, e.RunQueued, e.EffectAdmitted, e.DeadLetterLinked, e.NoteAdded})


class Changed:
    """The nodes of a run that may have become ready, or wait, since they were last looked at: at first any."""

    def __init__(self) -> None:
        self._nodes: set[NodeId] | None = None

    def by(self, event: Event | UnknownEvent, run: Run) -> None:
        """*event* was folded."""
        if self._nodes is None or (kind := event.__class__) in _OF_NO_NODE:
            return
        if kind in _OF_ITS_NODE:
            self._nodes.add(event.node)  # type: ignore[union-attr]
        elif isinstance(event, e.AttemptSucceeded):
            self._nodes.update((event.node, *run.flow.children[event.node]))
        else:
            self._nodes = None

    def look(self, run: Run, known: Iterable[NodeId] = ()) -> Iterable[NodeId]:
        """They: those that are ready or wait, and perhaps others; where it may be any, those that were *known* to be
        ready, too."""
        nodes, self._nodes = self._nodes, set()
        return {**dict.fromkeys(known), **run.ready, **run.waiting} if nodes is None else nodes
