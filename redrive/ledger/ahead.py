"""Deciding ahead of the lock, where others may write meanwhile: on PostgreSQL."""

import contextlib
import math
import time
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from redrive.domain.identity import Tenant
from redrive.domain.ports import PAGE, START, Due, DueKey, DuePage
from redrive.domain.sharding import SHARDS_STREAM
from redrive.ledger.agenda import Agenda, due_of, each_once
from redrive.ledger.agenda_reading import NotAhead, Untaken
from redrive.ledger.at_hand import AtHand
from redrive.ledger.committer import Committer
from redrive.ledger.concurrent import ConcurrentRecorder
from redrive.ledger.database import Connection, Row
from redrive.ledger.limit_book import LIMITS_STREAM
from redrive.ledger.pending import Pending
from redrive.ledger.postgres.gathering import GatheringAgenda
from redrive.ledger.postgres.line import LETTERS, MOST_TAKEN, SINCE, TAKEN, letters, untaken
from redrive.ledger.recorder import News
from redrive.ledger.states import Entry
from redrive.ledger.storage_errors import LogMoved, storage_errors
from redrive.ledger.transaction import LedgerTransaction

if TYPE_CHECKING:
    from redrive.ledger.postgres.pipeline import Statement

_OF_ALL = frozenset((LIMITS_STREAM, SHARDS_STREAM))  # what every decision rests on
CONTENDED_S = 2.0
COMPANY_S = 2.0  # without others, nothing is gained by a claim that is not of the oldest
PAUSES_S = (0.002, 0.004, 0.008, 0.016, 0.032)
SWEEP_PAUSES_S = (0.01, *[0.02] * 99, 0.01)
STALE_S = 0.02  # what is older is asked again before it is used: that is cheaper than to decide in vain


