"""Commands of threads that wait together share a commit.

A thread that finds nobody committing does it itself. The first who comes while somebody commits is next: it alone waits
for the writer's lock, and commits for all who come after it. These wait for their results, so that whoever is done goes
on while the next commit is under way. Often they are about to come again: who is next gives them time, as long as they
do.
"""

import contextlib
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar

from redrive.domain.ports import Caller
from redrive.ledger.pending import Pending, tell_lost

if TYPE_CHECKING:
    from redrive.ledger.transaction import LedgerTransaction

T = TypeVar("T")
PAUSE_S = 0.000_02  # the scheduler makes more of it
LOOK_AGAIN_S = 1.0  # who waits for a result looks whether it must commit itself: who would have, may be interrupted


class GroupCommit(ABC):
    """The queue of commands, and who commits them."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._queue: deque[Pending[Any]] = deque()
        self._company = 0  # threads that waited for the last commit, beside the one that made it
        self._next: Pending[Any] | None = None  # whose caller commits next, for all in the queue

    @abstractmethod
    def _require_usable(self) -> None:
        """Raises where a command of this thread could not be committed."""

    @abstractmethod
    def _commit_some(self) -> None:
        """Take commands from the head of the queue, commit them, and tell their outcomes; under the lock."""

    @abstractmethod
    def _failure(self, error: BaseException) -> Exception:
        """What the callers of an undone transaction are told."""

    def transact(self, caller: Caller, command: "Callable[[LedgerTransaction], T]") -> T:
        """Run one command and return its result once it is durable."""
        job = Pending(caller, command)
        self.commit_together((job,))
        return job.result()

    def commit_together(self, jobs: Iterable[Pending[T]]) -> None:
        """Run *jobs* in as few transactions as possible; afterwards each knows its outcome."""
        mine: list[Pending[Any]] = list(jobs)
        if not mine:
            return
        self._require_usable()
        last = mine[-1]
        try:
            self._queue.extend(mine)
            while not last._done:
                if self._next is None or not last.wait(LOOK_AGAIN_S):
                    self._next = last
                    with self._lock:
                        self._gather()
                        self._next = None
                        if self._queue:
                            self._commit_queued()
                    break
            if not all(job._done for job in mine):
                tell_lost(mine, self._failure(KeyboardInterrupt()))
        except BaseException:
            if self._next is last:
                self._next = None
            self._withdraw(mine)
            raise

    def _gather(self) -> None:
        """Pause while those who waited for the last commit come again, one after the other."""
        expected, there = len(self._queue) + self._company, 0
        while there < len(self._queue) < expected:
            there = len(self._queue)
            sleep(PAUSE_S)

    def _commit_queued(self) -> None:
        """Commit what is in the queue by now; who comes later finds somebody else."""
        self._company = sum(job._gate is not None for job in [*self._queue])  # a copy: others come meanwhile
        last = self._queue[-1]
        while self._queue and not last._done:
            self._commit_some()

    def _withdraw(self, mine: list[Pending[Any]]) -> None:
        """Take what was not begun off the queue: its caller is interrupted and learns no outcome."""
        with self._lock:
            for job in mine:
                with contextlib.suppress(ValueError):
                    self._queue.remove(job)
