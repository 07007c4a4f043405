"""Fixtures: a vault for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.privacy.vault import Vault
from tests.stores import store as store  # noqa: PLC0414


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """A sound one, at the end as well."""
    vault = Vault(tmp_path)
    yield vault
    vault.check()
    vault.engine.close()


@pytest.fixture(autouse=True)
def _on_each_store(store: str) -> str:
    return store
