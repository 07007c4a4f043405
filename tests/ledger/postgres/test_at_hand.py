"""Claims of several prefer, near the head of the line, runs that this process has at hand."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from redrive import Claim, Limit, RunId
from redrive.domain.errors import StreamReadOnly
from redrive.domain.run.state import Run
from redrive.ledger import at_hand
from redrive.ledger.ahead import AheadCommitter
from redrive.ledger.transaction import LedgerTransaction
from tests.engine.outworld import Till
from tests.ledger.postgres.test_ahead import in_between
from tests.ledger.postgres.test_line import WAYS, conflicts, submitted
from tests.ledger.postgres.test_line_stale import gated
from tests.processes.workshop import ANA, ONE

MP = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def _in_company(till: Till, other: Till, monkeypatch: MP) -> None:
    """Each has heard of the other, and however slow this machine is."""
    monkeypatch.setattr("redrive.ledger.ahead.COMPANY_S", 3_600)
    for one in (till, other):
        ahead_of(one)._company_at = ahead_of(one)._ticks()


def ahead_of(till: Till) -> AheadCommitter:
    """Who decides there."""
    committer = till.engine.ledger.committer
    assert isinstance(committer, AheadCommitter)
    return committer


def claimed(till: Till, count: int, **more: Any) -> list[RunId]:
    """So many runs, claimed together."""
    return [claim.run_id for claim in till.acme.claim_many(count, worker="w", **more)]


def many(till: Till, count: int) -> list[RunId]:
    """So many runs, submitted together."""
    with till.engine.batch() as batch:
        pending = [batch.add(till.acme.submit, ONE, automation="nightly") for _ in range(count)]
    return [one.result() for one in pending]


@pytest.mark.parametrize("more", WAYS)
def test_what_is_at_hand_comes_first_but_for_the_oldest(till: Till, other: Till, more: dict[str, list[str]]) -> None:
    """The oldest sixteenth is always taken, so that nobody starves; they come in the order of the line."""
    theirs, mine = submitted(till, 3), submitted(other, 3)
    assert claimed(other, 3, **more) == [theirs[0], *mine[:2]]
    assert claimed(till, 3, **more) == [*theirs[1:], mine[2]]
    till.check()


def test_without_company_the_oldest_come_first(till: Till, other: Till, monkeypatch: MP) -> None:
    """The others wrote long ago."""
    theirs, _ = submitted(till, 3), submitted(other, 3)
    monkeypatch.setattr("redrive.ledger.ahead.COMPANY_S", 0)
    assert claimed(other, 3) == theirs


def test_they_come_in_the_order_of_the_line(till: Till, other: Till) -> None:
    """Also where there are fewer at hand than are wanted."""
    theirs, mine = submitted(till, 3), submitted(other, 1)
    assert claimed(other, 3) == [*theirs[:2], *mine]


def test_a_claim_goes_on_beyond_what_cannot_be_read(till: Till, other: Till, monkeypatch: MP) -> None:
    """From the head of the line, past which the preference had let it."""
    theirs, mine = submitted(till, 5), submitted(other, 3)
    find_run = LedgerTransaction.find_run

    def unreadable(self: LedgerTransaction, id_: RunId) -> Run | None:
        if id_ in mine:
            raise StreamReadOnly(id_, "run.unheard-of")
        return find_run(self, id_)

    monkeypatch.setattr(LedgerTransaction, "find_run", unreadable)
    assert claimed(other, 3) == theirs[:3]


def test_who_hears_of_others_is_in_company(till: Till, other: Till, monkeypatch: MP) -> None:
    """And not who hears of the log for the first time."""
    monkeypatch.setattr("redrive.ledger.ahead.STALE_S", -1)
    ahead_of(other)._company_at = -math.inf
    submitted(other, 1)
    assert ahead_of(other)._company_at == -math.inf
    theirs, mine = submitted(till, 3), submitted(other, 1)
    other.claim()
    assert claimed(other, 2) == [theirs[0], mine[0]]


def test_a_single_claim_takes_the_oldest(till: Till, other: Till) -> None:
    """Whoever has it at hand."""
    theirs, _ = submitted(till, 1), submitted(other, 1)
    assert other.claim().run_id == theirs[0]


def test_the_oldest_is_taken_however_much_is_at_hand(till: Till, other: Till) -> None:
    """Every claim takes some from the head."""
    theirs, taken = submitted(till, 4), list[RunId]()
    for _ in range(4):
        submitted(other, 2)
        taken += claimed(other, 2)
    assert taken[::2] == theirs


def test_of_32_the_two_oldest_are_taken(till: Till, other: Till) -> None:
    """One of 16."""
    theirs, mine = many(till, 32), many(other, 32)
    assert claimed(other, 32) == [*theirs[:2], *mine[:30]]


def test_only_near_the_head(till: Till, other: Till) -> None:
    """Of eight times as many as are wanted, that is."""
    theirs, mine = many(till, 16), many(other, 2)
    assert claimed(other, 2) == theirs[:2]
    assert claimed(other, 2) == [theirs[2], mine[0]]


def test_what_others_wrote_to_is_not_at_hand(till: Till, other: Till, monkeypatch: MP) -> None:
    """It would have to be read as any other."""
    monkeypatch.setattr("redrive.ledger.ahead.STALE_S", -1)
    theirs, mine = submitted(till, 3), submitted(other, 1)
    till.acme.pause(mine[0], **ANA)
    till.acme.resume(mine[0], **ANA)
    assert claimed(other, 2) == theirs[:2]
    other.check()


def test_a_tenants_claim_is_for_its_own(till: Till, other: Till) -> None:
    """What is at hand of others stays so."""
    local, next_local = (other.engine.local.submit(ONE, automation="nightly") for _ in range(2))
    theirs, mine = submitted(till, 2), submitted(other, 1)
    assert claimed(other, 2) == [theirs[0], mine[0]]
    assert [claim.run_id for claim in other.engine.claim_many(3, worker="w")] == [local, next_local, theirs[1]]


def test_what_was_claimed_already_is_not_at_hand(till: Till, other: Till) -> None:
    """Nor does it hide what is."""
    first, theirs, mine = submitted(other, 2), submitted(till, 2), submitted(other, 2)
    assert [other.claim().run_id for _ in first] == first
    assert claimed(other, 2) == [theirs[0], mine[0]]


def test_also_a_claim_that_shares_its_commit(till: Till, other: Till) -> None:
    """As a worker's does, which reports in the same commit, and which is decided under the lock."""
    attempt = other.attempt()
    theirs, mine = submitted(till, 3), submitted(other, 3)
    with other.engine.batch() as batch:
        batch.add(other.acme.complete_attempt, attempt)
        claims = batch.add(other.acme.claim_many, 3, worker="w")
    assert [claim.run_id for claim in claims.result()] == [theirs[0], *mine[:2]]
    other.check()


