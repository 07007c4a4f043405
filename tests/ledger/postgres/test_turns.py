"""Sweepers of several processes take turns, so that they do not decide about the same dead letters in vain."""

from collections.abc import Callable

import pytest

from redrive.ledger import ahead
from redrive.ledger.postgres.recorder import PostgresRecorder
from tests.engine.outworld import Till
from tests.ledger.postgres.test_few_ways import letters, request
from tests.processes.workshop import until

MP = pytest.MonkeyPatch


def pausing(monkeypatch: MP, act: Callable[[], object]) -> list[float]:
    """Who waits does *act* meanwhile, at its first pause; how long each pause is."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            act()

    monkeypatch.setattr("redrive.ledger.ahead.time.sleep", sleep)
    return pauses


def test_who_comes_second_finds_nothing_left(till: Till, other: Till, monkeypatch: MP) -> None:
    """It waits for its turn, and looks again."""
    wanted = letters(till, 3)
    request(till, *wanted)
    turn = other.engine.ledger.turn("sweep")
    assert turn.__enter__() is False
    pauses = pausing(monkeypatch, lambda: (other.acme.sweep(), turn.__exit__(None, None, None)))
    report = till.acme.sweep()
    assert (report.acted, report.skipped, len(pauses)) == ([], [], 1)
    assert till.engine.ledger.committer.conflicts == 0
    assert {till.dl(letter).dispatches for letter in wanted} == {1}
    till.check()


def test_who_has_waited_for_long_goes_on(till: Till, other: Till, monkeypatch: MP) -> None:
    """A process that stands still with its turn keeps nobody from sweeping: it is no lock."""
    (letter,) = letters(till, 1)
    request(till, letter)
    pauses = pausing(monkeypatch, lambda: None)
    with other.engine.ledger.turn("sweep"):
        assert len(till.acme.sweep().acted) == 1
    assert pauses == list(ahead.TURN_PAUSES_S)
    assert sum(pauses) == pytest.approx(2)


def test_a_turn_ends_with_the_connection(till: Till, other: Till) -> None:
    """Of who crashed, say. Ending it once more is no fault."""
    mine, theirs = till.engine.ledger.recorder, other.engine.ledger.recorder
    assert isinstance(mine, PostgresRecorder)
    assert isinstance(theirs, PostgresRecorder)
    assert theirs.try_turn("sweep")
    assert not mine.try_turn("sweep")
    theirs.writer.close()
    theirs.end_turn("sweep")
    assert until(lambda: mine.try_turn("sweep"))  # the server hears of it a moment later
    mine.end_turn("sweep")


def test_a_sweep_that_fails_ends_its_turn(till: Till, other: Till, monkeypatch: MP) -> None:
    """And other things have turns of their own."""
    request(till, *letters(till, 1))

    def fail(*_: object) -> None:
        with other.engine.ledger.turn("another") as waited:
            assert not waited
        raise ZeroDivisionError

    monkeypatch.setattr(till.engine.ledger, "transact_together", fail)
    with pytest.raises(ZeroDivisionError):
        till.acme.sweep()
    with other.engine.ledger.turn("sweep") as waited:
        assert not waited
