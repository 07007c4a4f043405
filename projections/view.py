"""A view: a SQLite database that is folded from the log up to a position, and thrown away without regret."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

from redrive.domain.errors import StorageError
from redrive.domain.event import Recorded
from redrive.domain.records import KeyDestroyed
from redrive.projections import fold
from redrive.projections.batch import Batch, collector_paused
from redrive.projections.graphs import Graphs
from redrive.projections.logs import log
from redrive.projections.models import ViewStatus
from redrive.projections.view_file import APPLICATION_ID, Replaced, ViewFile, is_damage, transaction, view_errors
from redrive.projections.view_state import PayloadGoneError, Source, ViewState, create, is_empty, write

CHUNK = 256
MOST_PER_TRANSACTION = 20_000
REBUILD_FROM = 20_000
EMPTY = "it is empty"

T = TypeVar("T")


def view_path(log_path: str, *, locked: bool = False) -> str:
    """Where the live view of the log at *log_path* lies: each version of this code has its own, and so have readers
    without the keys of encrypted payloads (*locked*)."""
    return f"{log_path}.views-{fold.fingerprint()[:8]}{'-locked' if locked else ''}.db"


class View:
    """The projections of a log, in a file that threads and processes share, or in memory (*path* None).

    Every event is folded exactly once, whoever does it. Raises StorageError when the view cannot be written; it then
    stays as it was.
    """

    def __init__(self, source: Source, path: str | None) -> None:
        self._source = source
        self._lock = threading.RLock()
        self._graphs = Graphs()
        self._position, self._answered = 0, 0
        self._tip: tuple[Any, ...] = ()  # of the log as it was folded last
        self._wanted: str | None = None  # why it must be folded anew before it is asked anything
        self.path = path
        with view_errors(path):
            self._file = self._opened()
        with contextlib.ExitStack() as opened:
            opened.callback(self.close)
            self._sound(self._prepare)
            opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def id(self) -> str:
        """Which log this is a view of."""
        return self._source.id

    def catch_up(self) -> int:
        """Fold what is new in the log; the position that the view has reached."""
        return self._sound(self._catch_up)

    def fold(self, events: Sequence[Recorded]) -> None:
        """Fold *events*, in log order; those that the view has already change nothing. When the log holds others
        before them, these are read first."""
        self._sound(lambda: self._fold_given(events))

    def rebuild(self) -> int:
        """Fold the whole log anew, beside the view, which serves until the new one takes its place."""
        with view_errors(self.path), self._lock, self._file.rebuilding():
            return self._rebuild()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a query finds in the view as it is."""
        return self._sound(lambda: self._rows(query, values))

    @property
    def position(self) -> int:
        """How far it is folded, as far as this process has seen."""
        return self._position

    def copy_to(self, path: str) -> int:
        """Write a copy of the view as it stands to a new file at *path*; the position of the copy."""
        return self._sound(lambda: self._copy_to(path))

    def status(self) -> ViewStatus:
        """Where the view stands, without catching up."""
        return self._sound(self._status)

    def close(self) -> None:
        """Close the view's connections."""
        with self._lock:
            self._file.close()

    def _sound(self, do: Callable[[], T]) -> T:
        """Do something with the view, or what took its place; a damaged one is thrown away and folded anew, once."""
        with view_errors(self.path):
            try:
                self._bring()
                return do()
            except sqlite3.DatabaseError as error:
                self._file.require_open()  # else somebody closed it meanwhile
                if damaged := is_damage(error):
                    log.warning("view.damaged", path=self.path, error=str(error))
                elif not isinstance(error, Replaced):
                    raise
        try:
            with view_errors(self.path):
                if damaged:
                    self._fold_anew("it is damaged")
                self._catch_up()  # the file of another process may lie behind what was answered here
                return do()
        except sqlite3.DatabaseError as error:
            raise StorageError(f"{self.path}: the view is damaged and a new one is no better ({error})") from error

    def _opened(self) -> ViewFile:
        try:
            return ViewFile(self.path)
        except sqlite3.DatabaseError as error:
            if self.path is None or not is_damage(error):
                raise
            log.warning("view.damaged", path=self.path, error=str(error))
            ViewFile.discard(self.path)
            return ViewFile(self.path)

    def _prepare(self) -> None:
        """Create the tables, or make sure that what is there is this log's."""
        with self._lock:
            writer = self._file.writer
            if is_empty(writer):
                with transaction(writer):
                    if is_empty(writer):
                        create(writer, self.id)
                        fold.index(writer)
            if writer.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                raise StorageError(f"{self.path}: this SQLite database belongs to something else")
            self._wanted = self._mismatch()
            if self._wanted is None and self._position == 0 and self._target() > REBUILD_FROM:
                self._wanted = EMPTY

    def _bring(self) -> None:
        """Fold the whole log when that is due: not before somebody asks, so that who never does does not pay."""
        if self._wanted is not None:
            with self._lock:
                if (why := self._wanted) is not None:
                    self._fold_anew(why)

    def _moved(self) -> bool:
        """Open the file that has taken the place of this one; whether another has."""
        if moved := self._file.moved() or self._position < 0:
            self._position = -1  # not the other's, and until that is prepared
            self._file.reopen()
            self._prepare()
        return moved

    def _fold_anew(self, why: str) -> None:
        """Fold the whole log, unless another process has done it since: then its file is opened."""
        with self._lock, self._file.rebuilding():
            if self._moved() and self._wanted is None:
                return
            if why is not EMPTY:
                log.warning("view.rebuild", path=self.path, why=why)
            self._rebuild()

    def _target(self) -> int:
        """The last position of the log."""
        last: int = self._source.tip()[0]
        return last

    def _mismatch(self) -> str | None:
        """Why the view as it stands is not one of this log; learns its position."""
        try:
            state = ViewState.of(self._file.writer)
        except (sqlite3.OperationalError, TypeError) as error:  # somebody dropped the table, or emptied it
            return f"its own state is missing ({error})"
        self._position = state.position
        return state.mismatch(self._source, self._target())

    def _catch_up(self) -> int:
        position, tip = self._position, self._source.tip()
        if self._file.moved() or tip != self._tip or tip[0] != position:
            with self._lock:
                if self._moved():
                    self._bring()
                while self._fold_some():
                    pass
                position, self._tip = self._position, tip
        self._answered = position
        return position

    def _fold_some(self) -> bool:
        """Fold one transaction's worth; whether there may be more."""
        writer = self._file.writer
        if self._departure(target := self._target()) is None and self._position == target:
            return False  # by somebody else, meanwhile: no lock is waited for
        try:
            with transaction(writer):
                why = self._departure(target := self._target())
                if why is None and (position := self._position) < target:
                    self._fold_from(writer, position, target, MOST_PER_TRANSACTION, anew=False)
        except PayloadGoneError:
            why = "a key was destroyed"
        if why is not None:
            self._fold_anew(why)
            return True
        return self._learn_position() < target

    def _departure(self, target: int) -> str | None:
        """Why the log is another one than was folded; learns the view's position."""
        state = ViewState.of(self._file.writer)
        self._position = state.position
        return state.departure(self._source, target)

    def _fold_given(self, events: Sequence[Recorded]) -> None:
        with self._lock:
            writer = self._file.writer
            if not (gap := self._file.moved()):
                with transaction(writer):
                    position = ViewState.of(writer).position
                    new = [recorded for recorded in events if position < recorded.position]
                    lost = any(recorded.event.__class__ is KeyDestroyed for recorded in new)
                    gap = bool(new) and (lost or new[0].position != position + 1)
                    if new and not gap:
                        batch = Batch(writer, self._graphs)
                        fold.fold(batch, new)
                        write(batch, new[-1])
                self._learn_position()
            if gap:
                self._catch_up()

    def _fold_from(
        self, connection: sqlite3.Connection, position: int, target: int, most: int, *, anew: bool = True
    ) -> int:
        """Fold the log beyond *position* in the open transaction, *most* events or a few more. Raises
        PayloadGoneError when a key was destroyed there, and the view is not folded anew."""
        batch, last = Batch(connection, self._graphs), None
        with collector_paused():  # it would look at the rows of the batch again and again
            for events in self._source.replay(position, target, CHUNK):
                fold.fold(batch, events)
                if (last := events[-1]).position - position >= most:
                    break
        if last is None:
            raise StorageError(f"the log ends before its position {target}")
        if not anew and any(cls is KeyDestroyed for _, cls in batch.events):
            raise PayloadGoneError
        write(batch, last)
        return last.position

    def _rebuild(self) -> int:
        with self._lock:
            with self._file.replacement() as fresh:
                with transaction(fresh):
                    create(fresh, self.id)
                position, target = 0, self._target()
                while position < target:
                    with transaction(fresh):
                        position = self._fold_from(fresh, position, target, MOST_PER_TRANSACTION)
                with transaction(fresh):
                    fold.index(fresh)
            self._wanted = None
            return self._learn_position()

    def _learn_position(self) -> int:
        self._position = ViewState.of(self._file.writer).position
        return self._position

    def _rows(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with contextlib.ExitStack() as stack:
            if self.path is None:
                stack.enter_context(self._lock)
            return stack.enter_context(self._file.reading(self._answered)).execute(query, values).fetchall()

    def _copy_to(self, path: str) -> int:
        with self._lock, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")
            with self._file.reading() as connection:
                connection.backup(copy)
            return ViewState.of(copy).position

    def _status(self) -> ViewStatus:
        with self._lock:
            if self._moved():
                self._bring()
            position, log_position = self._learn_position(), self._target()
            return ViewStatus(
                path=self.path,
                position=position,
                log_position=log_position,
                lag=log_position - position,
                fingerprint=fold.fingerprint(),
                size_bytes=self._file.size(),
            )
