"""What the tests of several logs share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import redrive
from redrive import ShardedEngine
from tests.processes.workshop import Shop
from tests.sharding.shards import ShardedShop, check, urls


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A tenant among three logs; all of them are sound at the end."""
    shop = ShardedShop(tmp_path / "log.db")
    yield shop
    shop.check()
    shop.engine.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ShardedEngine]:
    """Three logs on the real clock; all of them are sound at the end."""
    with redrive.open(urls(tmp_path)) as engine:
        yield engine
        check(engine)
