"""The ledger on one log: what the use cases and queries see of it."""

from collections.abc import Callable, Container, Generator, Iterator, Mapping, Sequence
from contextvars import ContextVar, copy_context
from operator import attrgetter
from typing import Any, ParamSpec, TypeVar, cast

from redrive.domain.errors import InvalidValue, NotFound, StorageError
from redrive.domain.event import Recorded
from redrive.domain.identity import RunId, Tenant
from redrive.domain.ports import START, Caller, Due, DueKey, DuePage, FallsDue
from redrive.domain.run.state import Run
from redrive.domain.values import MAX_INTEGER, clean_integer, clean_name
from redrive.ledger import agenda_log, capacity_log, next_work
from redrive.ledger.agenda import Agenda
from redrive.ledger.agenda_rows import AgendaRow
from redrive.ledger.ahead import AheadCommitter
from redrive.ledger.application import LogApplication
from redrive.ledger.capacity import Capacity
from redrive.ledger.committer import Committer
from redrive.ledger.concurrent import ConcurrentRecorder
from redrive.ledger.database import Row
from redrive.ledger.mapper import shown
from redrive.ledger.pending import Pending
from redrive.ledger.recorder import COLUMNS
from redrive.ledger.storage_errors import storage_errors
from redrive.ledger.subscribers import Subscriber, Subscribers
from redrive.ledger.transaction import LedgerTransaction
from redrive.ledger.urls import is_server

P = ParamSpec("P")
T = TypeVar("T")
_MADE_AT_ONCE = 64
_PAYLOAD = attrgetter("payload")
_ENCRYPTED = b'{"encrypted":'
_SQLITE = "redrive.ledger.sqlite.recorder:SqliteRecorder"
_POSTGRES = "redrive.ledger.postgres.recorder:PostgresRecorder"
_NOTE_ENGINE = "INSERT INTO meta VALUES ('engine', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_collecting: ContextVar[list[Pending[Any]] | None] = ContextVar("redrive_batch", default=None)


def collecting() -> bool:
    """Whether commands are being queued for a batch, not committed."""
    return _collecting.get() is not None


def refuse_in_batch(call: str) -> None:
    """Raises InvalidValue within a batch: what *call* does is many commands."""
    if collecting():
        raise InvalidValue("command", call, "a call that gives exactly one command")


