"""Decided ahead of the lock while a rival commits: decided again, so that the outcome is one of a serial order."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from redrive import Compensation, InFlight, NotAllowed, NotRunning, Refused, StorageError
from redrive.ledger.transaction import LedgerTransaction
from tests.engine.outworld import Till
from tests.processes.workshop import ANA

Act = Callable[[], Any]


@contextmanager
def in_between(monkeypatch: pytest.MonkeyPatch, till: Till, rival: Act) -> Iterator[list[bool]]:
    """The first command of *till* stops between its reads and the lock until *rival* is done; how often it was
    decided: ahead (True), under the lock (False)."""
    decided: list[bool] = []
    encode = LedgerTransaction.encode

    def slow(self: LedgerTransaction) -> None:
        if self._committer is till.engine.ledger.committer:
            decided.append(self._committer.ahead)
            if len(decided) == 1:
                assert self._committer.ahead, "it was not decided ahead"
                rival()
        encode(self)

    with monkeypatch.context() as patched:
        patched.setattr(LedgerTransaction, "encode", slow)
        yield decided


@contextmanager
def refused(kind: type[Refused]) -> Iterator[None]:
    """The block is refused, with exactly this."""
    with pytest.raises(kind) as found:
        yield
    assert type(found.value) is kind


def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a decision rests on is not checked: the tests must see it."""
    monkeypatch.setattr(LedgerTransaction, "rests", lambda _: frozenset())


def test_an_intent_that_a_cancel_did_not_see(till: Till, other: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cancel is decided again, sees it, and its dead letter opens."""
    attempt = till.paying()
    with in_between(monkeypatch, till, lambda: other.begun(attempt)) as decided:
        till.acme.cancel(attempt.run_id, **ANA)
    assert decided == [True, False]
    assert (till.effects()[0].status, till.letters()) == ("unknown", [("tool_effect", "open")])
    till.check()


def test_a_cancel_that_an_intent_did_not_see(till: Till, other: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """The intent is refused: nothing is sent for a run that is over."""
    attempt = till.paying()
    with (
        in_between(monkeypatch, till, lambda: other.acme.cancel(attempt.run_id, **ANA)) as decided,
        refused(NotRunning),
    ):
        till.begun(attempt)
    assert (decided, till.effects()) == ([True], [])
    till.check()


def test_a_letter_that_a_late_success_did_not_see(till: Till, other: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is decided again, and resolves it."""
    attempt = till.paying()
    standing = till.begun(attempt)
    with in_between(monkeypatch, till, lambda: other.fail(attempt)) as decided:
        till.acme.effect_succeeded(standing, 1)
    assert (decided, till.letters()) == ([True, False], [("tool_effect", "resolved")])
    till.check()


def test_a_success_that_a_failing_attempt_did_not_see(till: Till, other: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dead letter is about the node, not about an effect that nobody knows the outcome of."""
    attempt = till.paying()
    standing = till.begun(attempt)
    with in_between(monkeypatch, till, lambda: other.acme.effect_succeeded(standing, 1)) as decided:
        till.fail(attempt)
    assert (decided, till.effects()[0].status) == ([True, False], "succeeded")
    assert [source for source, _ in till.letters()] != ["tool_effect"]
    till.check()


def test_a_second_sender(till: Till, other: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told that it is in flight, although it had found nothing."""
    with in_between(monkeypatch, till, lambda: other.begun(None)) as decided, refused(InFlight):
        till.begun(None)
    assert (len(decided), len(till.effects())) == (1, 1)


def test_a_success_that_a_compensation_did_not_see(till: Till, other: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused: what succeeded is not undone because of a dead letter that is resolved."""
    standing = till.begun(attempt := till.paying(), compensation=Compensation("undo"))
    till.fail(attempt)
    letter = till.the_letter()
    with (
        in_between(monkeypatch, till, lambda: other.acme.effect_succeeded(standing, 1)) as decided,
        refused(NotAllowed),
    ):
        till.acme.compensate(letter, **ANA)
    assert decided == [True]
    till.check()


def test_a_compensation_that_a_success_did_not_see(till: Till, other: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is proposed first; the success is recorded after it."""
    standing = till.begun(attempt := till.paying(), compensation=Compensation("undo"))
    till.fail(attempt)
    letter = till.the_letter()
    with in_between(monkeypatch, till, lambda: other.acme.compensate(letter, **ANA)) as decided:
        till.acme.effect_succeeded(standing, 1)
    assert decided == [True, False]
    till.check()


def test_without_the_check_a_cancel_would_leave_an_effect_behind(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that the check is what the first of these tests rests on."""
    attempt = till.paying()
    blind(monkeypatch)
    with in_between(monkeypatch, till, lambda: other.begun(attempt)) as decided:
        try:
            till.acme.cancel(attempt.run_id, **ANA)
        except StorageError:
            return  # the rival took its version: the log itself said no
    assert decided == [True]
    assert till.letters() == []


def test_without_the_check_a_success_would_leave_a_letter_open(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would be told that it is resolved."""
    attempt = till.paying()
    standing = till.begun(attempt)
    blind(monkeypatch)
    with in_between(monkeypatch, till, lambda: other.fail(attempt)):
        try:
            till.acme.effect_succeeded(standing, 1)
        except StorageError:
            return
    assert till.letters() == [("tool_effect", "open")]


def test_without_the_check_a_refusal_would_be_told_that_is_not_so(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that is what the check keeps away."""
    letter = till.letter()
    till.acme.abandon(letter, **ANA)
    with in_between_of_refusal(monkeypatch, till, lambda: other.acme.reopen(letter, **ANA)):
        till.acme.ignore(letter, **ANA)
    assert till.status(letter) == "ignored"
    till.acme.reopen(letter, **ANA)
    till.acme.abandon(letter, **ANA)
    blind(monkeypatch)
    with in_between_of_refusal(monkeypatch, till, lambda: other.acme.reopen(letter, **ANA)), pytest.raises(Refused):
        till.acme.ignore(letter, **ANA)


@contextmanager
def in_between_of_refusal(monkeypatch: pytest.MonkeyPatch, till: Till, rival: Act) -> Iterator[None]:
    """*rival* is done after the first command of *till* was refused ahead of the lock."""
    refuse, left = LedgerTransaction.refuse, [rival]

    def slow(self: LedgerTransaction) -> None:
        if left and self._committer is till.engine.ledger.committer:
            assert self._committer.ahead
            left.pop()()
        refuse(self)

    with monkeypatch.context() as patched:
        patched.setattr(LedgerTransaction, "refuse", slow)
        yield
    assert not left, "nothing was refused ahead"
