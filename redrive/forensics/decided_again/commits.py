"""Commands as the log shows them: the events that one decision wrote together."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from redrive.domain.dead_letter.events import DeadLetterHeld, DeadLetterResolved, RetryExhausted
from redrive.domain.event import Recorded
from redrive.domain.identity import NONCE
from redrive.domain.records import PolicyRegistered
from redrive.domain.run.events import RunRequeued

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger

WINDOW = 256
_BEFORE_A_REQUEUE = (PolicyRegistered, RetryExhausted, DeadLetterHeld, DeadLetterResolved)


def decisions(batches: Iterable[Sequence[Recorded]]) -> Iterator[list[Recorded]]:
    """The log as decisions, each with the events that it wrote, in log order.

    They are told apart by their ids. The ids of logs of the first versions were random: there, every event but the
    first names the first as its cause.
    """
    together: list[Recorded] = []
    for batch in batches:
        for recorded in batch:
            if together and not belongs(recorded, together):
                yield together
                together = []
            together.append(recorded)
    if together:
        yield together


def end_of_decision(ledger: "LogLedger", position: int) -> int:
    """The last position of the decision that wrote the event at *position*: no decision is looked at in half."""
    if position <= 0:
        return 0
    window, last = WINDOW, ledger.last_position()
    while True:
        after, until = max(0, position - window), min(position + window, last)
        for together in decisions(ledger.replay(after, until)):
            if together[-1].position >= position:
                break
        begun = after == 0 or together[0].position > after + 1
        if begun and (until == last or together[-1].position < until):
            return together[-1].position
        window *= 8


def belongs(recorded: Recorded, together: Sequence[Recorded]) -> bool:
    """Whether the decision that wrote *together* wrote *recorded* too."""
    first = together[0]
    if first.event_id[NONCE:] == "0000":
        return recorded.event_id[:NONCE] == first.event_id[:NONCE]
    if isinstance(recorded.event, RunRequeued):  # its cause is what moved the dead letter
        return isinstance(together[-1].event, _BEFORE_A_REQUEUE) and _swept(first) and _swept(recorded, first)
    cause = recorded.causation
    return cause is not None and cause.kind == "event" and cause.id == first.event_id


def _swept(recorded: Recorded, first: Recorded | None = None) -> bool:
    """Whether the sweep wrote it, with *first* when that is given."""
    if first is not None:
        same = recorded.correlation == first.correlation and recorded.occurred_at_ms == first.occurred_at_ms
        return same and recorded.actor == first.actor
    return recorded.causation is not None and recorded.causation.kind == "timer"
