"""Logs to look back at: busy ones, each written once."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import redrive
from tests.forensics.incidents import Incident, failed, mended
from tests.ledger.write_golden import LOGS
from tests.projections.effect_plant import EffectPlant
from tests.stores import placed
from tests.stores import store as store  # noqa: PLC0414


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of a few hundred events, of two tenants, at random."""
    path = tmp_path_factory.mktemp("planted") / "planted.db"
    plant = EffectPlant(path, 3)
    plant.live(160)
    plant.ledger.close()
    return path


IN_SHORT = "second-floor"
"""Each of these tests folds its log often, and the newest one holds every event there is."""


def golden(path: Path) -> Any:
    """A golden log as a parameter."""
    return pytest.param(path.stem, marks=() if path.stem == IN_SHORT else pytest.mark.long)


@pytest.fixture(params=["planted", *map(golden, sorted(LOGS.glob("*.db")))])
def engine(request: pytest.FixtureRequest, planted: Path, tmp_path: Path) -> Iterator[redrive.Engine]:
    """An engine on a copy of the planted log, or of a golden one."""
    source = planted if request.param == "planted" else LOGS / f"{request.param}.db"
    copy = shutil.copy(source, tmp_path / "log.db")
    with redrive.open(placed(copy)) as opened:
        yield opened


@pytest.fixture
def incident(tmp_path: Path) -> Iterator[Incident]:
    """An incident that was mended."""
    it = mended(tmp_path / "ops.db")
    with it.engine:
        yield it


@pytest.fixture
def alarm(tmp_path: Path) -> Iterator[Incident]:
    """An incident that nobody has looked at."""
    it = failed(tmp_path / "ops.db")
    with it.engine:
        yield it


@pytest.fixture(autouse=True)
def _on_each_store(store: str) -> str:
    return store
