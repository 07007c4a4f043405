"""What a worker holds: its claims, and of each the attempts that it has in hand."""

from dataclasses import dataclass, field

from redrive.domain.ports import Transaction
from redrive.domain.run.attempts import AttemptId
from redrive.domain.run.state import Run
from redrive.processes.handout import Attempt, Claim
from redrive.processes.places import Places

LOOK_AGAIN_MS = 2_000
LOOK_AT_LIMITS_MS = 200


@dataclass(slots=True)
class Held:
    """A claim that this worker holds, and its attempts that run, or wait, here. Before *look_again_ms* nothing of it
    can start unless an attempt of it ends, or, when it is *limited*, of any other."""

    claim: Claim
    expires_at_ms: int
    running: dict[AttemptId, Attempt] = field(default_factory=dict)
    look_again_ms: int = 0
    limited: bool = False


def next_look(tx: Transaction, run: Run, places: Places) -> tuple[int, bool]:
    """When something more of a claimed *run* may start, and whether limits may keep it from that; *places* are left."""
    limited = tx.limited and bool(run.ready)
    if run.ready and not places.now:  # as soon as an attempt ends
        return 0, limited
    ends = (due for due in run.timers.values() if due > tx.now_ms)  # the others are the ticker's
    again = tx.now_ms + (LOOK_AT_LIMITS_MS if limited else LOOK_AGAIN_MS)
    return min([again, *run.waiting.values(), *ends]), limited
