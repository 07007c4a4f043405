"""Whoever decides has a name: a host that authenticated nobody, and passes that on, is told so."""

import inspect

import pytest

from redrive import InvalidValue, TenantEngine
from tests.processes.workshop import Shop

DECISIONS = [
    name
    for name, method in inspect.getmembers(TenantEngine, inspect.isfunction)
    if not name.startswith("_")
    and (actor := inspect.signature(method).parameters.get("actor"))
    and actor.default is actor.empty
]


def test_nobody_decides_nothing(shop: Shop) -> None:
    """``actor=None`` is refused by every decision, and never taken for redrive itself."""
    assert {"approve", "cancel", "note", "note_dead_letter", "ignore", "approve_compensation"} <= {*DECISIONS}
    run = shop.submit()
    for name in DECISIONS:
        decide = getattr(shop.acme, name)
        wanted = [one.name for one in inspect.signature(decide).parameters.values() if one.default is one.empty]
        given = {one: 1 if one == "n" else run for one in wanted}
        with pytest.raises(InvalidValue, match=r"^actor: nothing is given"):
            decide(**given | {"actor": None})
    assert shop.acme.history(run).items[-1].topic == "run.submitted"
