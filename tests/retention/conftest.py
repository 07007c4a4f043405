"""Fixtures: an attic for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.retention.attic import Attic
from tests.stores import store as store  # noqa: PLC0414


@pytest.fixture
def attic(tmp_path: Path) -> Iterator[Attic]:
    """A sound one, at the end as well."""
    attic = Attic(tmp_path)
    yield attic
    attic.check()
    attic.engine.close()


@pytest.fixture(autouse=True)
def _on_each_store(store: str) -> str:
    return store
