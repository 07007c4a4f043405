"""Fixtures: a vault for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.privacy.vault import Vault


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """A sound one, at the end as well."""
    vault = Vault(tmp_path)
    yield vault
    vault.check()
    vault.engine.close()
