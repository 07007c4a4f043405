"""A rival process in the middle of a command, between its reads and its append: it waits, and then decides afresh."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from redrive import Compensation, InFlight, NotAllowed, NotRunning, Refused
from redrive.ledger.transaction import LedgerTransaction
from tests.engine.outworld import Till
from tests.processes.workshop import ANA, running

Act = Callable[[], Any]
pytestmark = pytest.mark.sqlite_only  # on PostgreSQL nobody waits: tests/ledger/postgres/test_ahead.py


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    """One process; ``other`` is another on the same file."""
    till = Till(tmp_path / "log.db")
    yield till
    till.check()
    till.engine.close()


@pytest.fixture
def other(till: Till) -> Iterator[Till]:
    """Another process on the same file."""
    other = Till(till.path)
    yield other
    other.engine.close()


def tried(act: Act) -> Exception | None:
    """Do it; the refusal, if any."""
    try:
        act()
    except Refused as refused:
        return refused
    return None


@contextmanager
def in_between(monkeypatch: pytest.MonkeyPatch, rival: Act) -> Iterator[list[Exception | None]]:
    """The first command of the block stops between its reads and its append while *rival* tries to be quicker; what
    the rival was told, after the block."""
    told: list[Exception | None] = []
    encode, left = LedgerTransaction.encode, [running(lambda: told.append(tried(rival)))]

    with ExitStack() as stack:

        def slow(self: LedgerTransaction) -> None:
            if left:
                thread = stack.enter_context(left.pop())
                thread.join(0.2)
                assert thread.is_alive(), "the rival did not wait"
            encode(self)

        monkeypatch.setattr(LedgerTransaction, "encode", slow)
        yield told


def test_a_cancel_waits_for_an_intent_that_was_decided(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It then sees it, and its dead letter opens."""
    attempt = till.paying()
    with in_between(monkeypatch, lambda: other.acme.cancel(attempt.run_id, **ANA)) as told:
        till.begun(attempt)
    assert (told, till.effects()[0].status, till.letters()) == ([None], "unknown", [("tool_effect", "open")])


def test_an_intent_waits_for_a_cancel_that_was_decided(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused: nothing is sent for a run that is over."""
    attempt = till.paying()
    with in_between(monkeypatch, lambda: other.begun(attempt)) as told:
        till.acme.cancel(attempt.run_id, **ANA)
    assert ([type(error) for error in told], till.effects()) == ([NotRunning], [])


def test_a_late_success_waits_for_a_dead_letter_that_opens(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It then resolves it."""
    attempt = till.paying()
    standing = till.begun(attempt)
    with in_between(monkeypatch, lambda: other.acme.effect_succeeded(standing, 1)) as told:
        till.fail(attempt)
    assert (told, till.letters()) == ([None], [("tool_effect", "resolved")])


def test_a_second_sender_waits_for_the_first_ones_intent(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told that it is in flight."""
    with in_between(monkeypatch, lambda: other.begun(None)) as told:
        till.begun(None)
    assert [type(error) for error in told] == [InFlight]


def test_a_compensation_waits_for_a_success_that_was_decided(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is refused."""
    standing = till.begun(attempt := till.paying(), compensation=Compensation("undo"))
    till.fail(attempt)
    letter = till.the_letter()
    with in_between(monkeypatch, lambda: other.acme.compensate(letter, **ANA)) as told:
        till.acme.effect_succeeded(standing, 1)
    assert [type(error) for error in told] == [NotAllowed]
