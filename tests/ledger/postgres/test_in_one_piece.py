"""A commit that goes to the server in one piece: others wrote elsewhere meanwhile, and everything stands above that."""

from collections.abc import Callable

import pytest

from redrive.domain.event import Recorded
from redrive.ledger.postgres import connection
from redrive.ledger.postgres.recorder import PostgresRecorder
from redrive.ledger.storage_errors import DatabaseFault
from tests.engine.outworld import Till
from tests.ledger.postgres.test_ahead import in_between
from tests.processes.workshop import ANA, ONE


def hearing(till: Till) -> list[Recorded]:
    """What a listener is told from here on."""
    heard: list[Recorded] = []
    till.engine.ledger.subscribe(heard.extend)
    return heard


def elsewhere(other: Till, runs: int = 3, ahead_ms: int = 0) -> Callable[[], None]:
    """A rival who submits runs of its own, by a clock that is so far ahead."""

    def write() -> None:
        other.now += ahead_ms
        for _ in range(runs):
            other.acme.submit(ONE, automation="elsewhere")

    return write


@pytest.mark.parametrize("runs", [1, 3, 300])
def test_who_wrote_elsewhere_meanwhile_is_no_conflict(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch, runs: int
) -> None:
    """Positions, times and the agenda are those of the log, also in memory; and so they are for what comes next."""
    till.submit()
    heard = hearing(till)
    with in_between(monkeypatch, till, elsewhere(other, runs)) as decided:
        mine = till.acme.submit(ONE, automation="mine")
    assert decided == [True]
    log = till.log()
    assert heard == [event for event in log if event.correlation == mine]
    assert [event.position for event in log] == list(range(1, len(log) + 1))
    claimed = [till.claim().run_id for _ in range(runs + 2)]
    assert claimed.index(mine) == runs + 1, "the oldest first: it came last"
    till.check()


def test_what_is_recorded_later_has_no_earlier_time(till: Till, other: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when those who wrote before it have a clock that is ahead; listeners are told the same."""
    till.submit()
    heard = hearing(till)
    with in_between(monkeypatch, till, elsewhere(other, ahead_ms=60_000)):
        mine = till.submit()
    log = till.log()
    assert [event.recorded_at_ms for event in log] == sorted(event.recorded_at_ms for event in log)
    assert heard == [event for event in log if event.correlation == mine]
    assert heard[0].recorded_at_ms - heard[0].occurred_at_ms >= 50_000
    till.check()


def test_a_lost_answer_tells_where_it_stands(till: Till, other: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked up by its last event, with all that others wrote before it."""
    till.submit()
    heard, recorder = hearing(till), till.engine.ledger.recorder
    assert isinstance(recorder, PostgresRecorder)
    together, lost = recorder.writer.together, list[bool]()

    def lose(*statements: tuple[str, tuple[object, ...]]) -> object:
        answer = together(*statements)
        if statements[0][0] == "COMMIT" and not lost:
            lost.append(True)
            recorder.shift = 0
            raise DatabaseFault("the answer is lost")
        return answer

    monkeypatch.setattr(recorder.writer, "together", lose)
    with in_between(monkeypatch, till, elsewhere(other)) as decided:
        mine = till.acme.submit(ONE, automation="mine")
    assert (decided, lost) == ([True], [True])
    assert heard == [event for event in till.log() if event.correlation == mine]
    till.check()


def test_a_retry_and_its_dispatch_need_no_lock_before_they_are_written(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep sees the letter that was requested before it in the same commit, and no other run's."""
    letter, quiet = till.letter(), till.letter()
    with in_between(monkeypatch, till, lambda: None) as decided:
        standing = till.acme.request_retry(letter, **ANA)
    assert (decided, standing.status) == ([True, True], "retrying")
    assert till.status(quiet) == "open"
    till.check()


def test_a_letter_that_was_settled_before_in_the_same_commit_is_not_dispatched(till: Till) -> None:
    """The agenda in the database still says that it is due."""
    letter = till.letter()
    till.acme.request_retry(letter, **ANA)
    till.claim()
    till.check()
    again = till.letter()
    with till.engine.batch() as batch:
        asked = batch.add(till.acme.request_retry, again, **ANA)
        given = batch.add(till.acme.ignore, again, **ANA)
    assert (asked.result().status, given.result().status) == ("retry_requested", "ignored")
    till.engine.sweep()
    assert till.status(again) == "ignored"
    till.check()


@pytest.mark.parametrize("most", [1_000, 1_001, 1_005, 1_010, 1_015])
def test_what_is_too_much_for_one_way_stands_without_a_gap(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """A large batch goes in several pieces, wherever it is cut; all of them count from where others had come."""
    monkeypatch.setattr(connection, "_MOST_KEPT", most)
    till.submit()
    heard = hearing(till)
    with in_between(monkeypatch, till, elsewhere(other)) as decided, till.engine.batch() as batch:
        mine = [batch.add(till.acme.submit, ONE, automation="mine") for _ in range(100)]
    log = till.log()
    assert (len(decided), set(decided)) == (100, {True})
    assert [event.position for event in log] == list(range(1, len(log) + 1))
    runs = {one.result() for one in mine}
    assert heard == [event for event in log if event.correlation in runs]
    till.submit()
    assert till.engine.ledger.committer.conflicts == 0
    till.check()
