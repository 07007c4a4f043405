"""Several statements in one way to the server and back.

psycopg's own pipeline mode speaks with the server at every statement: ten statements were ten wake-ups of both sides.
Here they are written into one buffer, sent once, and answered once (measured: docs/decisions).
"""

import re
import select
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any

import psycopg
from psycopg import pq

from redrive.ledger.postgres.values import dumped
from redrive.ledger.seams import patience_s

Statement = tuple[str, Sequence[Any]]
_HINT = re.compile(r" INDEXED BY \w+")
_MARK = re.compile(r"\?(\d*)")


@lru_cache(maxsize=512)
def translated(sql: str) -> bytes:
    """A statement of the ledger as PostgreSQL takes it: numbered values, no orders to SQLite."""
    number = iter(range(1, 65_536))
    return _MARK.sub(lambda mark: f"${mark[1] or next(number)}", _HINT.sub("", sql)).encode()


class Pipeline:
    """Sends statements on one connection, each prepared once for each combination of types, under names that begin with
    *name*."""

    def __init__(self, connection: "psycopg.Connection[Any]", name: bytes = b"redrive") -> None:
        self._name = name
        self._connection = connection
        self._pgconn = connection.pgconn
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._number = count()

    def run(self, statements: Sequence[Statement]) -> "list[pq.abc.PGresult]":
        """The result of each. Raises psycopg.Error, after which a transaction that was open is void; what is
        interrupted closes the connection, because nobody knows where it stands."""
        if self._connection.closed:
            raise psycopg.OperationalError("the connection is closed")
        try:
            self._pgconn.enter_pipeline_mode()
            fresh = [self._send(sql, values) for sql, values in statements]
            self._pgconn.pipeline_sync()
            while self._pgconn.flush():
                if self._waited_for([self._pgconn.socket]):
                    self._pgconn.consume_input()
            found = self._answers(fresh)
            self._pgconn.exit_pipeline_mode()
        except BaseException:
            self._connection.close()
            raise
        self._require_good(found)
        return found

    def forget(self) -> None:
        """Prepare everything anew."""
        self._names.clear()

    def _send(self, sql: str, values: Sequence[Any]) -> bool:
        """Send a statement; whether the server is asked to prepare it first."""
        sent, types = dumped(values) if values else (None, ())
        name = self._names.get((sql, types))
        fresh = name is None
        if name is None:
            name = self._names[sql, types] = b"%s_%d" % (self._name, next(self._number))
            self._pgconn.send_prepare(name, translated(sql), types or None)
        self._pgconn.send_query_prepared(name, sent, _BINARY[: len(types)], result_format=_IN_BINARY)
        return fresh

    def _answers(self, fresh: Sequence[bool]) -> "list[pq.abc.PGresult]":
        """The result of each statement, past those of what was prepared: the first error stands for what failed."""
        results = iter(self._results())
        found: list[pq.abc.PGresult] = []
        for prepared in fresh:
            result = next(results)
            if prepared:
                executed = next(results)
                result = executed if result.status in _FINE else result
            found.append(result)
        return found

    def _results(self) -> "list[pq.abc.PGresult]":
        """All results up to the end; nothing comes between two, and twice nothing when the server is gone."""
        pgconn = self._pgconn
        results: list[pq.abc.PGresult] = []
        gone = False
        while True:
            while pgconn.is_busy():
                self._waited_for([])
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is not None:
                if result.status == _END:
                    return results
                results.append(result)
            elif gone:
                self._require_good(results)
                raise psycopg.OperationalError("the server ended the connection")
            gone = result is None

    def _waited_for(self, writable: list[int]) -> bool:
        """Wait until something can be read, or written; whether it is to be read. Raises OperationalError when the
        server is silent for too long: it may hang, and nobody would know."""
        longest = patience_s.get()
        readable, others, _ = select.select([self._pgconn.socket], writable, [], longest)
        if not readable and not others:
            raise psycopg.OperationalError(f"the server has said nothing for {longest:g} s")
        return bool(readable)

    def _require_good(self, found: "Sequence[pq.abc.PGresult]") -> None:
        """Raises the first error among results."""
        for result in found:
            if result.status not in _FINE:
                self._names.clear()  # what was to be prepared may not have been
                raise psycopg.errors.error_from_result(result, encoding=self._connection.info.encoding)


_FINE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_END = pq.ExecStatus.PIPELINE_SYNC
_IN_BINARY = pq.Format.BINARY
_BINARY = [pq.Format.BINARY] * 65_535
