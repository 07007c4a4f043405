"""The answer to a what-if: a report, two sets of views, a picture. Nothing of it is in the log."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

from redrive.domain.identity import Tenant
from redrive.forensics.decided_again.commits import end_of_decision
from redrive.forensics.what_if.counterfactual_log import CounterfactualLogs, CounterfactualViews
from redrive.forensics.what_if.extent import dropped_events
from redrive.forensics.what_if.policy_file import policy_given
from redrive.forensics.what_if.report import WhatIfReport
from redrive.forensics.what_if.what_if import decided_again
from redrive.projections.batch import collector_paused

if TYPE_CHECKING:
    from redrive.engine import Engine
    from redrive.forensics.positions import Asked
    from redrive.forensics.prefix import Progress


class WhatIf:
    """What would have been, until it is closed: a context manager. *lower* are the views if everything failed that is
    unknown, *upper* if it succeeded; both answer ``dead_letters()``, ``runs()`` and the other queries."""

    def __init__(self, engine: "Engine", logs: CounterfactualLogs, report: WhatIfReport) -> None:
        self._engine, self._logs, self.report = engine, logs, report

    @cached_property
    def lower(self) -> CounterfactualViews:
        """The views if everything unknown fails."""
        return self._views("lower", None)

    @cached_property
    def upper(self) -> CounterfactualViews:
        """The views if everything unknown succeeds."""
        return self._views("upper", None)

    def svg(self) -> str:
        """Retry load and dead letters over time, recorded beside counterfactual."""
        from redrive.forensics.what_if.load_plot import load_plot

        return load_plot(self.report)

    def close(self) -> None:
        """Throw the counterfactual events and views away."""
        for side in ("lower", "upper"):
            if side in self.__dict__:
                getattr(self, side).close()
        self._logs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _views(self, side: str, tenant: Tenant | None) -> CounterfactualViews:
        origin, until = self._engine.ledger.id, self.report.to_position
        return CounterfactualViews(self._logs, "lower" if side == "lower" else "upper", origin, until, tenant)


def what_if(
    engine: "Engine", policy: object, from_: "Asked | None", drop: "Sequence[Asked]", progress: "Progress | None"
) -> WhatIf:
    """History beyond *from_* under *policy*, without the events *drop*. Raises InvalidValue."""
    from redrive.forensics.positions import position_of

    wanted = policy_given(policy)
    after = 0 if from_ is None else position_of(engine.ledger, from_).position
    dropped = dropped_events(engine.ledger, drop)
    logs = CounterfactualLogs(engine)
    try:
        after = end_of_decision(engine.ledger, after)
        with collector_paused():
            return WhatIf(engine, logs, decided_again(engine, wanted, after, dropped, logs, progress))
    except BaseException:
        logs.close()
        raise
