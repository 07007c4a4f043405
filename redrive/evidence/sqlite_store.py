"""The rows and the tree of a log in SQLite, whose columns hold whatever somebody put there."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import cast

from redrive.evidence.log_store import LogEvidence
from redrive.evidence.sqlite_faults import faults
from redrive.evidence.store import StoredRow
from redrive.ledger.sqlite.recorder import SqliteRecorder
from redrive.ledger.storage_errors import storage_errors


class SqliteEvidence(LogEvidence):
    """The rows and the tree of one log in SQLite. Reading uses the connection of the calling thread."""

    _checkpoint = (
        "SELECT size, previous_size, CASE typeof(position) WHEN 'integer' THEN position ELSE -1 END, root, note, "
        "sealed_at_ms FROM tree_checkpoints"
    )
    _tile = "SELECT CASE typeof(hashes) WHEN 'blob' THEN hashes END FROM tree_tiles WHERE level = ? AND tile = ?"

    def _rows(self, query: str, position: float, limit: int) -> Sequence[StoredRow]:
        with storage_errors(self._ledger.path):
            connection = cast(sqlite3.Connection, self._ledger.recorder.reader())
            try:
                return self._stored(connection.execute(query, (position, limit)).fetchall(), connection)
            except sqlite3.OperationalError as error:
                if "decode" not in str(error):
                    raise
            connection.text_factory = _text  # a text is no UTF-8: show it all the same, a leaf will not match
            try:
                return self._stored(connection.execute(query, (position, limit)).fetchall(), connection)
            finally:
                connection.text_factory = str

    def file(self) -> tuple[str, int] | None:
        """The file of the log, and how many milliseconds to wait for who writes to it."""
        return self._ledger.home, self._ledger.recorder.busy_timeout_ms

    def faults(self) -> list[str]:
        """What is wrong with the file that reading it row by row does not show. It may be asked in a thread of its
        own: it takes as long as reading all rows, but needs no Python."""
        recorder = cast(SqliteRecorder, self._ledger.recorder)
        with storage_errors(recorder.path), closing(recorder.connected()) as connection:
            return list(faults(connection))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