class LogLedger:
    """An append-only log, in an SQLite file or on a server, shared by any number of threads and processes. *locked*:
    it has encrypted payloads, and was opened without their keys."""

    def __init__(
        self,
        path: str,
        *,
        clock: Callable[[], int],
        dice: Callable[[], float],
        engine: str,
        cache_bytes: int = 256 * 1024 * 1024,
        busy_timeout_ms: int = 10_000,
        durable: bool = True,
        listeners: Sequence[Subscriber] = (),
    ) -> None:
        self.locked = False
        self._clock = clock
        self._application = LogApplication(_POSTGRES if is_server(path) else _SQLITE)
        self.recorder = self._application.recorder
        self._subscribers = Subscribers(self.recorder, listeners)
        self.id = self.recorder.open(path, busy_timeout_ms=busy_timeout_ms, durable=durable)
        self.path, self.home = self.recorder.path, self.recorder.home
        try:
            kind = AheadCommitter if isinstance(self.recorder, ConcurrentRecorder) else Committer
            tell = self._subscribers.tell
            self.committer = kind(
                self._application, clock=clock, dice=dice, engine=engine, cache_bytes=cache_bytes, after_commit=tell
            )
            self._note_engine(engine)
        except BaseException:
            self._application.close()
            raise

    def now_ms(self) -> int:
        """The time by the ledger's clock."""
        return self._clock()

    def transact(self, caller: Caller, command: Callable[[LedgerTransaction], T]) -> T:
        """Run *command* in a transaction of its own; within ``collect()``, only queue it."""
        collected = _collecting.get()
        if collected is not None:
            if collected:  # refused at once: a loop that waits for an outcome would never end
                raise InvalidValue("command", "several commands", "a call that gives exactly one command")
            pending = Pending(caller, command)
            collected.append(pending)
            return cast(T, pending)
        return self.committer.transact(caller, command)

    def transact_together(
        self, jobs: Sequence[tuple[Caller, Callable[[LedgerTransaction], T]]], reads: Sequence[str] = ()
    ) -> Sequence[Pending[T]]:
        """Run several commands in one commit; one refusal harms no other."""
        pending = [Pending(caller, command) for caller, command in jobs]
        if pending:
            pending[0].reads = reads
        self.committer.commit_together(pending)
        return pending

    def sweeping(self, tenant: Tenant | None, after: DueKey) -> Generator[DuePage, None, None]:
        """The dead letters that are due now, page by page, as far as possible kept from others who sweep."""
        with storage_errors(self.path):
            yield from self.committer.sweeping(Agenda(self.recorder.reader()), tenant, self._clock(), after)

    def collect(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Pending[T]:
        """Run *call* so that the one command it transacts is queued, not committed."""
        if not callable(call):
            raise InvalidValue("command", call, "a method and then its arguments, for example acme.submit, flow")
        jobs: list[Pending[Any]] = []
        context = copy_context()  # an interrupt cannot leave it set: it is gone with the context
        context.run(_collecting.set, jobs)
        context.run(call, *args, **kwargs)
        if len(jobs) != 1:
            raise InvalidValue("command", getattr(call, "__name__", call), "a call that gives exactly one command")
        return jobs[0]

    def read(self, after: int = 0, limit: int = 1_000, until: int | None = None) -> list[Recorded]:
        """At most *limit* events beyond position *after* and up to *until*, in log order. Raises InvalidValue."""
        clean_integer(limit, "limit", 0, MAX_INTEGER)
        for name, position in (("after", after), ("until", MAX_INTEGER if until is None else until)):
            clean_integer(position, name, -MAX_INTEGER, MAX_INTEGER)
        return shown(self.recorder.rows_after(after, limit, until))

    def replay(self, after: int = 0, until: int | None = None, batch: int = 256) -> Iterator[list[Recorded]]:
        """The log beyond position *after*, in order; at most *batch* events are read at once. They come in lists so
        short that they fit the processor's cache, and that the garbage collector does not look at them again."""
        while rows := self.recorder.rows_after(after, batch, until):
            for begun in range(0, len(rows), _MADE_AT_ONCE):
                events = shown(rows[begun : begun + _MADE_AT_ONCE])
                if self.recorder.encryption is None and not self.locked and any(map(_PAYLOAD, events)):
                    self._meet_encrypted()
                yield events
            after = rows[-1][0]

    def rows(self, after: int = 0, until: int | None = None, batch: int = 256) -> Iterator[list[Row]]:
        """The rows of the log beyond position *after*, for who need not decode all of them."""
        while rows := self.recorder.rows_after(after, batch, until):
            if self.recorder.encryption is None and not self.locked and any(map(_is_encrypted, rows)):
                self._meet_encrypted()
            yield rows
            after = rows[-1][0]

    def _meet_encrypted(self) -> None:
        """Payloads are encrypted, which nobody said when the log was opened. A copy that has no key store is read
        without; a log that was given one since must be opened anew. Raises StorageError."""
        with storage_errors(self.path):
            given = self.recorder.reader().execute("SELECT 1 FROM meta WHERE name = 'key_store'").fetchone()
        if given:
            raise StorageError(f"{self.path}: payloads are encrypted since this process opened it: open it anew")
        self.locked = True

    def correlated(self, correlation: str, after: int, limit: int) -> list[Recorded]:
        """At most *limit* events with this correlation beyond position *after*, in log order."""
        return shown(self.correlated_rows(correlation, after, limit))

    def correlated_rows(self, correlation: str, after: int, limit: int) -> list[Row]:
        """Their rows, for who need not decode all of them."""
        query = (
            f"SELECT {COLUMNS} FROM events INDEXED BY events_correlation "
            "WHERE correlation = ? AND position > ? ORDER BY position LIMIT ?"
        )
        return self._read_rows(query, (correlation, after, limit))

    def at_positions(self, positions: Sequence[int]) -> list[Recorded]:
        """The events at these positions, in log order."""
        if not positions:
            return []
        marks = ", ".join("?" * len(positions))
        return shown(self._read_rows(f"SELECT {COLUMNS} FROM events WHERE position IN ({marks}) ORDER BY 1", positions))

    def stream(self, stream: str) -> list[Recorded]:
        """All events of a stream."""
        with storage_errors(self.path):
            return shown(self.recorder.rows_of(stream, 0))

    def run_state(self, tenant: Tenant | None, id_: RunId, until: int | None = None) -> Run:
        """The run as the log tells it up to position *until*. Raises NotFound."""
        clean_name(id_, "run_id")
        with storage_errors(self.path):
            rows = [row for row in self.recorder.rows_of(id_, 0) if until is None or row[0] <= until]
        state = None if rows and tenant is not None and rows[0][5] != str(tenant) else self.committer.states.fold(rows)
        if not isinstance(state, Run):
            raise NotFound("run", id_)
        return state

    def last_position(self) -> int:
        """The last position of the log, 0 when it is empty."""
        return self.recorder.max_notification_id()

    def tip(self) -> tuple[Any, ...]:
        """Its position, stream and version, and when it was recorded."""
        return self.recorder.tip()

    def due(self, kind: FallsDue, tenant: Tenant | None, limit: int, after: DueKey = START) -> Sequence[Due]:
        """What of *kind* is due, the oldest first, beyond *after*."""
        return self._read_agenda(lambda agenda: agenda.due(kind, tenant, self._clock(), limit, after))

    def due_compensations(self, tenant: Tenant | None, operations: Container[str]) -> Sequence[tuple[str, Tenant]]:
        """The compensations that may be run now, and whose operation is one of *operations*; the oldest first."""
        return self._read_agenda(lambda agenda: agenda.compensations(tenant, operations, self._clock()))

    def next_timer_ms(self, tenant: Tenant | None) -> int | None:
        """When the next timed wait ends, or the next approval expires."""
        return self._read_agenda(lambda agenda: agenda.next_timer_ms(tenant))

    def holders(self, tenant: Tenant | None, kind: str = "lease") -> Mapping[str, Sequence[str]]:
        """The runs that are claimed (or the compensations that run: *kind* compensating), by the process of each."""
        return self._read_agenda(lambda agenda: agenda.holders(tenant, kind))

    def next_work_ms(self, tenant: Tenant | None, handlers: Container[str] | None, run: RunId | None) -> int | None:
        """When the next run that *handlers* can go on with, the next timed wait, or the next dispatch, is due; None:
        there is none."""
        with storage_errors(self.path):
            return next_work.next_work_ms(self.recorder, self._clock(), tenant, handlers, run)

    def subscribe(self, listener: Subscriber, *, others: bool = False) -> Callable[[], None]:
        """Call *listener* with what this process commits, until the returned function is called; with *others*, also
        with what other processes commit, a moment later and as far as it can be heard (on PostgreSQL)."""
        return self._subscribers.add(listener, others=others and not self.committer.closed)

    def live_claims(self, runs: Sequence[RunId]) -> set[RunId]:
        """Those of *runs* that are claimed by anybody."""
        return self._read_agenda(lambda agenda: agenda.claimed(runs))

    def event_id_at(self, position: int) -> str | None:
        """The id of the event at *position*; None when there is none."""
        with storage_errors(self.path):
            return self.recorder.id_at(position)

    def capacity(self) -> Capacity:
        """What is in use of the limits, as it is kept."""
        return next_work.capacity_now(self.recorder, self._clock())

    def capacity_from_log(self) -> capacity_log.CapacityContent:
        """What is in use, and who waits, as the log alone says it must be."""
        with self.committer.under_lock(), storage_errors(self.path), self.recorder.snapshot() as connection:
            return capacity_log.capacity_by_the_log(self.committer, connection)

    def due_needs(self, tenant: Tenant | None) -> Sequence[str]:
        """The handlers that due queued runs wait for."""
        return self._read_agenda(lambda agenda: agenda.due_needs(tenant, self._clock()))

    def agenda_rows(self) -> list[AgendaRow]:
        """The agenda as it is kept."""
        return self._read_agenda(lambda agenda: agenda.rows())

    def agenda_from_log(self) -> list[AgendaRow]:
        """The agenda as the log alone says it must be: equal to ``agenda_rows()``."""
        with self.committer.under_lock(), storage_errors(self.path), self.recorder.snapshot() as connection:
            return agenda_log.agenda_by_the_log(self.committer, connection)

    def rebuild_agenda(self) -> int:
        """Write the agenda anew from the log; how many rows it has. What concerns streams that this version cannot
        read stays as it is."""
        with self.committer.under_lock(), storage_errors(self.path):
            return agenda_log.rebuild_agenda(self.committer)

    def close(self) -> None:
        """Close every connection; commands are refused from now on."""
        with self.committer.under_lock():
            self.committer.closed = True
            self._application.close()

    def _note_engine(self, engine: str) -> None:
        """A new engine version judges again what an older one held."""
        writer = self.recorder.writer
        with storage_errors(self.path):
            known = writer.execute("SELECT value FROM meta WHERE name = 'engine'").fetchone()
            if self.recorder.read_only or (known is not None and known[0] == engine):
                return
            self.recorder.begin()
            writer.execute(_NOTE_ENGINE, (engine,))
            agenda = Agenda(writer)
            for row in agenda.rows():
                for fresh in agenda_log.rows_from_log(self.committer, row.subject) if row.kind == "dead_letter" else ():
                    agenda.put(fresh)
            self.recorder.commit()

    def _read_agenda(self, query: Callable[[Agenda], T]) -> T:
        with storage_errors(self.path):
            return query(Agenda(self.recorder.reader()))

    def _read_rows(self, query: str, values: Sequence[Any]) -> list[Row]:
        with storage_errors(self.path):
            return self.recorder.as_read(self.recorder.reader().execute(query, values).fetchall())


def _is_encrypted(row: Row) -> bool:
    return isinstance(row[4], bytes) and bool(row[4].startswith(_ENCRYPTED))
