"""What the tests of the processes share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import redrive
from tests.engine.model import check_log, check_views
from tests.processes.driven import AsyncShop, on_each_face
from tests.processes.driven import face as face  # noqa: PLC0414
from tests.processes.workshop import BatchShop, Shop
from tests.stores import log_url
from tests.stores import store as store  # noqa: PLC0414

ON_BOTH = frozenset(
    (
        "test_intake",
        "test_leases",
        "test_operations",
        "test_operations_rules",
        "test_reports",
        "test_reports_letters",
        "test_sweep",
        "test_sweep_dispatch",
        "test_sweep_held",
        "test_sweep_policy",
    )
)
"""The modules that say how the engine behaves: they hold for threads and for asyncio."""

LIMITS = frozenset(("test_limits", "test_limits_fairness", "test_limits_rates"))
"""These, too: some of their tests open a shop in a way of their own."""

WITH_BATCHES = frozenset(("test_worker_control", "test_worker_faults"))
"""The modules that say how a worker is told and what it survives: they hold whatever it takes in hand in one commit."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run these modules on both engines, or with both kinds of workers."""
    module = metafunc.module.__name__.rpartition(".")[2]
    on_each_face(metafunc, LIMITS)
    if "shop" in metafunc.fixturenames and module in ON_BOTH:
        metafunc.parametrize("shop", [Shop, AsyncShop], ids=["threads", "asyncio"], indirect=True)
    if "shop" in metafunc.fixturenames and module in WITH_BATCHES:
        metafunc.parametrize("shop", [Shop, BatchShop], ids=["one", "batch"], indirect=True)


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """An engine with a fake clock; the log and the views are sound at the end of every test."""
    kind: type[Shop] = getattr(request, "param", Shop)
    shop = kind(tmp_path / "log.db")
    yield shop
    shop.check()
    shop.engine.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[redrive.Engine]:
    """An engine on the real clock; log and views are sound at the end."""
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        yield engine
        check_log(engine)
        check_views(engine)


@pytest.fixture(autouse=True)
def _on_each_store(store: str, face: str) -> tuple[str, str]:
    return store, face
