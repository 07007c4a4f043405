"""A sealed log that is built once, and copied for each test."""

import shutil
from pathlib import Path

import pytest

from tests.evidence.sealed import Sealed, build


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the others are copies of."""
    return build(tmp_path_factory.mktemp("sealed"))


@pytest.fixture
def sealed(template: Path, tmp_path: Path) -> Sealed:
    """A signed log with several checkpoints, a pin, and nothing unsealed."""
    folder = tmp_path / "sealed"
    shutil.copytree(template, folder)
    return Sealed(folder)
