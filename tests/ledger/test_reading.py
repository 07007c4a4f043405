"""Reading the log by positions, alike on every store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redrive import InvalidValue
from tests.processes.workshop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """An engine on a log of its own."""
    shop = Shop(tmp_path / "log.db")
    yield shop
    shop.engine.close()


@pytest.fixture
def positions(shop: Shop) -> list[int]:
    """The positions of a log with some events."""
    shop.submit()
    return [event.position for event in shop.engine.ledger.read()]


def read(shop: Shop, *asked: Any) -> list[int]:
    """The positions that are read."""
    return [event.position for event in shop.engine.ledger.read(*asked)]


def test_what_lies_before_the_first_position_is_nothing(shop: Shop, positions: list[int]) -> None:
    """From far before it, the log is read from its beginning."""
    assert len(positions) >= 2
    assert read(shop, -1, 2) == positions[:2]
    assert read(shop, -(2**53) + 1) == positions
    assert read(shop, positions[0], 10, positions[1]) == positions[1:2]
    assert read(shop, 0, 0) == read(shop, 0, 10, -3) == read(shop, 10**9) == []


@pytest.mark.parametrize(
    "asked",
    [(-1, -1), (0, -1), ("0", 1), (0, "1"), (2**70, 1), (0, 2**70), (0, 1, 2**70), (1.5, 1), (None, 1)],
    ids=str,
)
def test_what_is_no_position_and_no_number_is_refused(shop: Shop, asked: tuple[Any, ...]) -> None:
    """By the same sentence, whatever the database would make of it."""
    with pytest.raises(InvalidValue, match=r"(after|limit|until): .* expected an integer"):
        shop.engine.ledger.read(*asked)


def test_after_a_refusal_the_log_is_read_as_before(shop: Shop, positions: list[int]) -> None:
    """Nothing of it reached the database."""
    with pytest.raises(InvalidValue):
        read(shop, 0, -1)
    assert read(shop) == positions
