"""A COMMIT that fails, or whose acknowledgement is lost: nobody is told what is not so."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from redrive.domain.errors import StorageError
from redrive.domain.identity import RunId
from redrive.domain.run.events import NoteAdded
from redrive.ledger.transaction import LedgerTransaction
from redrive.processes import operations
from tests.ledger.world import CHAIN, World, outcome_of, stored, submission

pytestmark = pytest.mark.sqlite_only


def noting(run: RunId, text: str = "x") -> Callable[[LedgerTransaction], Any]:
    """A command that adds a note."""
    return operations.noting_run(run, text)


class Breaking:
    """A connection whose COMMIT fails: before it happens, or after it happened (the acknowledgement is lost)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.fail: str | None = None

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Pass on, but for a COMMIT that is to fail."""
        if statement != "COMMIT" or self.fail is None:
            return self.connection.execute(statement, *values)
        if self.fail == "after":
            self.connection.execute(statement)
        self.fail = None
        raise sqlite3.OperationalError("disk I/O error")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


@pytest.fixture(name="breaking")
def _breaking(world: World) -> Breaking:
    committer = world.ledger.committer
    breaking = Breaking(committer.recorder.writer)  # type: ignore[arg-type]
    committer._connection = committer.recorder.writer = breaking
    return breaking


def test_a_lost_acknowledgement_is_a_success(world: World, breaking: Breaking) -> None:
    """COMMIT said no, the log says yes: the event's own id is there."""
    breaking.fail = "after"
    run = world.submit("a")
    world.note(run)
    assert [e.topic for e in world.ledger.stream(run)] == ["run.submitted", "run.note-added"]
    world.check()


def test_a_commit_that_failed_leaves_nothing(world: World, breaking: Breaking) -> None:
    """Nobody of the batch is told otherwise, and the next command works."""
    run = world.submit("a")
    breaking.fail = "before"
    outcomes = world.together(noting(run), submission("b", CHAIN), submission("a", CHAIN))
    assert {type(outcome_of(outcome)) for outcome in outcomes} == {StorageError}
    assert world.ledger.last_position() == world.log()[-1].position
    assert len(world.ledger.stream(run)) == 1
    world.submit("b", CHAIN)
    world.note(run)
    world.check()


@pytest.mark.parametrize("fail", ["before", "after"])
def test_a_commit_of_which_nothing_can_be_learned(
    world: World, breaking: Breaking, fail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COMMIT said no, and the log cannot be read: the caller is told to look, and finds what there is."""
    run, breaking.fail = world.submit("a"), fail

    def unreadable(*_: Any) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(world.ledger.recorder, "rows_for_sure", unreadable)
        with pytest.raises(StorageError, match=r"nobody knows .* look before trying again"):
            world.note(run)
    world.note(run, "next")
    assert world.in_memory(run).version == len(world.ledger.stream(run)) == (2 if fail == "before" else 3)


def test_a_rival_at_the_same_version_is_no_acknowledgement(world: World, breaking: Breaking) -> None:
    """While the commit failed, somebody else wrote this very version: it is not ours."""
    run = world.submit("a")

    def rival(statement: str, *values: Any) -> sqlite3.Cursor:
        del breaking.execute
        breaking.execute("ROLLBACK")
        with sqlite3.connect(world.path) as other:
            world_row = stored(run, 2)
            other.execute(
                "INSERT INTO events VALUES (NULL, ?, 2, ?, ?, 'local/default/default', ?, 1)",
                (run, world_row.topic, world_row.state, run),
            )
        raise sqlite3.OperationalError("disk I/O error")

    def execute(statement: str, *values: Any) -> sqlite3.Cursor:
        return (rival if statement == "COMMIT" else Breaking.execute.__get__(breaking))(statement, *values)

    breaking.execute = execute  # type: ignore[method-assign]
    with pytest.raises(StorageError):
        world.note(run, "mine")
    assert [e.event for e in world.ledger.stream(run)[1:]] == [NoteAdded(text="seen")]
    world.note(run, "next")
    assert world.in_memory(run).version == 3


def test_a_transaction_that_sqlite_gave_up_acknowledges_nobody(world: World) -> None:
    """Some errors roll everything back: what others wrote in this commit is gone, so nobody may be told yes."""
    run = world.submit("a")

    def give_up(tx: LedgerTransaction) -> None:
        world.ledger.recorder.writer.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    outcomes = world.together(noting(run), give_up, noting(run))
    assert {type(outcome_of(outcome)) for outcome in outcomes} == {StorageError}
    assert len(world.ledger.stream(run)) == 1
    world.check()
