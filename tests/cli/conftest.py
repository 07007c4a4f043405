"""Fixtures: a log for each test, copied from one that is built once."""

import shutil
from pathlib import Path

import pytest

from tests.cli.effect_logs import EffectIds, EffectWorld, build_effects
from tests.cli.logs import Ids, World, build
from tests.stores import store as store  # noqa: PLC0414


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ids]:
    """The log that the others are copies of."""
    path = tmp_path_factory.mktemp("template") / "ops.db"
    return path, build(path)


@pytest.fixture
def world(template: tuple[Path, Ids], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A log of this test's own, in the current directory; nothing is set in the environment."""
    for name in ("REDRIVE_DB", "REDRIVE_TENANT", "REDRIVE_LOG_LEVEL", "REDRIVE_LOG_FORMAT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    path, ids = template
    shutil.copy(path, tmp_path / "ops.db")
    return World(f"sqlite:///{tmp_path / 'ops.db'}", ids)


@pytest.fixture(scope="session")
def effect_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, EffectIds]:
    """The log with effects that the others are copies of."""
    path = tmp_path_factory.mktemp("effects") / "ops.db"
    return path, build_effects(path)


@pytest.fixture
def shop(world: World, effect_template: tuple[Path, EffectIds], tmp_path: Path) -> EffectWorld:
    """A log with effects, of this test's own."""
    path, ids = effect_template
    shutil.copy(path, tmp_path / "effects.db")
    return EffectWorld(f"sqlite:///{tmp_path / 'effects.db'}", world.ids, ids)
