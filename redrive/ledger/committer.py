"""One committer: a queue of commands, one transaction for all that wait, results released after the commit.

One refusal harms no other command: a command writes nothing to the database before it has decided.
"""

import contextlib
import math
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from redrive.domain.errors import EngineClosed, StorageError
from redrive.domain.sharding import SHARDS_STREAM
from redrive.ledger.admission import Admission
from redrive.ledger.agenda import Agenda
from redrive.ledger.agenda_reading import NotAhead
from redrive.ledger.alone import Alone
from redrive.ledger.application import LogApplication
from redrive.ledger.database import Connection
from redrive.ledger.group_commit import GroupCommit
from redrive.ledger.limit_book import LIMITS_STREAM, LimitBook, book_of
from redrive.ledger.mapper import Appended
from redrive.ledger.pending import Pending
from redrive.ledger.recorder import LogRecorder, News
from redrive.ledger.seams import ticking
from redrive.ledger.states import States
from redrive.ledger.storage_errors import STORAGE, LogMoved, storage_error, storage_errors
from redrive.ledger.transaction import LedgerTransaction

T = TypeVar("T")
MOST_PER_COMMIT = 1_000
MOST_HEADS = 100_000


class Committer(GroupCommit, Alone):
    """The only writer of this process to a log. It decides under the write lock; see ``AheadCommitter``."""

    def __init__(
        self,
        application: LogApplication,
        *,
        clock: Callable[[], int],
        dice: Callable[[], float],
        engine: str,
        cache_bytes: int,
        after_commit: Callable[[Sequence[LedgerTransaction]], None],
    ) -> None:
        super().__init__(application.recorder.lock)
        self._application = application
        self.recorder: LogRecorder = application.recorder
        self._connection = self.recorder.writer
        self.states = States(self.recorder, cache_bytes)
        self.agenda = self._agenda_on(self._connection)
        self.limit_book = LimitBook()
        self.admission = Admission()
        self.known_streams: set[str] = set()
        self.clock, self.dice, self.engine = clock, dice, engine
        self.recorded_at_ms = 0
        self._after_commit = after_commit
        self._owner = 0
        self._begun = False  # whether something may have to be undone
        self._pid = os.getpid()
        self._keys_seen = 0
        self._heard_at = -math.inf
        self._ticks = ticking.get()
        self.closed, self.commits, self.conflicts = False, 0, 0

    def _agenda_on(self, connection: Connection) -> Agenda:
        return Agenda(connection)

    def under_lock(self) -> threading.Lock:
        """The writer's lock, for maintenance. Raises RuntimeError where it would be waited for without end."""
        self.require_outside()
        return self._lock

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A short write transaction beside those of commands, on the connection that writes: another one would make
        this process read again what it has in memory. Raises StorageError."""
        self._require_usable()
        with self._lock, storage_errors(self.recorder.path):
            self._require_open()
            self._undo_what_was_left()
            self.recorder.begin()
            try:
                yield self._connection
                self.recorder.commit()
            except BaseException:
                self.recorder.rollback()
                raise

    def rows_changed(self, subjects: Iterable[str]) -> None:
        """The agenda's rows of *subjects* were changed in bulk."""
        self.states.rows_changed(subjects)

    def read_limits(self) -> None:
        """Bring the limits in memory up to the log."""
        self.limit_book = book_of(self.recorder, self._connection, self.limit_book)

    def _require_usable(self) -> None:
        """Raises EngineClosed after a fork (two processes cannot share a connection); as ``require_outside``."""
        if os.getpid() != self._pid:
            raise EngineClosed(f"{self.recorder.path}: opened before a fork; each process opens the log for itself")
        self.require_outside()

    def require_outside(self) -> None:
        """Raises RuntimeError in a command or a listener: waiting for the writer's lock would never end there."""
        if self._owner == threading.get_ident():
            raise RuntimeError("a command or a listener cannot run a command: the log is being written on its behalf")

    def _commit_some(self) -> None:
        jobs: list[Pending[Any]] = []
        transactions: list[LedgerTransaction] = []
        queue, committed, failure = self._queue, False, None
        try:
            self._owner = threading.get_ident()
            while queue and len(jobs) < MOST_PER_COMMIT:
                jobs.append(queue.popleft())
            self._require_open()
            self._undo_what_was_left()
            self._begun = True
            self._commit_jobs(jobs, transactions)
            self._begun, committed = False, True
        except BaseException as error:
            failure = self._failure(error)
            self._undo(transactions)
            if not isinstance(error, Exception):
                raise
        else:
            self._after_commit(transactions)
        finally:
            self._owner = 0
            if not committed:  # whatever the commands have returned
                failure = failure or self._failure(KeyboardInterrupt())
                for job in jobs:
                    job.settle(None, failure)
            for job in jobs:
                job.release()

    def _commit_jobs(self, jobs: Sequence[Pending[Any]], transactions: list[LedgerTransaction]) -> None:
        """Decide as the only one who writes to the log."""
        if not self._connection.in_transaction:
            self.recorder.begin()
        self._take_news()
        self.read_ahead([stream for job in jobs for stream in job.reads])
        for job in jobs:
            if (transaction := self._decide(job, transactions)) is not None:
                transaction.flush()
        self._end(transactions)

    def _failure(self, error: BaseException) -> Exception:
        """What the callers of an undone transaction are told."""
        if isinstance(error, STORAGE):
            return storage_error(error, self.recorder.path)
        if isinstance(error, Exception):
            return error
        return StorageError(f"{self.recorder.path}: the commit was interrupted ({error!r}); look before trying again")

    def _require_open(self) -> None:
        if self.closed:
            raise EngineClosed(f"{self.recorder.path}: the engine is closed")
        self.recorder.require_there()

    def _take_news(self) -> Collection[str] | None:
        """Ask what others wrote, and learn it."""
        if len(self.recorder.heads) > MOST_HEADS:
            self.recorder.distrust()
        return self._absorb(self.recorder.news())

    def _absorb(self, news: News) -> Collection[str] | None:
        """Learn what others wrote: to which streams, None when it may be any."""
        self._heard_at = self._ticks()
        if (encryption := self.recorder.encryption) is not None and encryption.generation != self._keys_seen:
            self._keys_seen = encryption.generation
            self.states.forget_all()
        streams, recorded_at_ms = news
        self.recorded_at_ms = max(self.recorded_at_ms, recorded_at_ms)
        if streams is None:
            self.states.foreign_changes += 1
            self.states.read_ahead(())
            self.recorder.heads.clear()
            self.known_streams.clear()
            self.read_limits()
            return None
        for stream in streams:
            self.states.look_again(stream)
            self.recorder.heads.pop(stream, None)
        if LIMITS_STREAM in streams:
            self.read_limits()
        if SHARDS_STREAM in streams:
            self.known_streams.clear()
        return streams

    def _decide(self, job: Pending[Any], transactions: list[LedgerTransaction]) -> LedgerTransaction | None:
        """Run a command; its transaction, None when it was refused."""
        now = self.clock()
        self.recorded_at_ms = max(self.recorded_at_ms, now)
        transaction = LedgerTransaction(self, job.caller, now, first=not transactions)
        transactions.append(transaction)
        try:
            value = self.admission.decide(transaction, job.command)
            transaction.encode()
        except Exception as error:
            if isinstance(error, STORAGE) and not self._connection.in_transaction:
                raise  # the database gave up all of it: the others' events are gone too
            if self.ahead and any(one.appended for one in transactions[:-1]):
                raise NotAhead from error  # what it forgets may be what the others are about to write
            transaction.refuse()
            if not self.ahead:  # else it is still to be checked that what it rests on was left alone
                transactions.pop()
            job.settle(None, self._failure(error))
            return None
        job.settle(value)
        return transaction

    def _end(self, transactions: Sequence[LedgerTransaction]) -> None:
        last = next((one for one in reversed(transactions) if one.appended), None)
        if last is None:
            hints = any(transaction.hints for transaction in transactions)
            if hints:
                self.recorder.commit()
            else:
                self.recorder.rollback()
        else:
            self._commit(last)
            for transaction in transactions:
                if transaction.registered:
                    self.known_streams |= transaction.registered
        self.states.shrink()

    def _commit(self, last: LedgerTransaction) -> None:
        try:
            self.recorder.commit()
        except LogMoved:
            raise
        except STORAGE as error:
            position = self._durable_at(last.appended[-1])
            if position is None:
                raise StorageError(
                    f"{self.recorder.path}: nobody knows whether the commit took place ({error}); "
                    "look before trying again"
                ) from error
            if not position:
                raise
            self.recorder.shift = position - last.last_position
        self.commits += 1

    def _durable_at(self, last: Appended) -> int | None:
        """Where the last event of a commit that reported an error stands in the log; 0 when it did not take place, None
        when that cannot be read either."""
        stream, version, _, event_id, *_ = last
        with contextlib.suppress(*STORAGE):
            rows = self.recorder.rows_for_sure(stream, version - 1)
            return int(rows[0][0]) if rows and event_id.encode() in rows[0][4] else 0
        return None

    def _undo_what_was_left(self) -> None:
        """Whoever committed last may have been interrupted while it undid that."""
        if self._begun:
            self.states.forget_all()
            self._undo(())

    def _undo(self, transactions: Sequence[LedgerTransaction]) -> None:
        self.recorder.rollback()
        self.recorder.heads.clear()
        self.recorder.distrust()
        self._heard_at = -math.inf
        if (encryption := self.recorder.encryption) is not None:
            encryption.forget_begun()
        for transaction in transactions:
            transaction.discard()
        self._begun = False
