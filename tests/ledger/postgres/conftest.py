"""Everything here runs on PostgreSQL, and only there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.outworld import Till
from tests.stores import SERVER, STORE, STORES

OpenTill = Callable[[], Till]


@pytest.fixture(autouse=True)
def _on_each_store(postgres: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Not on each: on the one that these tests are about."""
    monkeypatch.setenv(STORE, STORES[1])
    monkeypatch.setenv(SERVER, postgres)
    return postgres


@pytest.fixture
def open_till(_on_each_store: str, tmp_path: Path) -> Iterator[OpenTill]:
    """Opens engines on one log, each as another process would; closes them at the end."""
    opened: list[Till] = []

    def open_one() -> Till:
        opened.append(Till(tmp_path / "log.db"))
        return opened[-1]

    yield open_one
    for till in opened:
        till.engine.close()


@pytest.fixture
def till(open_till: OpenTill) -> Till:
    """One process."""
    return open_till()


@pytest.fixture
def other(open_till: OpenTill, till: Till) -> Till:
    """Another process on the same log."""
    return open_till()
