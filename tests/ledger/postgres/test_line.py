"""Claims pass over what another claimant decides about, for as long as it does."""

from collections import Counter
from pathlib import Path

import pytest

from redrive import Claim, RunId
from redrive.domain.ports import Caller
from redrive.ledger.ahead import AheadCommitter
from redrive.ledger.postgres import line
from tests.engine.outworld import Till
from tests.ledger.postgres.rivals import Rival, claiming_until_none, stopping_while_it_claims
from tests.ledger.postgres.test_ahead import in_between
from tests.ledger.world import World
from tests.processes.workshop import ANA, beside, until

WAYS = [{}, {"handlers": ["a", "b"]}]
MP = pytest.MonkeyPatch


def submitted(till: Till, count: int) -> list[RunId]:
    """So many runs, the oldest first."""
    return [till.submit(beside("a", "b")) for _ in range(count)]


def conflicts(*tills: Till) -> int:
    """How often they decided in vain."""
    return sum(till.engine.ledger.committer.conflicts for till in tills)


@pytest.mark.parametrize("more", WAYS)
def test_two_who_claim_at_the_same_moment(till: Till, other: Till, monkeypatch: MP, more: dict[str, list[str]]) -> None:
    """Each decides once; the first has the oldest, the second the next."""
    oldest, second, _ = submitted(till, 3)
    met: list[Claim] = []
    with in_between(monkeypatch, till, lambda: met.append(other.claim(**more))) as decided:
        assert till.claim(**more).run_id == oldest
    assert (decided, met[0].run_id, conflicts(till, other)) == ([True], second, 0)
    till.check()


@pytest.mark.parametrize("count", [3, line.MOST_TAKEN + 1])
def test_two_who_claim_many(till: Till, other: Till, monkeypatch: MP, count: int) -> None:
    """Nobody claims twice, in whatever order; where so many are claimed that they are not locked, one decides again."""
    runs, met = submitted(till, 5), list[Claim]()
    with in_between(monkeypatch, till, lambda: met.extend(other.acme.claim_many(count, worker="v"))) as decided:
        mine = till.acme.claim_many(count, worker="w")
    assert {claim.run_id for claim in mine} == set(runs[:3] if count == 3 else [])
    assert {claim.run_id for claim in met} == set(runs[3:] if count == 3 else runs)
    assert decided == ([True] if count == 3 else [True, False])
    till.check()


def test_who_decides_about_the_only_run_is_waited_for_a_little(till: Till, other: Till, monkeypatch: MP) -> None:
    """Then the other takes it, under the lock; the first decides again, and finds none."""
    (run,), met = submitted(till, 1), list[Claim]()
    pauses = list[float]()
    monkeypatch.setattr("redrive.ledger.ahead.time.sleep", pauses.append)
    with in_between(monkeypatch, till, lambda: met.append(other.claim())) as decided:
        assert till.acme.claim(worker="w", start=True) is None
    assert (decided, [claim.run_id for claim in met]) == ([True, False], [run])
    assert 0 < sum(pauses) < 0.1
    till.check()


def test_a_claim_holds_up_nobody_who_does_something_else(till: Till, other: Till, monkeypatch: MP) -> None:
    """The run is cancelled meanwhile; the claim is decided again, and takes the next."""
    oldest, second = submitted(till, 2)
    with in_between(monkeypatch, till, lambda: other.acme.cancel(oldest, **ANA)) as decided:
        assert till.claim().run_id == second
    assert decided == [True, False]
    till.check()


def test_what_is_not_claimed_is_free_at_once(till: Till, other: Till) -> None:
    """No transaction is left open by a claim that finds nothing it can execute, nor by one that fails."""
    (run,) = submitted(till, 1)
    assert till.acme.claim(worker="w", handlers=["c"]) is None
    assert not till.engine.ledger.recorder.writer.in_transaction
    with pytest.raises(ZeroDivisionError):
        till.engine.ledger.transact(Caller(None), lambda tx: tx.next_claimable(None, 1, None) and 1 / 0)
    assert not till.engine.ledger.recorder.writer.in_transaction
    assert (other.claim().run_id, conflicts(till, other)) == (run, 0)


def test_a_crash_frees_what_it_held(tmp_path: Path) -> None:
    """Near the head others pass it over; once its process is gone it is claimed, the oldest first."""
    path = str(tmp_path / "log.db")
    world = World(path)
    runs = [world.submit(f"r{n}") for n in range(3)]
    rival = Rival(stopping_while_it_claims, path)
    assert rival.hear() == runs[0]
    assert world.claim()[0].run_id == runs[1]
    rival.process.kill()
    rival.process.join()
    free = "SELECT pg_try_advisory_xact_lock(hashtextextended(?, 0))"
    assert until(lambda: world.ledger.recorder.writer.execute(free, (runs[0],)).fetchone()[0])  # a moment later
    assert world.claim()[0].run_id == runs[0]
    world.ledger.close()


def test_four_processes_claim_each_run_once(tmp_path: Path) -> None:
    """And none is left. In which order depends on who is faster: who waits long with a run keeps it from the others."""
    path = str(tmp_path / "log.db")
    world = World(path, busy_timeout_ms=60_000)
    runs = [world.submit(f"r{n}") for n in range(40)]
    rivals = [Rival(claiming_until_none, path, f"w{n}") for n in range(4)]
    assert [rival.hear() for rival in rivals] == ["open"] * 4
    for rival in rivals:
        rival.tell()
    claimed = [rival.rest() for rival in rivals]
    assert Counter(run for each in claimed for run in each) == Counter(runs)
    world.check()
    world.ledger.close()


def test_who_claims_so_many_spreads_after_a_conflict(till: Till, other: Till, monkeypatch: MP) -> None:
    """As long as it lasts, it takes turns; nobody else does."""
    submitted(till, 2)
    with in_between(monkeypatch, till, lambda: other.acme.claim_many(line.MOST_TAKEN + 1, worker="v")):
        till.acme.claim_many(line.MOST_TAKEN + 1, worker="w")
    committers = [each.engine.ledger.committer for each in (till, other)]
    assert [isinstance(one, AheadCommitter) and one.contended for one in committers] == [True, False]
