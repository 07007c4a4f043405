"""Ctrl-C, wherever it strikes."""

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

import redrive
from redrive.domain.event import CATALOGUE
from redrive.history import HistoryEntry, entry_of
from redrive.run_detail import RunDetail
from tests.stores import log_url


class Struck(BaseException):
    """What the signal raises."""


@pytest.fixture
def strikes() -> Iterator[list[int]]:
    """Signals every 2 ms; how many handlers have run."""
    count = [0]

    def strike(_number: int, _frame: object) -> None:
        count[0] += 1
        raise Struck

    gc.disable()  # what strikes in a callback of the collector is nobody's to feel
    before = signal.signal(signal.SIGALRM, strike)
    yield count
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    gc.enable()


@pytest.mark.parametrize("cls", [*CATALOGUE.values(), HistoryEntry, RunDetail], ids=lambda cls: cls.__name__)
def test_no_document_is_serialized_by_python(cls: type[BaseModel]) -> None:
    """Pydantic loses what is raised by a callable discriminator while it serializes: an interrupt, too."""
    assert "JsonValue" not in repr(cls.__pydantic_serializer__)
    assert "_get_type_name" not in repr(cls.__pydantic_core_schema__)


def test_an_interrupt_while_history_is_read_is_not_lost(tmp_path: Path, strikes: list[int]) -> None:
    """Each that strikes is felt."""
    document: redrive.JsonValue = {"items": [{"n": n, "deep": [str(n)] * 9} for n in range(200)]}
    with redrive.open(log_url(tmp_path / "log.db")) as engine:
        run = engine.local.submit(redrive.Flow([redrive.Node("a")]), automation="a", input=document)
        events = engine.ledger.correlated(run, 0, 10)
    for expected in range(1, 101):
        with pytest.raises(Struck):
            _read_until_struck(events, strikes, expected)


def _read_until_struck(events: list[redrive.Recorded], strikes: list[int], expected: int) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    while strikes[0] < expected:
        for event in events:
            entry_of(event)