def test_what_was_written_under_the_lock_is_at_hand(till: Till, other: Till, monkeypatch: MP) -> None:
    """By a command that met another one: the run is paused, resumed there, and due now."""
    (mine,) = submitted(other, 1)
    other.acme.pause(mine, **ANA)
    theirs = submitted(till, 3)
    other.now += 1
    with in_between(monkeypatch, other, lambda: till.acme.note(mine, "seen", actor="ana")) as decided:
        other.acme.resume(mine, **ANA)
    assert decided == [True, False]
    assert claimed(other, 2) == [theirs[0], mine]


def test_under_limits_lines_are_served_in_order(till: Till, other: Till) -> None:
    """Nobody is let past anybody."""
    till.engine.set_limit(Limit("total", "", 100), **ANA)
    theirs, _ = submitted(till, 3), submitted(other, 3)
    assert claimed(other, 3) == theirs


def test_what_does_not_fit_in_memory_is_forgotten(till: Till, other: Till, monkeypatch: MP) -> None:
    """It was only a preference."""
    monkeypatch.setattr(at_hand, "MOST", 2)
    theirs, mine = submitted(till, 2), submitted(other, 3)
    assert claimed(other, 2) == [theirs[0], mine[2]]


def test_what_is_left_is_at_hand_the_next_time(till: Till, other: Till) -> None:
    """Also where the oldest were more than there was room for."""
    submitted(till, 2)
    mine = submitted(other, 3)
    assert claimed(other, 2)[1] == mine[0]
    assert list(ahead_of(other).at_hand.take("run", None, other.now, 9)) == mine[1:]


def test_a_run_that_others_claimed_since_the_look_is_not_looked_at(
    till: Till, other: Till, postgres: str, monkeypatch: MP
) -> None:
    """Its lock is free again. What its claimant does with it concerns this claim no more."""
    oldest, second, *_ = submitted(till, 4)
    met: list[Claim] = []
    with (
        in_between(monkeypatch, other, lambda: till.fail(*met[0].attempts)) as decided,
        ThreadPoolExecutor(1) as thread,
    ):
        with gated(postgres, other) as reached:
            claims = thread.submit(claimed, other, 2)
            reached()
            met.append(till.claim())
        assert claims.result() == [second]
    assert (met[0].run_id, decided, conflicts(till, other)) == (oldest, [True], 0)
    till.check()
