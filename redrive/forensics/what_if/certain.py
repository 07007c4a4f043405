"""Failures that certainly go another way: told by the one decision that is in them, without the command around it.

The command that recorded a failure asks the retry policy first, by the run's state and what is recorded; the first
event that it would write holds that decision. Where that is another one, so is the event, whatever follows.
"""

from collections.abc import Sequence

from redrive.domain.dead_letter.events import DeadLetterLinkedToCompensation
from redrive.domain.event import Recorded
from redrive.domain.run import events as e
from redrive.domain.run.attempts import decide
from redrive.domain.run.state import Run
from redrive.forensics.decided_again.streams import Stream
from redrive.forensics.what_if.otherwise import same_decision

_DECIDES_OTHERWISE = (e.RunCancelled, DeadLetterLinkedToCompensation)
"""A decision that ends with one of these is of a command that did more than report a failure."""


def goes_otherwise(stream: Stream | None, together: Sequence[Recorded]) -> bool:
    """Whether the command that wrote *together* would certainly write something else; False where its rule must be
    asked. *stream* is the run's as it stood before, in a flow with the other policy."""
    first = together[0]
    event = first.event
    if event.__class__ is not e.AttemptFailed or isinstance(together[-1].event, _DECIDES_OTHERWISE):
        return False
    assert isinstance(event, e.AttemptFailed)
    if stream is None or stream.id != first.stream or not isinstance(stream.state, Run) or stream.unknown:
        return False
    if event.report == "interrupted" or event.node not in stream.state.nodes:
        return False
    was = event.decision
    decided = decide(stream.state, event.node, was.failure, now_ms=first.occurred_at_ms, draw=was.draw)
    return not same_decision(decided, event)
