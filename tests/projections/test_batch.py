"""Folding pauses the garbage collector of the host's process, and gives it back as it was."""

import contextlib
import gc
from collections.abc import Iterator

import pytest

from redrive.projections.batch import collector_paused


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """The collector is on again after each test."""
    yield
    gc.enable()


def test_the_collector_is_paused_and_goes_on() -> None:
    """Also after an error."""
    seen = []
    with contextlib.suppress(LookupError), collector_paused():
        seen.append(gc.isenabled())
        raise LookupError
    assert [*seen, gc.isenabled()] == [False, True]


def test_a_collector_that_the_host_turned_off_stays_off() -> None:
    """It is the host's decision."""
    gc.disable()
    with collector_paused():
        pass
    assert not gc.isenabled()
