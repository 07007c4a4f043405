"""The picture of a what-if: its scale of time."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from redrive.forensics.timelines.lettering import BOLD, width_of
from redrive.forensics.what_if.bounds import Bounds
from redrive.forensics.what_if.load_plot import LEFT, WIDTH, _across, _times, load_plot
from redrive.forensics.what_if.report import Comparison, LoadPoint
from tests.forensics.incidents import BEGIN_MS
from tests.processes.workshop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A log."""
    shop = Shop(tmp_path / "log.db")
    shop.submit()
    yield shop
    shop.engine.close()


def points(count: int, bucket_ms: int) -> list[LoadPoint]:
    """Buckets of time in which nothing happened."""
    none = Bounds(low=0, high=0)
    return [
        LoadPoint(
            at_ms=BEGIN_MS + n * bucket_ms, retries_recorded=0, retries=none, dead_letters_recorded=0,
            dead_letters=none,
        )
        for n in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("times", [1, 10_000])
def test_the_title_has_room(shop: Shop, times: int) -> None:
    """Also that of a large log, whose numbers are long."""
    with shop.engine.what_if({"version": 1}) as answer:
        many = Comparison(
            recorded=172_300 * times, counterfactual=Bounds(low=177_900 * times, high=1_876_300 * times),
            change=Bounds(low=0, high=0),
        )  # fmt: skip
        svg = load_plot(answer.report.model_copy(update={"dead_letters": many, "retries": many}))
    size, shown = re.search(r'class="title" style="font-size:([\d.]+)px">(.*?)</text>', svg).groups()  # type: ignore[union-attr]
    assert LEFT + BOLD * width_of(re.sub("<.*?>", "", shown), float(size)) < WIDTH


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 37, 60])
@pytest.mark.parametrize("bucket_ms", [1_000, 15_000, 60_000, 3_600_000])
def test_times_stand_where_buckets_begin(count: int, bucket_ms: int) -> None:
    """Each once, equally far from each other: what is between buckets is no place to read a value from."""
    load = points(count, bucket_ms)
    shown = [part for part in _times(load, _across(load, bucket_ms), 100, bucket_ms) if "<text" in part]
    places = [float(part.split('"')[1]) for part in shown]
    gaps = {round(after - before, 0) for before, after in pairwise(places)}
    assert 2 <= len(shown) <= 7
    assert max(gaps) - min(gaps) <= 1
    assert len({part.partition(">")[2] for part in shown}) == len(shown)
