"""All of what evidence one engine keeps: its tree, its keys, its pin, and who seals."""

import time
from pathlib import Path

from redrive.domain.errors import InvalidValue, SealRefused, StorageError
from redrive.evidence.keys import KeyFile, default_key_file
from redrive.evidence.merkle import TiledTree
from redrive.evidence.pins import PinFile
from redrive.evidence.postgres_store import PostgresEvidence
from redrive.evidence.sealer import Sealer
from redrive.evidence.sealing import Sealing, origin_of
from redrive.evidence.sqlite_store import SqliteEvidence
from redrive.evidence.store import StoredCheckpoint
from redrive.ledger.ledger import LogLedger, refuse_in_batch
from redrive.ledger.sqlite.recorder import SqliteRecorder


class Custody:
    """The evidence of one log. *seal*: True from the first event on, None while a worker works, False only on
    demand. Raises InvalidValue for a key file that was named and is not there."""

    def __init__(
        self,
        ledger: LogLedger,
        *,
        seal: bool | None = False,
        key_file: str | Path | None = None,
        pin_file: str | Path | None = None,
    ) -> None:
        self._ledger = ledger
        self._seal = seal
        self.origin = origin_of(ledger.id)
        self.store = SqliteEvidence(ledger) if isinstance(ledger.recorder, SqliteRecorder) else PostgresEvidence(ledger)
        self.keys = KeyFile(default_key_file()) if key_file is None else key_file_given(key_file)
        self.pin = None if pin_file is None else PinFile(path_given(pin_file, "pin_file"))
        clock = ledger.now_ms
        self.sealing = Sealing(self.store, origin=self.origin, clock=clock, keys=self.keys, pin=self.pin)
        self._sealer = Sealer(self.sealing, ledger.subscribe)
        if seal:
            self._sealer.arm()

    def begin(self) -> None:
        """Somebody begins to work: seal from now on, unless the host said that it must not be done. Raises
        StorageError for a log that cannot be written to."""
        if self._ledger.recorder.read_only:
            raise StorageError(f"{self._ledger.path}: the file or its folder is read-only: nobody can work on this log")
        if self._seal is not False:
            self._sealer.begin()

    def tree(self) -> TiledTree:
        """The stored tree, for proofs."""
        return TiledTree(self.store.tile)

    def seal(self) -> StoredCheckpoint | None:
        """Seal every event there is. Raises SealRefused, StorageError."""
        refuse_in_batch("seal")
        return self.sealing.seal()

    def await_sealed(self, position: int | None, timeout_ms: int) -> StoredCheckpoint | None:
        """The checkpoint that covers *position* (None: every event there is), once it is written. Raises InvalidValue
        for a position beyond the log, SealRefused, StorageError."""
        refuse_in_batch("await_sealed")
        target = self._ledger.last_position() if position is None else position
        end = time.monotonic() + timeout_ms / 1_000
        while True:
            last = self.store.last()
            if target <= (last.position if last else 0):
                return last
            if self._ledger.last_position() < target:
                raise InvalidValue("position", target, "a position of the log")
            try:
                self.sealing.seal()
            except SealRefused:
                raise
            except StorageError:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.05)

    def close(self) -> None:
        """Seal what is left, when this process has been sealing."""
        self._sealer.close()


def key_file_given(given: str | Path) -> KeyFile:
    """The file of keys that *given* names. Raises InvalidValue for one without a key, or that is not there."""
    keys = KeyFile(path_given(given, "key_file"))
    if not keys.read():
        raise InvalidValue("key_file", given, "a file with a key; redrive keys init creates it")
    return keys


def path_given(given: str | Path, field: str) -> Path:
    """The file that *given* names. Raises InvalidValue for what names none."""
    if not isinstance(given, (str, Path)) or not str(given) or "\x00" in str(given):
        raise InvalidValue(field, given, "the path of a file")
    return Path(given).expanduser().absolute()
