"""Fixtures: a ledger in a file of its own, and more of them on the same file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.ledger.world import World
from tests.stores import store as store  # noqa: PLC0414

Open: TypeAlias = Callable[..., World]


@pytest.fixture(name="open_world")
def _open_world(tmp_path: Path) -> Iterator[Open]:
    """Opens ledgers, all on the same file unless another is named, and closes them at the end."""
    opened: list[World] = []

    def open_one(name: str = "log.db", **options: Any) -> World:
        world = World(tmp_path / name, **options)
        opened.append(world)
        return world

    yield open_one
    for world in opened:
        world.ledger.close()


@pytest.fixture
def world(open_world: Open) -> World:
    """A ledger in an empty file."""
    return open_world()


@pytest.fixture(autouse=True)
def _on_each_store(store: str) -> str:
    return store
