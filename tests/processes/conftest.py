"""What the tests of the processes share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.workshop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """An engine with a fake clock; the log and the views are sound at the end of every test."""
    shop = Shop(tmp_path / "log.db")
    yield shop
    shop.check()
    shop.engine.close()
