"""The archives of a log, for reading: what was moved there is put back into rows as they are read."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from redrive.domain.errors import ArchiveUnreadable
from redrive.ledger.database import Connection
from redrive.retention.archive_file import Kept, open_archive, read_state

Row = tuple[object, ...]
_KEPT = (
    "SELECT a.position, a.offset, a.size, a.digest, f.id, f.path "
    "FROM archived a JOIN archives f ON f.number = a.archive WHERE a.position IN ({})"
)


class Shelf:
    """Opens each archive once. Any thread may read."""

    def __init__(self, log_path: str) -> None:
        self._log_path = log_path
        self._files: dict[str, int] = {}
        self._lock = threading.Lock()

    def put_back(self, rows: Sequence[Row], connection: Connection) -> list[Row]:
        """The rows with the states that were archived. Raises ArchiveUnreadable."""
        kept = self.kept([row[0] for row in rows if row[4] == b""], connection)
        return [
            (*row[:4], self.state(*kept[row[0]]), *row[5:]) if row[4] == b"" and row[0] in kept else row for row in rows
        ]

    def kept(self, positions: Sequence[object], connection: Connection) -> dict[object, tuple[Kept, str, str]]:
        """Where the states of *positions* lie, as *connection* sees it: in which archive (id, path) too."""
        found = connection.execute(_KEPT.format(", ".join("?" * len(positions))), positions).fetchall()
        return {row[0]: (Kept(*row[:4]), row[4], row[5]) for row in found}

    def state(self, kept: Kept, archive: str, path: str) -> bytes:
        """A state, from its archive. Raises ArchiveUnreadable."""
        with self._lock:
            if archive not in self._files:
                self._files[archive] = self._opened(archive, path)
            file = self._files[archive]
        return read_state(file, kept, path)

    def close(self) -> None:
        """Close the archives."""
        with self._lock:
            for file in self._files.values():
                os.close(file)
            self._files.clear()

    def _opened(self, archive: str, path: str) -> int:
        """Where it was written, or beside the log."""
        beside = str(Path(self._log_path).absolute().parent / Path(path).name)
        try:
            return open_archive(path, archive)
        except ArchiveUnreadable:
            if beside == path or not Path(beside).exists():
                raise
            return open_archive(beside, archive)
