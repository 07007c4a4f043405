"""A plant for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from redrive.projections.view import View
from tests.projections.plant import Plant


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """A ledger without events, and nobody listening to what it logs."""
    with structlog.testing.capture_logs():
        made = Plant(tmp_path / "ops.db")
        yield made
        made.ledger.close()


@pytest.fixture
def view(plant: Plant, tmp_path: Path) -> Iterator[View]:
    """A view of it, in a file."""
    made = View(plant.ledger, str(tmp_path / "view.db"))
    yield made
    made.close()
