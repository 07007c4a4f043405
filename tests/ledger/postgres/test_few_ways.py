"""What many runs cost in ways to the server: about as much as a few of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from redrive import Claim, DeadLetterId, Failure
from redrive.domain.ports import Caller
from redrive.ledger import agenda_reading
from redrive.ledger.postgres import values
from redrive.ledger.postgres.pipeline import Pipeline, Statement
from redrive.ledger.transaction import LedgerTransaction
from tests.engine.outworld import Till
from tests.processes.workshop import ANA, beside

MP = pytest.MonkeyPatch
Ways = list[int]
FAILURE = Failure("provider_transient", "timeout")


@contextmanager
def counted(monkeypatch: MP) -> Iterator[Ways]:
    """How many statements each way to the server takes along."""
    ways: Ways = []
    run = Pipeline.run

    def counting(self: Pipeline, statements: "list[Statement]") -> object:
        ways.append(len(statements))
        return run(self, statements)

    with monkeypatch.context() as patched:
        patched.setattr(Pipeline, "run", counting)
        yield ways


def letters(till: Till, count: int) -> list[DeadLetterId]:
    """So many dead letters, of as many runs."""
    return [till.letter() for _ in range(count)]


def request(till: Till, *wanted: DeadLetterId) -> None:
    """An operator wants them retried: in one commit, which dispatches none of them."""
    with till.engine.batch() as batch:
        for letter in wanted:
            batch.add(till.acme.request_retry, letter, **ANA)


def cost(monkeypatch: MP, act: Callable[[], object]) -> int:
    """How many ways *act* needs."""
    with counted(monkeypatch) as ways:
        act()
    return len(ways)


def test_claims_of_many(till: Till, other: Till, monkeypatch: MP) -> None:
    """Of runs that another process submitted."""
    runs, claims = [till.submit() for _ in range(30)], list[Claim]()
    assert cost(monkeypatch, lambda: claims.extend(other.acme.claim_many(30, worker="v"))) < 15
    assert [claim.run_id for claim in claims] == runs
    other.check()


def test_a_sweep_of_many(till: Till, other: Till, monkeypatch: MP) -> None:
    """Of dead letters that another process opened."""
    wanted = letters(till, 20)
    request(till, *wanted)
    assert cost(monkeypatch, other.acme.sweep) < 15
    assert {other.dl(letter).status for letter in wanted} == {"retrying"}
    other.check()


def test_retries_of_many(till: Till, monkeypatch: MP) -> None:
    """Of letters that are in memory."""
    wanted = letters(till, 20)
    assert cost(monkeypatch, lambda: request(till, *wanted)) < 10
    till.check()


def test_what_a_commit_writes_goes_in_few_statements(till: Till, monkeypatch: MP) -> None:
    """However many commands share it: events and agenda are written by statements of many rows."""

    def statements(act: Callable[[], object]) -> int:
        with counted(monkeypatch) as ways:
            act()
        return max(ways)

    def submit(count: int) -> None:
        with till.engine.batch() as batch:
            for _ in range(count):
                batch.add(till.submit)

    claims: list[Claim] = []

    def fail() -> None:
        with till.engine.batch() as batch:
            for claim in claims:
                batch.add(till.acme.fail_attempt, claim.attempts[0], FAILURE)

    till.submit()
    assert statements(lambda: submit(40)) == statements(lambda: submit(2))
    assert statements(lambda: claims.extend(till.acme.claim_many(40, worker="w", start=True))) < 12
    assert len(claims) == 40
    assert statements(fail) < 12
    till.check()


@pytest.mark.parametrize("few", [0, 16])
def test_what_is_due_of_a_run_is_told_by_its_letters(till: Till, monkeypatch: MP, few: int) -> None:
    """As the agenda tells it, the letters in the order in which they were opened; of many, the agenda is asked."""
    monkeypatch.setattr(agenda_reading, "FEW", few)
    claim = till.begin(beside("a", "b", "c"))
    till.fail(*claim.attempts)
    b, c = (till.letter_of(claim.run_id, node) for node in "bc")
    request(till, c, b)
    assert till.engine.ledger.transact(Caller(None), lambda tx: tx.due_dead_letters(claim.run_id)) == [b, c]


def test_what_was_read_and_not_asked_for_is_forgotten(till: Till, other: Till) -> None:
    """Nobody decides on it in the next transaction: others may have written since."""
    runs = [till.submit() for _ in range(2)]

    def look(tx: LedgerTransaction) -> None:
        tx._committer.read_ahead(runs)

    other.engine.ledger.transact(Caller(None), look)
    till.acme.cancel(runs[0], **ANA)
    assert [other.claim().run_id] == runs[1:]
    other.check()


def test_news_of_a_busy_log(till: Till, other: Till) -> None:
    """A thousand events of others: what they did not write to is still known."""
    known = other.submit()
    with till.engine.batch() as batch:
        for _ in range(1_000):
            batch.add(till.submit)
    states = other.engine.ledger.committer.states
    before = states.foreign_changes
    other.acme.pause(known, **ANA)
    assert states.foreign_changes == before
    other.check()


def test_news_of_more_than_can_be_told(till: Till, other: Till, monkeypatch: MP) -> None:
    """Then anything may have changed: what is in memory is compared with the log."""
    known = other.submit()
    till.acme.pause(known, **ANA)
    with till.engine.batch() as batch:
        for _ in range(20):
            batch.add(till.submit)
    monkeypatch.setattr("redrive.ledger.postgres.hearing.MOST_NEWS", 10)
    states = other.engine.ledger.committer.states
    before = states.foreign_changes
    other.acme.resume(known, **ANA)
    assert states.foreign_changes == before + 1
    other.check()


def test_a_thousand_events_are_told_in_a_row(till: Till, other: Till, monkeypatch: MP) -> None:
    """Each stream that was written to, once."""
    other.submit()
    with till.engine.batch() as batch:
        for _ in range(1_000):
            batch.add(till.submit)
    found: list[int] = []

    def counting(*result: Any) -> Any:
        rows = values.loaded(*result)
        found.append(len(rows))
        return rows

    with monkeypatch.context() as patched:
        patched.setattr("redrive.ledger.postgres.connection.loaded", counting)
        other.submit()
    assert max(found) == 1
    other.check()
