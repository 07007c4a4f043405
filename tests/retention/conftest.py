"""Fixtures: an attic for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.retention.attic import Attic


@pytest.fixture
def attic(tmp_path: Path) -> Iterator[Attic]:
    """A sound one, at the end as well."""
    attic = Attic(tmp_path)
    yield attic
    attic.check()
    attic.engine.close()
