"""Fixtures: an incident that was mended, and one that was not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forensics.incidents import Incident, failed, mended


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