class AheadCommitter(Committer):
    """Decides without the lock, and has the database write it down unless others moved what it rests on; what they
    moved is decided again, under the lock: at most twice in all."""

    recorder: ConcurrentRecorder
    agenda: GatheringAgenda
    distant = True
    _ahead_of: Sequence[LedgerTransaction] = ()
    _met_at = _company_at = -math.inf
    _strange = False  # whether others wrote to the run that was found last

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.at_hand = AtHand(self.states)

    def _agenda_on(self, connection: Connection) -> GatheringAgenda:
        return GatheringAgenda(connection)

    @property
    def contended(self) -> bool:  # type: ignore[override]
        """Whether others claimed the same, lately, where claimants are not told what others decide about."""
        return self._ticks() - self._met_at < CONTENDED_S

    def look(self) -> None:
        """What is due is about to be read, ahead of the lock: states must be no older than that, and what was read
        before must be left alone. Raises NotAhead."""
        if self.ahead:
            self.recorder.ask_along(self._require_fresh)

    def untaken(
        self,
        tenant: Tenant | None,
        handlers: Container[str] | None,
        now_ms: int,
        limit: int,
        without: Container[str],
        after: DueKey | None,
    ) -> Untaken | None:
        """The due runs that no other claimant decides about: they are left to this one until its transaction ends,
        which begins here. Where others decide about all of them, it waits a little for what they leave. Under the lock
        it does not wait: it takes from them what it can get. None: claims are too large for that, now or lately, or
        it is to be taken from them. Raises NotAhead."""
        if limit > MOST_TAKEN or self.contended:
            return None
        prefers = after is None and self._ticks() - self._company_at < COMPANY_S
        mine = self.at_hand.take("run", tenant, now_ms, limit) if prefers else {}
        after = START if after is None else after
        groups = None if handlers is None and not without else self.agenda.groups(tenant, handlers, without)
        statement = untaken(tenant, groups, now_ms, limit, after, [*mine])
        rows = self._look_for(statement, limit) if groups != [] else []
        waits = self.ahead and after == START  # who waits holds nothing that others may wait for
        for pause_s in PAUSES_S if waits else ():
            if not rows or not rows[0][6]:
                break
            time.sleep(pause_s)
            rows = self._look_for(untaken(tenant, groups, now_ms, limit, after), limit)
        dues = sorted(each_once(due_of(row) for row in rows if not row[6]), key=attrgetter("place"))
        for due in dues:
            mine.pop(due.subject, None)
        self.at_hand.put_back("run", mine.values())
        if not self.ahead:
            return Untaken(dues, passed_over=False) if dues else None
        return Untaken(dues, passed_over=any(row[6] for row in rows) or len(dues) < len(rows) == limit)

    def _look_for(self, statement: "Statement", limit: int) -> list[Any]:
        """What *statement* finds and locks. Who had the locks before is heard after it, and what became of the run is
        read after that, where the one before had to be read, too."""
        if not self.ahead:
            return list(self._connection.execute(*statement).fetchall())
        alone = limit == 1
        rows, *more = self.recorder.look(
            statement, *(() if alone and not self._strange else (TAKEN if alone else SINCE,))
        )
        self._require_fresh()
        if not alone:
            moved = set(more[0][0][0] or ())
            return sorted(((*row[:6], row[6] or row[0] in moved) for row in rows), key=itemgetter(6))
        self._strange = bool(rows) and self.states.is_old(rows[0][0])
        for read in more:
            self._remember(read)
        return rows

    def _remember(self, rows: list[Row]) -> None:
        """Rows of a run that is about to be claimed, and of dead letters, which whoever reports will ask for. What was
        archived is read when it is asked for."""
        if all(row[4] for row in rows):
            for stream in self.states.were_read(rows):
                self.states.readable(stream)

    def sweeping(self, agenda: Agenda, tenant: Tenant | None, now_ms: int, after: DueKey) -> Iterator[DuePage]:
        """What is at hand first, so that others have time to do the same. What they sweep is passed over, and waited
        for in the end, two seconds at most: who stands still keeps nobody from sweeping."""
        if not agenda.due("dead_letter", tenant, now_ms, 1, after):
            return
        held: dict[str, Due] = {}
        rest: DueKey | None = after
        while rest is not None:
            with self._apart(tenant, now_ms, rest) as (page, theirs):
                held, rest = {**held, **theirs}, page.rest
                if page.rows:
                    yield page
        for pause_s in SWEEP_PAUSES_S if held else ():
            time.sleep(pause_s)
            with self._apart(tenant, now_ms, START, held) as (page, held):
                if page.rows:
                    yield DuePage(page.rows, None)
            if not held:
                return
        if held:
            yield DuePage([*held.values()], None)

    @contextlib.contextmanager
    def _apart(
        self, tenant: Tenant | None, now_ms: int, after: DueKey, wanted: Collection[str] = ()
    ) -> Iterator[tuple[DuePage, dict[str, Due]]]:
        """Within the block, other sweepers pass over this page: of what is *wanted*, or at hand, or beyond *after*.
        With it, what of that others have."""
        try:
            with self._lock, storage_errors(self.recorder.path):
                self._require_open()
                wanted = wanted or self.at_hand.take("dead_letter", tenant, now_ms, PAGE)
                limit = max(PAGE, len(wanted))
                rows = self.recorder.keep(letters(tenant, now_ms, limit, after, [*wanted]))
                self._absorb(self.recorder.heard())
            dues = [(due_of(row), row[6]) for row in rows]
            rest = after if wanted else dues[-1][0].place if len(rows) == limit else None
            free = [due for due, mine in dues if mine]
            yield DuePage(free, rest), {due.subject: due for due, mine in dues if not mine}
        finally:
            with self._lock:
                self.recorder.leave()

    def read_ahead(self, streams: Iterable[str]) -> None:
        """Read several runs in one way to the server, and their dead letters, which whoever reports will ask for."""
        unknown = self.states.read_ahead(streams)
        if unknown and self.ahead:
            self._remember(self._connection.execute(LETTERS, ([*unknown],)).fetchall())

    def _commit_jobs(self, jobs: Sequence[Pending[Any]], transactions: list[LedgerTransaction]) -> None:
        try:
            if not self._decided_ahead(jobs, transactions):
                super()._commit_jobs(jobs, transactions)
        finally:
            self.states.read_ahead(())

    def _decided_ahead(self, jobs: Sequence[Pending[Any]], transactions: list[LedgerTransaction]) -> bool:
        """Decide while others write, and write it all down in one piece, unless they did not leave alone what was read.
        False: they did not, nothing is written, and all is to be decided again.

        Limits and encryption are shared by all: under them it would seldom do.
        """
        if self.recorder.lost or self._ticks() - self._heard_at > STALE_S:
            self._take_news()
        self.states.read_ahead([stream for job in jobs for stream in job.reads])
        if self.limit_book.version or self.recorder.encryption is not None:
            return False
        self.ahead, self._ahead_of = True, transactions
        try:
            for job in jobs:
                if (transaction := self._decide(job, transactions)) is not None:
                    transaction.overlay(self.recorder.heads)
            self.ahead = False
            transactions[:] = self._written_down(transactions)
        except LogMoved:
            self.recorder.rollback()
            self.conflicts += 1
            if any(one.crowded for one in transactions):
                self._met_at = self._ticks()
        except NotAhead:
            self.recorder.rollback()
        else:
            return True
        finally:
            self.ahead = False
        self._start_over(transactions)
        return False

    def _written_down(self, transactions: Sequence[LedgerTransaction]) -> list[LedgerTransaction]:
        """Commit what was decided; those that were not refused. What was refused must still be right, too. Raises
        LogMoved, NotAhead."""
        if any(one.passed_over and not one.appended for one in transactions):
            raise NotAhead  # who decides about what is due may leave it
        written = [transaction for transaction in transactions if not transaction.refused]
        if any(transaction.appended for transaction in written):
            if not self.recorder.begin_unless(lambda: _OF_ALL.union(*(one.rests() for one in transactions))):
                raise NotAhead
            self._flush_together(written)
        elif self._is_stale(self._take_news()):
            raise LogMoved("others wrote to what was read")
        self._end(written)
        self._settle(written)
        return written

    def _flush_together(self, written: Sequence[LedgerTransaction]) -> None:
        """Insert what all of them appended, and bring the agenda up to it, in a few statements; nobody else wrote to
        what they read."""
        for transaction in written:
            transaction.leave_hints()
        appending = [transaction for transaction in written if transaction.appended]
        rows = [row for transaction in appending for row in transaction.rows()]
        last = self.recorder.insert(rows, (), checked=True) - len(rows)
        with self.agenda.gathered():
            for transaction in appending:
                last += len(transaction.appended)
                transaction.stands(last)

    def _end(self, transactions: Sequence[LedgerTransaction]) -> None:
        super()._end(transactions)
        for transaction in transactions:
            for entry in transaction.written():
                self.at_hand.note(entry.rows or ())

    def _settle(self, written: Sequence[LedgerTransaction]) -> None:
        """What others wrote before it was committed is known now, and so is where all of it stands in the log."""
        self._absorb(self.recorder.heard())
        if shift := self.recorder.shift:
            begun = {entry.stream: entry for one in written for entry in one.begun()}
            for entry in begun.values():
                entry.created, entry.rows = entry.created + shift, None
            for transaction in written:
                transaction.moved_up(shift, self.recorded_at_ms)

    def _absorb(self, news: News) -> Collection[str] | None:
        changed = super()._absorb(news)
        if changed:
            self._company_at = self._heard_at
        return changed

    def _is_stale(self, changed: Collection[str] | None) -> bool:
        """Whether any decision that is made ahead rests on what others have changed since."""
        if changed is None or not _OF_ALL.isdisjoint(changed):
            return True
        return bool(changed) and not all(one.rests().isdisjoint(changed) for one in self._ahead_of)

    def _start_over(self, transactions: list[LedgerTransaction]) -> None:
        for transaction in transactions:
            transaction.discard()
        transactions.clear()

    def written_ahead(self) -> Iterator[Entry]:
        """The streams to which the commands before this one wrote."""
        return (entry for one in self._ahead_of for entry in one.written())

    def _require_fresh(self) -> None:
        if self._is_stale(self._absorb(self.recorder.heard())) and self.ahead:
            raise NotAhead
