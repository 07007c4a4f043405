"""A bundle that is open: its events in a log of their own, which every query and forensic command reads as any other.

The events keep their positions, the log its id, and "now" is when the last of them was recorded. So the same
projections are folded, and the same answers given, as by the log that the bundle was taken from. The log lies in a
temporary folder and goes when the engine is closed.
"""

import random
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from redrive import __version__
from redrive.domain.classifier import Classifier
from redrive.domain.errors import InvalidValue, NotFound, ReadOnlyLog, StorageError, StreamDamaged
from redrive.domain.identity import RunId, Tenant
from redrive.domain.redaction import Redactor
from redrive.domain.redrive_policy import RedrivePolicy
from redrive.domain.run.state import Run
from redrive.engine import Engine
from redrive.evidence.bundle.entries import Entry, Row
from redrive.evidence.bundle.reading import Found, read_bundle
from redrive.ledger.ledger import LogLedger
from redrive.ledger.recorder import COLUMNS
from redrive.ledger.schema import connect, prepare
from redrive.processes.host import this_process
from redrive.processes.letters import OnePolicy
from redrive.processes.services import Services
from redrive.projections.view import View, view_path

BATCH = 1_000
_INSERT = f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class BundleLedger(LogLedger):
    """The log of a bundle: it can be read, and nothing else."""

    bundle = ""

    def transact(self, *_given: Any, **_named: Any) -> NoReturn:
        """Refuse: evidence does not change. Raises ReadOnlyLog."""
        raise ReadOnlyLog(self.bundle)

    transact_together = transact

    def run_state(self, tenant: Tenant | None, id_: RunId, until: int | None = None) -> Run:
        """The run as the bundle tells it. Raises NotFound, also for a run whose beginning is not in the bundle."""
        try:
            return super().run_state(tenant, id_, until)
        except StreamDamaged:
            if (rows := self.recorder.rows_of(id_, 0)) and rows[0][2] > 1:
                raise NotFound("run", id_) from None
            raise

    def seal_off(self, path: str) -> None:
        """Nothing is written from now on; messages name the bundle at *path*."""
        with self.committer.under_lock():
            self.committer.closed = True
        self.bundle = path


class BundleEngine(Engine):
    """An engine on the log of a bundle. Queries are answered; commands raise ReadOnlyLog. *found*: what the bundle
    holds, and how it is proven."""

    def __init__(self, services: Services, views: View, *, found: Found, path: str, folder: Any) -> None:
        assert isinstance(services.ledger, LogLedger)
        super().__init__(services.ledger, services, views)
        self.found = found
        self.path = path
        self._folder = folder

    def _refuse(self, *_given: Any, **_named: Any) -> NoReturn:
        """Refuse: a bundle was sealed where it was written, and ``verify_bundle`` verifies it. Raises ReadOnlyLog."""
        raise ReadOnlyLog(self.path)

    tick = sweep = seal = verify = anchor = await_sealed = export = archive = destroy_key = _refuse

    def close(self) -> None:
        """Close the log, and throw its copy away."""
        self.views.close()
        self.ledger.close()
        self._folder.cleanup()


def open_bundle(path: str | Path, *, clock: Callable[[], int] | None = None) -> Engine:
    """Open the bundle at *path*: an engine that can be asked all that its events answer, as the log could be asked when
    the last of them was recorded. *clock* (default: that moment) says what "now" means.

    The bundle is checked against itself, not against any key: ask ``redrive bundle verify`` for that. Raises
    InvalidValue for a bundle that contradicts itself or holds no states, StorageError.
    """
    folder = tempfile.TemporaryDirectory(prefix="redrive-bundle-")
    try:
        return _opened(str(path), folder, clock)
    except BaseException:
        folder.cleanup()
        raise


def _opened(path: str, folder: Any, clock: Callable[[], int] | None) -> Engine:
    copy = str(Path(folder.name) / "log.db")
    found = _copied(path, copy)
    last_ms = found.recorded_ms[1]
    ledger = BundleLedger(copy, clock=clock or (lambda: last_ms), dice=random.random, engine=__version__, durable=False)
    ledger.locked = True  # what is sealed in it stays so: bundles hold no keys
    try:
        if not found.begun_before:  # what is in use of limits cannot be told from the middle of a log
            ledger.rebuild_agenda()
        ledger.seal_off(path)
        services = Services(
            ledger=ledger,
            policy_of=OnePolicy(RedrivePolicy()),
            classifier=Classifier(),
            redactor=Redactor(),
            engine=__version__,
            holder=this_process(),
        )
        return BundleEngine(services, View(ledger, view_path(copy)), found=found, path=path, folder=folder)
    except BaseException:
        ledger.close()
        raise


def _copied(path: str, copy: str) -> Found:
    """Write the events of the bundle into a log at *copy*, and check the bundle on the way."""
    connection = connect(copy, busy_timeout_ms=10_000, durable=False)
    try:
        prepare(connection, copy)
        connection.execute("BEGIN")
        found = _read_into(path, connection)
        if found.left_out == found.entries:
            raise InvalidValue("bundle", path, "a bundle with states; this one can be verified, not opened")
        connection.execute("UPDATE meta SET value = ? WHERE name = 'ledger_id'", (found.contents.log,))
        point = (found.checkpoint.size, 0, found.last_position, found.checkpoint.root, str(found.note), 0)
        connection.execute("INSERT INTO tree_checkpoints VALUES (?, ?, ?, ?, ?, ?)", point)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise StorageError(f"{path}: the bundle cannot be opened ({error})") from error
    else:
        return found
    finally:
        connection.close()


def _read_into(path: str, connection: sqlite3.Connection) -> Found:
    rows: list[Row] = []

    def take(entry: Entry) -> None:
        if entry.state is not None:
            rows.append(entry.row())
        if len(rows) >= BATCH:
            _write(connection, rows)

    try:
        with Path(path).open("rb") as file:
            found = read_bundle(file, take)
    except OSError as error:
        raise StorageError(f"{path}: the bundle cannot be read ({error})") from error
    _write(connection, rows)
    return found


def _write(connection: sqlite3.Connection, rows: list[Row]) -> None:
    connection.executemany(_INSERT, rows)
    rows.clear()
