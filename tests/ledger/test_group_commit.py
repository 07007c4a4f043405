"""Threads that share commits: one of them waits for the writer's lock, the others for what they asked for."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from redrive.domain.errors import StorageError
from redrive.domain.ports import Caller
from redrive.ledger import committer as committing
from redrive.ledger import group_commit
from redrive.ledger.pending import Pending
from tests.ledger.world import World, outcome_of, submission
from tests.processes.workshop import until


class Counted:
    """A lock that counts how often it was taken."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock, self.taken = lock, 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self.taken += 1

    def __exit__(self, *error: object) -> None:
        self._lock.release()


@contextmanager
def waiting(world: World, *works: Callable[[], object]) -> Iterator[Counted]:
    """Threads that do *works* come one after the other while somebody else writes, and end afterwards."""
    committer = world.ledger.committer
    threads = [threading.Thread(target=work) for work in works]
    counted = Counted(committer.under_lock())
    with committer.under_lock():
        committer._lock = counted  # type: ignore[assignment]
        for thread in threads:
            queued = len(committer._queue)
            thread.start()
            until(lambda: len(committer._queue) > queued and committer._next is not None)  # noqa: B023
        yield counted
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def test_the_first_commits_for_all(world: World) -> None:
    """Seven who came after it never touch the lock."""
    commits = world.ledger.committer.commits
    with waiting(world, *(lambda n=n: world.submit(f"run {n}") for n in range(8))) as lock:
        pass
    assert (lock.taken, world.ledger.committer.commits - commits) == (1, 1)
    world.check()


def test_who_comes_while_it_is_counted_who_waits_disturbs_nobody(world: World) -> None:
    """Two commands in the queue, and a thread that puts a third there while the first is looked at."""
    committer = world.ledger.committer
    late = Pending(Caller(None), submission("late"))

    class LookedAt(Pending[Any]):
        @property
        def _gate(self) -> None:
            if late not in committer._queue and not late.done():
                committer._queue.append(late)

        @_gate.setter
        def _gate(self, _gate: object) -> None:
            pass

    jobs: list[Pending[Any]] = [LookedAt(Caller(None), submission(name)) for name in "ab"]
    committer.commit_together(jobs)
    assert all(job.result() for job in [*jobs, late])
    world.check()


def test_what_one_commit_does_not_hold_is_committed_as_well(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whom the others rely on: nobody has to look again."""
    monkeypatch.setattr(group_commit, "LOOK_AGAIN_S", 600.0)
    monkeypatch.setattr(committing, "MOST_PER_COMMIT", 10)
    many = [submission(f"run {n}") for n in range(25)]
    with waiting(world, lambda: world.submit("first"), lambda: world.together(*many)) as lock:
        pass
    assert lock.taken == 1
    assert sum(e.topic == "run.submitted" for e in world.log()) == 26


def test_those_who_come_again_are_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as they come: one each time that who commits next looks, and then no more."""
    more = iter([submission("again 0"), submission("again 1")])
    looks: list[int] = []

    def pause(_seconds: float) -> None:
        committer = world.ledger.committer
        looks.append(len(committer._queue))
        if (command := next(more, None)) is not None:
            committer._queue.append(Pending(Caller(None), command))

    monkeypatch.setattr(group_commit, "sleep", pause)
    with waiting(world, *(lambda n=n: world.submit(f"run {n}") for n in range(5))):
        pass
    assert looks == []
    commits = world.ledger.committer.commits
    world.submit("next")
    assert (looks, world.ledger.committer.commits - commits) == ([1, 2, 3], 1)
    world.submit("alone")
    assert len(looks) == 3


def test_who_was_to_commit_next_and_is_gone_is_replaced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was interrupted, say. After a while somebody who waits looks again."""
    monkeypatch.setattr(group_commit, "LOOK_AGAIN_S", 0.01)
    world.ledger.committer._next = Pending(Caller(None), submission("nobody's"))
    assert world.submit("a")
    assert world.ledger.committer._next is None


def test_who_waits_and_is_interrupted_takes_its_command_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is on its way already; and whoever was next commits."""

    def interrupted(self: Pending[object], timeout_s: float) -> bool:
        raise KeyboardInterrupt

    given_up: list[BaseException] = []

    def give_up() -> None:
        with pytest.raises(KeyboardInterrupt) as raised:
            world.submit("b")
        given_up.append(raised.value)

    monkeypatch.setattr(Pending, "wait", interrupted)
    with waiting(world, lambda: world.submit("a"), give_up):
        pass
    assert len(given_up) == 1
    assert str(world.submit("a")) in {e.stream for e in world.log() if e.topic == "run.submitted"}
    world.check()


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("moment", ["rollback", "distrust"])
def test_an_interrupt_while_a_commit_is_undone_tells_nobody_that_it_took_place(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: str, sealed: bool
) -> None:
    """Ctrl-C when the disk is full: what the commands have returned is no outcome, and what was left of the
    transaction goes with the next one, or before something else is written."""

    def full() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    def interrupted() -> None:
        raise KeyboardInterrupt

    run = world.submit("a")
    before = world.log()
    jobs = [world.ledger.collect(lambda: world.note(run)) for _ in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr(world.ledger.recorder, "commit", full)
        patch.setattr(world.ledger.recorder, moment, interrupted)
        with pytest.raises(KeyboardInterrupt):
            world.ledger.committer.commit_together(jobs)
    assert [type(outcome_of(job)) for job in jobs] == [StorageError, StorageError]
    if sealed:
        with world.ledger.committer.writing():
            pass
    assert world.log() == before
    world.note(run)
    assert (len(world.log()), world.in_memory(run).version) == (len(before) + 1, 2)
    world.check()


@pytest.mark.parametrize("lost", [0, 2])
def test_what_an_interrupted_thread_took_off_the_queue_is_told_as_lost(
    world: World, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    """The first of a batch, or the last; the others take place, and more that came meanwhile."""
    committer = world.ledger.committer
    commit_some = committer._commit_some
    jobs = [Pending[object](Caller(None), submission(f"run {n}")) for n in range(3)]
    later = Pending[object](Caller(None), submission("later"))

    def forgetful() -> None:
        if jobs[lost] in committer._queue:
            committer._queue.remove(jobs[lost])
            committer._queue.append(later)
        commit_some()

    monkeypatch.setattr(committer, "_commit_some", forgetful)
    committer.commit_together(jobs)
    told = [outcome_of(job) for job in (*jobs, later)]
    assert [isinstance(one, StorageError) for one in told] == [n == lost for n in range(4)]
    world.check()
