"""Decided ahead of the lock: what is shared by all commands, and what must not be decided twice."""

from pathlib import Path
from typing import Any

import pytest

from redrive import Limit, Node, RunId
from redrive.domain.flow import Flow
from redrive.ledger.transaction import LedgerTransaction
from redrive.processes import leases, operations
from redrive.processes.claimant import Claimant
from tests.engine.outworld import Till
from tests.ledger.postgres.test_ahead import in_between
from tests.ledger.world import World, submission
from tests.privacy.vault import Vault
from tests.processes.workshop import ANA
from tests.stores import outside

NOBODY = Limit("total", "", 0)


def test_the_first_limit_ever(till: Till, other: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim that did not see it is decided again, under it."""
    till.submit()
    with in_between(monkeypatch, till, lambda: other.engine.set_limit(NOBODY, **ANA)) as decided:
        assert till.acme.claim(worker="w", start=True) is None
    assert decided == [True, False]
    till.check()


def test_the_first_limit_counts_what_others_claimed_just_now(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sets it knows the run as it was before."""
    run = till.submit()
    till.acme.pause(run, **ANA)
    monkeypatch.setattr("redrive.ledger.ahead.STALE_S", 3_600)
    other.acme.resume(run, **ANA)
    other.claim()
    till.engine.set_limit(Limit("total", "", 1), **ANA)
    assert [limit.in_use for limit in other.engine.limits()] == [1]
    till.check()


def test_once_there_was_a_limit_all_is_decided_under_the_lock(till: Till, other: Till) -> None:
    """Also by a process that knows of it only from the log; a hint alone is committed."""
    other.engine.set_limit(Limit("total", "", 1), **ANA)
    for _ in range(2):
        till.submit()
    till.claim()
    commits = till.engine.ledger.committer.conflicts
    assert till.acme.claim(worker="w", start=True) is None
    with outside(till.path) as connection:
        assert connection.execute("SELECT count(*) FROM expected").fetchone() == (1,)
    assert till.engine.ledger.committer.conflicts == commits == 0
    till.check()


def test_what_is_encrypted_is_decided_under_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key cannot be destroyed between the decision and its commit."""
    ahead: list[bool] = []
    encode = LedgerTransaction.encode

    def noting(tx: LedgerTransaction) -> None:
        ahead.append(tx._committer.ahead)
        encode(tx)

    monkeypatch.setattr(LedgerTransaction, "encode", noting)
    vault, other = Vault(tmp_path), Vault(tmp_path)
    run = vault.filled()
    other.destroy_only()
    vault.resume(run)
    assert set(ahead) == {False}
    vault.check()
    for one in (vault, other):
        one.engine.close()


def test_a_flow_that_another_registers_meanwhile(till: Till, other: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is registered once; so are its policies."""
    with in_between(monkeypatch, till, other.submit) as decided:
        till.submit()
    topics = [event.topic for event in till.log()]
    assert (decided, topics.count("flow.registered"), topics.count("run.submitted")) == ([True, False], 1, 2)
    till.check()


def test_two_batches_that_register_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of several commands; none is lost, none is doubled."""
    first, second = World(tmp_path / "log.db"), World(tmp_path / "log.db")
    flow, encode = Flow([Node("x"), Node("y")]), LedgerTransaction.encode
    left = [second]

    def rival(tx: LedgerTransaction) -> None:
        if left and tx._committer is first.ledger.committer:
            left.pop().together(*(submission(f"s{n}", flow) for n in range(5)))
        encode(tx)

    monkeypatch.setattr(LedgerTransaction, "encode", rival)
    first.together(*(submission(f"f{n}", flow) for n in range(5)), submission("s1", flow))
    topics = [event.topic for event in first.log()]
    assert (topics.count("flow.registered"), topics.count("run.submitted")) == (1, 10)
    for world in (first, second):
        world.check()
        world.ledger.close()


def test_a_batch_that_reads_the_agenda_it_changed(tmp_path: Path) -> None:
    """It is decided under the lock, where the agenda shows what came before."""
    world = World(tmp_path / "log.db")
    commands: list[Any] = [submission("a"), leases.claiming(Claimant("w"), 1, None)]
    run, claims = (job.result() for job in world.together(*commands))
    assert [claim.run_id for claim in claims] == [run]
    world.check()
    world.ledger.close()


def test_a_command_that_uses_the_connection_runs_once(tmp_path: Path) -> None:
    """What it does besides deciding (an archive is written, a key destroyed) must not be done twice."""
    world, done = World(tmp_path / "log.db"), []

    def archive(tx: LedgerTransaction) -> None:
        tx.find_run(RunId("x"))
        connection = tx.connection
        done.append(connection.execute("SELECT count(*) FROM events").fetchone())

    world.together(submission("a"), archive, submission("b"))
    assert done == [(3,)], "and what came before it in the batch is there"
    world.check()
    world.ledger.close()


@pytest.mark.parametrize("other_streams", [1, 600])
def test_many_commits_between_two_looks(
    till: Till, other: Till, monkeypatch: pytest.MonkeyPatch, other_streams: int
) -> None:
    """More than are looked through one by one: then any stream may have moved."""
    run = till.submit()
    tenant = other.acme

    def rival() -> None:
        with other.engine.batch() as batch:
            for n in range(other_streams):
                batch.add(tenant.note, run, str(n), actor="ana")

    with in_between(monkeypatch, till, rival) as decided:
        till.acme.pause(run, **ANA)
    assert decided == [True, False]
    assert till.run_status(run) == other.run_status(run) == "paused"
    till.check()


def test_what_was_found_empty_was_read_as_well(tmp_path: Path) -> None:
    """Who writes because something is not there yet decides again when it has come."""
    first, second, elsewhere = (World(tmp_path / name) for name in ("log.db", "log.db", "other.db"))
    run, absent, found = first.submit("a"), elsewhere.submit("b"), []  # ids follow from keys

    def note_if_absent(tx: LedgerTransaction) -> None:
        found.append(tx.find_run(absent) is not None)
        if not found[-1]:
            operations.noting_run(run, "nothing there")(tx)
        if len(found) == 1:
            assert second.submit("b") == absent

    first.do(note_if_absent)
    assert (found, len(first.ledger.stream(run))) == ([False, True], 1)
    for world in (first, second, elsewhere):
        world.ledger.close()
