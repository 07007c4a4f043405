"""Events beside those of one correlation: a cause that lies elsewhere, the flow that a run executes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from redrive.domain.errors import StorageError, StreamUnreadable
from redrive.domain.event import Recorded
from redrive.domain.identity import COUNTED, NONCE, Tenant
from redrive.domain.run.events import RunSubmitted
from redrive.forensics.causes.lineage import Children
from redrive.ledger.moments import position_of_event

if TYPE_CHECKING:
    from redrive.ledger.ledger import LogLedger


def elsewhere(ledger: "LogLedger", tenant: Tenant, effect: Recorded) -> Recorded | None:
    """The event that an event names as its cause, in another correlation: looked for among those before it that were
    appended with it, and then in the whole log before it."""
    wanted = effect.causation.id if effect.causation else ""
    position = effect.position - apart(effect.event_id, wanted)
    for one in ledger.at_positions([position]) if 0 < position < effect.position else ():
        if one.event_id == wanted:
            return one if one.tenant == tenant else None
    return found_before(ledger, tenant, wanted, effect.position)


def apart(later: str, earlier: str) -> int:
    """How many positions lie between two events of one transaction: their ids count on from one number."""
    if len(later) == len(earlier) == NONCE + COUNTED and later[:NONCE] == earlier[:NONCE]:
        return int(later[NONCE:], 16) - int(earlier[NONCE:], 16)
    return 0


def found_before(ledger: "LogLedger", tenant: Tenant, event_id: str, before: int) -> Recorded | None:
    """An event of *tenant* by its id, if it stands before a position."""
    place = position_of_event(ledger.recorder, event_id, str(tenant)) if event_id else None
    return ledger.at_positions([place])[0] if place is not None and place < before else None


def children_of(ledger: "LogLedger", events: Iterable[Recorded]) -> Children:
    """The graph of the flow that the run among *events* executes; empty when it cannot be read."""
    for one in events:
        if isinstance(one.event, RunSubmitted):
            try:
                return ledger.committer.states.flow(one.tenant, one.event.flow).children
            except (StreamUnreadable, StorageError):
                return {}
    return {}
