"""The reconcilers for the effects of flow files, for whoever opens a log and may never ask one: what they need is
loaded when they are asked."""

from functools import cache
from typing import TYPE_CHECKING

from redrive.http_requests import METHODS
from redrive.processes.effects import EffectCall
from redrive.processes.outbox import Reconciler

if TYPE_CHECKING:
    from redrive.http_effects import HttpReconciler
    from redrive.processes.outbox import Found


def effect_reconcilers() -> dict[str, Reconciler]:
    """The reconcilers by operation."""
    return dict.fromkeys(METHODS, _WhenAsked())


class _WhenAsked:
    def __call__(self, call: EffectCall) -> "Found":
        """Ask."""
        return _loaded()(call)

    def knows(self, call: EffectCall) -> bool:
        """Whether the request of *call* says how to find out."""
        return _loaded().knows(call)


@cache
def _loaded() -> "HttpReconciler":
    from redrive.effect_nodes import reconciler

    return reconciler()
