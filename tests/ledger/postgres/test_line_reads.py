"""What a claim takes along on its way: the run that it locks, and the dead letters that are asked for later."""

from collections.abc import Callable

import pytest

from redrive.ledger.postgres import line
from redrive.ledger.postgres.pipeline import Pipeline, Statement
from tests.engine.outworld import Till
from tests.ledger.postgres.test_ahead import in_between
from tests.ledger.postgres.test_few_ways import request
from tests.processes.workshop import ANA

MP = pytest.MonkeyPatch


def ways(monkeypatch: MP, act: Callable[[], object]) -> int:
    """How often *act* goes to the server, rings aside: they have a thread of their own."""
    met: list[str] = []
    run = Pipeline.run

    def counting(self: Pipeline, statements: "list[Statement]") -> object:
        met.extend(sql for sql, _ in statements[-1:] if "pg_notify" not in sql)
        return run(self, statements)

    with monkeypatch.context() as patched:
        patched.setattr(Pipeline, "run", counting)
        patched.setattr("redrive.ledger.ahead.STALE_S", 3_600)  # on a slow machine the news would be asked for first
        act()
    return len(met)


def among_strangers(till: Till, other: Till) -> None:
    """*till* has just claimed a run that *other* submitted."""
    other.submit()
    till.claim()


def test_the_run_of_another_process_is_read_on_the_way(till: Till, other: Till, monkeypatch: MP) -> None:
    """The look and the commit; the first of a stranger's runs takes one way more."""
    among_strangers(till, other)
    run = other.submit()
    assert ways(monkeypatch, till.claim) == 2
    assert till.run_status(run) == "running"
    till.check()


def test_a_long_run_is_read_when_it_is_asked_for(till: Till, other: Till, monkeypatch: MP) -> None:
    """Only what is not in memory of it."""
    some = line.TAKEN[0].replace(f"WHERE {line.MOST_ALONG} >=", "WHERE 0 >=")
    monkeypatch.setattr("redrive.ledger.ahead.TAKEN", (some, ()))
    among_strangers(till, other)
    other.submit()
    assert ways(monkeypatch, till.claim) == 3
    till.check()


def test_the_dead_letter_that_another_process_dispatched_is_at_hand(till: Till, other: Till, monkeypatch: MP) -> None:
    """Whoever reports the success goes to the server once, to commit it."""
    among_strangers(till, other)
    letter = other.letter()
    request(other, letter)
    other.acme.sweep()
    claim = till.claim()
    assert ways(monkeypatch, lambda: till.acme.complete_attempt(claim.attempts[0])) == 1
    assert till.dl(letter).status == "resolved"
    till.check()


def test_dead_letters_of_many_runs(till: Till, other: Till, monkeypatch: MP) -> None:
    """They come with the runs that are claimed together."""
    letters = [other.letter() for _ in range(10)]
    request(other, *letters)
    other.acme.sweep()
    claims = till.acme.claim_many(10, worker="w", start=True)

    def report() -> None:
        with till.engine.batch() as batch:
            for claim in claims:
                batch.add(till.acme.complete_attempt, claim.attempts[0])

    assert ways(monkeypatch, report) == 1
    assert {till.dl(letter).status for letter in letters} == {"resolved"}
    till.check()


def test_what_was_read_on_the_way_is_not_used_when_others_moved_it(till: Till, other: Till, monkeypatch: MP) -> None:
    """Cancelled between the look and the commit: it is decided again, and takes the next."""
    among_strangers(till, other)
    oldest, second = other.submit(), other.submit()
    with in_between(monkeypatch, till, lambda: other.acme.cancel(oldest, **ANA)) as decided:
        assert till.claim().run_id == second
    assert decided == [True, False]
    till.check()


def test_a_sweep_that_is_decided_again_reads_at_once(till: Till, other: Till, monkeypatch: MP) -> None:
    """Under the lock, for which others wait."""
    letters = [other.letter() for _ in range(20)]
    request(other, *letters)

    def sweep() -> None:
        with in_between(monkeypatch, till, lambda: other.acme.pause(run, **ANA)) as decided:
            till.acme.sweep()
        assert decided[0]

    run = other.dl(letters[0]).run
    assert run is not None
    assert ways(monkeypatch, sweep) < 30
    till.check()
