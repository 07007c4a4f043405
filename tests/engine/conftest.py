"""An engine with a gate and a reconciler that answer as the tests say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redrive import EffectCall
from tests.engine.outworld import PAY, Till
from tests.processes.driven import face as face  # noqa: PLC0414
from tests.processes.driven import on_each_face
from tests.processes.workshop import Shop
from tests.stores import store as store  # noqa: PLC0414

ON_BOTH = frozenset(
    (
        "test_compensated",
        "test_compensation_gate",
        "test_compensations",
        "test_effect_gate",
        "test_effect_letters",
        "test_effect_queries",
        "test_effect_reconcilers",
        "test_effects",
        "test_hard_cases",
        "test_resume_plan_approvals",
        "test_stateful_waits",
    )
)
"""The modules that say how effects, compensations, approvals and waits behave: for threads and for asyncio."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run these modules on both engines."""
    on_each_face(metafunc, ON_BOTH)


class Found:
    """What the reconciler and the gate of the shop answer; tests change it."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.asked: list[EffectCall] = []
        self.gate: Any = None

    def look(self, call: EffectCall) -> Any:
        """The reconciler."""
        self.asked.append(call)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def let_out(self, _call: EffectCall) -> Any:
        """The gate."""
        if isinstance(self.gate, BaseException):
            raise self.gate
        return self.gate


@pytest.fixture
def found() -> Found:
    """What they answer."""
    return Found()


@pytest.fixture
def opened_with(found: Found) -> dict[str, Any]:
    """A gate, and a reconciler for payments; modules that are about less say so themselves."""
    return {"gate": found.let_out, "reconcilers": {PAY["operation"]: found.look}}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """An engine with a fake clock; the log and the views are sound at the end of every test."""
    shop = Shop(tmp_path / "log.db")
    yield shop
    shop.check()
    shop.engine.close()


@pytest.fixture
def till(tmp_path: Path, opened_with: dict[str, Any]) -> Iterator[Till]:
    """An engine with a fake clock and a world that counts; log, agenda and views are sound at the end."""
    till = Till(tmp_path / "log.db", **opened_with)
    yield till
    till.check()
    till.engine.close()


@pytest.fixture
def other(till: Till) -> Iterator[Till]:
    """Another process on the same log, with neither gate nor reconciler."""
    other = Till(till.path)
    yield other
    other.engine.close()


@pytest.fixture(autouse=True)
def _on_each_store(store: str, face: str) -> tuple[str, str]:
    return store, face
