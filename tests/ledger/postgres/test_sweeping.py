"""Sweepers of several processes work side by side: each begins with what it has at hand, and passes over what another
one sweeps."""

from collections.abc import Callable
from contextlib import closing

import pytest

from redrive import DeadLetterId
from redrive.domain.ports import START
from redrive.ledger import ahead
from redrive.ledger.postgres.recorder import PostgresRecorder
from redrive.processes.sweep import SweepReport, sweep
from tests.engine.outworld import Till
from tests.ledger.postgres.test_ahead import in_between
from tests.ledger.postgres.test_few_ways import cost, letters, request
from tests.processes.workshop import until

MP = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def _policy_is_logged(till: Till) -> None:
    """The first dispatch of a log writes its policy, too: there two would conflict once."""
    request(till, *letters(till, 1))
    till.acme.sweep()
    till.acme.complete_attempt(till.claim().attempts[0])


def requested(till: Till, count: int) -> list[DeadLetterId]:
    """So many letters whose retry is requested by this process, and not dispatched yet."""
    wanted = letters(till, count)
    request(till, *wanted)
    return wanted


def one_page(till: Till) -> SweepReport:
    """What a worker sweeps before it looks after its leases."""
    services = till.engine.services
    return sweep(services.ledger, None, services.policy_of, "test", pages=1)


def swept(report: SweepReport) -> set[DeadLetterId]:
    """What was dispatched."""
    return {act.dead_letter for act in report.acted}


def pausing(monkeypatch: MP, act: Callable[[], object]) -> list[float]:
    """Who waits does *act* meanwhile, at its first pause; how long each pause is."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            act()

    monkeypatch.setattr("redrive.ledger.ahead.time.sleep", sleep)
    return pauses


def conflicts(*tills: Till) -> int:
    """How often they decided in vain."""
    return sum(till.engine.ledger.committer.conflicts for till in tills)


def test_each_begins_with_what_it_has_at_hand(till: Till, other: Till) -> None:
    """However old the others are. Then come these, too."""
    theirs, mine = requested(till, 2), requested(other, 2)
    first = one_page(other)
    assert (swept(first), first.rest) == (set(mine), START)
    assert swept(other.acme.sweep()) == set(theirs)
    other.check()


def test_two_who_sweep_at_the_same_moment(till: Till, other: Till, monkeypatch: MP) -> None:
    """Neither waits, and neither decides in vain, nor a second time."""
    theirs, mine, reports = requested(till, 2), requested(other, 2), list[SweepReport]()
    with in_between(monkeypatch, till, lambda: reports.append(one_page(other))) as decided:
        one_page(till)
    assert (swept(reports[0]), decided, conflicts(till, other)) == (set(mine), [True, True], 0)
    assert {till.dl(letter).dispatches for letter in (*theirs, *mine)} == {1}
    till.check()


def test_what_another_sweeps_is_passed_over(till: Till, other: Till, monkeypatch: MP) -> None:
    """What it leaves, because it has more than a page of it, is not."""
    monkeypatch.setattr(ahead, "PAGE", 2)
    theirs = requested(till, 5)
    reports: list[SweepReport] = []
    with in_between(monkeypatch, till, lambda: reports.append(one_page(other))) as decided:
        pauses = pausing(monkeypatch, lambda: None)
        assert swept(one_page(till)) == set(theirs[:2])
    assert (decided, pauses, conflicts(till, other)) == ([True, True], [], 0)
    assert swept(reports[0]) == set(theirs[2:4])
    till.check()


def test_who_comes_second_finds_nothing_left(till: Till, other: Till, monkeypatch: MP) -> None:
    """It waits for what the first one has, and looks again."""
    wanted = requested(till, 3)
    with closing(till.engine.ledger.sweeping(None, START)) as held:
        assert [row.subject for row in next(held).rows] == wanted

        def go_on() -> None:
            till.acme.sweep()
            held.close()

        pauses = pausing(monkeypatch, go_on)
        assert other.acme.sweep() == SweepReport()
    assert (len(pauses), conflicts(till, other)) == (1, 0)
    assert {till.dl(letter).dispatches for letter in wanted} == {1}
    till.check()


def test_what_others_sweep_afterwards_is_not_waited_for(till: Till, other: Till, monkeypatch: MP) -> None:
    """Or who sweeps would go on for as long as others do."""
    requested(till, 1)
    (later,) = letters(till, 1)
    held = [till.engine.ledger.sweeping(None, START)]
    next(held[0])

    def go_on() -> None:
        till.acme.sweep()
        held[0].close()
        request(till, later)
        held[0] = till.engine.ledger.sweeping(None, START)
        next(held[0])

    pauses = pausing(monkeypatch, go_on)
    assert other.acme.sweep() == SweepReport()
    assert (len(pauses), till.status(later)) == (1, "retry_requested")
    held[0].close()


def test_who_has_waited_for_long_goes_on(till: Till, other: Till, monkeypatch: MP) -> None:
    """A process that stands still keeps nobody from sweeping. When it goes on, it decides again."""
    (letter,), reports = requested(till, 1), list[SweepReport]()
    pauses = pausing(monkeypatch, lambda: None)
    with in_between(monkeypatch, till, lambda: reports.append(other.acme.sweep())) as decided:
        assert till.acme.sweep() == SweepReport()
    assert (swept(reports[0]), decided) == ({letter}, [True, False])
    assert pauses == list(ahead.SWEEP_PAUSES_S)
    assert sum(pauses) == pytest.approx(2)
    till.check()


def test_what_is_kept_is_free_when_the_connection_ends(till: Till, other: Till, monkeypatch: MP) -> None:
    """Of who crashed, say. Ending it once more is no fault."""
    (letter,) = requested(till, 1)
    held = till.engine.ledger.sweeping(None, START)
    next(held)
    recorder = till.engine.ledger.recorder
    assert isinstance(recorder, PostgresRecorder)
    recorder.writer.close()
    held.close()
    assert until(lambda: swept(other.acme.sweep()) == {letter})


def test_a_sweep_that_fails_keeps_nothing(till: Till, other: Till, monkeypatch: MP) -> None:
    """Nor does one that is not carried on."""
    (letter,) = requested(till, 1)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(till.engine.ledger, "transact_together", fail)
        with pytest.raises(ZeroDivisionError):
            till.acme.sweep()
    pauses = pausing(monkeypatch, lambda: None)
    assert (swept(other.acme.sweep()), pauses) == ({letter}, [])


def test_what_was_swept_since_the_look_is_left_alone(till: Till, other: Till, monkeypatch: MP) -> None:
    """It is free again, and due by the look: the news tells that it is dispatched."""
    requested(till, 2)
    keep = PostgresRecorder.keep

    def late(self: PostgresRecorder, statement: tuple[str, tuple[object, ...]]) -> object:
        rows = keep(self, statement)
        if self is other.engine.ledger.recorder and not till.acme.sweep().acted:
            pytest.fail("nothing was left")
        return rows

    with monkeypatch.context() as patched:
        patched.setattr(PostgresRecorder, "keep", late)
        patched.setattr("redrive.ledger.ahead.SWEEP_PAUSES_S", ())
        assert other.acme.sweep() == SweepReport()
    till.check()


def test_a_sweep_that_finds_nothing_asks_once(till: Till, monkeypatch: MP) -> None:
    """And not through the connection that writes."""
    letters(till, 1)
    assert cost(monkeypatch, till.acme.sweep) == 1
