"""The past: an engine as it stood at a moment of its log. It can be asked, and nothing else.

The same projections are folded up to that position into a database of their own, and the same queries are asked of
it; states of runs, effects and compensations are folded from the prefix of the log. What is derived from "now", such
as what is due or how long something still waits, is derived from the time at which the last event of the prefix was
recorded, never from the clock on the wall.
"""

from typing import TYPE_CHECKING, Self

from redrive.domain.identity import RunId, Tenant
from redrive.forensics.checkpoints import EVERY, ViewCheckpoints
from redrive.forensics.footing import Footing, footing
from redrive.forensics.positions import Asked, Position, position_of
from redrive.forensics.prefix import LogPrefix, Progress
from redrive.forensics.private import PrivateView
from redrive.ledger.capacity import Capacity
from redrive.ledger.limit_status import LimitStatus, statuses
from redrive.ledger.past_capacity import capacity_at
from redrive.processes.given import tenant_given
from redrive.tenant_queries import TenantQueries

if TYPE_CHECKING:
    from redrive.engine import Engine

_ACTIVE = "SELECT run_id FROM runs WHERE status NOT IN ('completed', 'cancelled', 'failed', 'blocked')"


class Past:
    """The log of *engine* as it stood at *end*, until it is closed: a context manager. Queries only."""

    tenant: Tenant | None = None

    def __init__(self, engine: "Engine", end: Position, progress: Progress | None = None, every: int = EVERY) -> None:
        self.position = end
        self.services = engine.services
        self.ledger = LogPrefix(engine.ledger, end, progress)
        self._engine = engine
        self._private = PrivateView(self.ledger, engine.views, ViewCheckpoints(engine.ledger, engine.views, every))
        self.views = self._private.view
        self.ledger.learn_capacity(self._capacity_then)

    @property
    def local(self) -> "TenantPast":
        """The default tenant, local/default/default."""
        return self.for_tenant(Tenant())

    @property
    def footing(self) -> Footing:
        """What every answer stands on."""
        return footing(self._engine, self.position.position)

    def for_tenant(self, tenant: Tenant) -> "TenantPast":
        """The queries of one tenant; nothing of any other can be seen through it."""
        return TenantPast(self, tenant_given(tenant))

    def limits(self) -> tuple[LimitStatus, ...]:
        """Every limit that was set then, with how much of it was in use and how many runs waited for it."""
        return statuses(self.ledger, None)

    def now_ms(self) -> int:
        """When the last event of this past was recorded; 0 before the first."""
        return self.ledger.now_ms()

    def close(self) -> None:
        """Throw the folded views away."""
        self._private.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _capacity_then(self) -> Capacity:
        active = (RunId(row[0]) for row in self.views.rows(_ACTIVE))
        return capacity_at(self._engine.ledger, self.position.position, self.now_ms(), active)


class TenantPast(TenantQueries):
    """The past of one tenant: every query of ``TenantEngine`` as it would have been answered then."""

    def __init__(self, past: Past, tenant: Tenant) -> None:
        super().__init__(past.ledger, past.views, tenant)
        self.engine: Past = past
        self.services = past.services

    @property
    def position(self) -> Position:
        """The moment."""
        return self.engine.position

    @property
    def footing(self) -> Footing:
        """What every answer stands on."""
        return self.engine.footing

    def close(self) -> None:
        """Throw the folded views away, for whoever else asks the same past too."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def past_of(
    engine: "Engine",
    position: Asked,
    *,
    tenant: Tenant | None = None,
    progress: Progress | None = None,
    checkpoint_events: int | None = None,
) -> Past:
    """*engine* as it stood at *position*. Raises InvalidValue; StorageError when no view can be folded."""
    every = EVERY if checkpoint_events is None else checkpoint_events
    return Past(engine, position_of(engine.ledger, position, tenant), progress, every)


def keep_checkpoints(engine: "Engine", every: int, progress: Progress | None = None) -> ViewCheckpoints:
    """Make the view checkpoints that are missing beyond the last one. Raises StorageError."""
    kept = ViewCheckpoints(engine.ledger, engine.views, every)
    prefix = LogPrefix(engine.ledger, position_of(engine.ledger, "now"), progress)
    if kept.every:
        PrivateView(prefix, engine.views, kept, on_disk=True, from_live=False).close()
    return kept
