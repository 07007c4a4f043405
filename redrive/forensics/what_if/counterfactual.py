"""The answer to a what-if: a report, two sets of views, a picture. Nothing of it is in the log."""

from functools import cached_property
from typing import Self

from redrive.forensics.what_if.counterfactual_log import CounterfactualLogs, CounterfactualViews, Side
from redrive.forensics.what_if.report import WhatIfReport


class WhatIf:
    """What would have been, until it is closed: a context manager. *lower* are the views if everything failed that is
    unknown, *upper* if it succeeded; both answer ``dead_letters()``, ``runs()`` and the other queries."""

    def __init__(self, origin: str, logs: CounterfactualLogs, report: WhatIfReport) -> None:
        self._origin, self._logs, self.report = origin, logs, report

    @cached_property
    def lower(self) -> CounterfactualViews:
        """The views if everything unknown fails."""
        return self._views("lower")

    @cached_property
    def upper(self) -> CounterfactualViews:
        """The views if everything unknown succeeds."""
        return self._views("upper")

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

    def _views(self, side: Side) -> CounterfactualViews:
        return CounterfactualViews(self._logs, side, self._origin, self.report.to_position)
