"""The rows and the tree of a log in PostgreSQL, whose columns keep their types."""

import re
from collections.abc import Iterator
from itertools import chain

from redrive.evidence.log_store import LogEvidence
from redrive.ledger.database import Connection
from redrive.ledger.storage_errors import DatabaseFault, storage_errors

_TABLE = re.compile(r"CREATE TABLE (\w+)")
_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (\w+)")
_INVALID = (
    "SELECT c.relname, i.indisvalid AND i.indisready FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "JOIN pg_class t ON t.oid = i.indrelid WHERE t.relnamespace = current_schema()::regnamespace ORDER BY c.relname"
)
_OWN = re.compile(r"CREATE TRIGGER (\w+)")
_BODY = re.compile(r"LANGUAGE plpgsql AS \$\$(.*?)\$\$", re.DOTALL)
_TRIGGERS = (
    "SELECT t.tgname, c.relname, p.prosrc FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
    "JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal "
    "AND c.relnamespace = current_schema()::regnamespace ORDER BY t.tgname"
)
_HIDDEN = (
    "SELECT relname FROM pg_class WHERE relrowsecurity AND relnamespace = current_schema()::regnamespace ORDER BY 1"
)
_RULES = "SELECT rulename, tablename FROM pg_rules WHERE schemaname = current_schema() ORDER BY rulename"
_VIEWS = "SELECT viewname FROM pg_views WHERE schemaname = current_schema() ORDER BY viewname"
_AMCHECK = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'amcheck'"


class PostgresEvidence(LogEvidence):
    """The rows and the tree of one log in PostgreSQL."""

    def faults(self) -> list[str]:
        """What is wrong with the database that reading it row by row does not show."""
        with storage_errors(self._ledger.path):
            connection = self._ledger.recorder.reader()
            return list(chain(_of_schema(connection), _of_indexes(connection)))


def _expected() -> tuple[list[str], list[str]]:
    """The tables and the indexes that a ledger makes."""
    from redrive.ledger.postgres.schema import TABLES

    tables = _TABLE.findall(TABLES)
    return tables, [*(f"{table}_pkey" for table in tables), *_INDEX.findall(TABLES)]


def _guards() -> tuple[list[str], list[str]]:
    """The triggers that a ledger makes, and what they do."""
    from redrive.ledger.postgres.schema import TABLES

    return _OWN.findall(TABLES), _BODY.findall(TABLES)


def _of_schema(connection: Connection) -> Iterator[str]:
    for table in _expected()[0]:
        if connection.execute("SELECT to_regclass(?)::text", (table,)).fetchone()[0] is None:
            yield f"the table {table} is gone"
    own, bodies = _guards()
    for name, table, body in connection.execute(_TRIGGERS):
        if name not in own or body not in bodies:
            yield f"there is a trigger {name!r} on {table}, which no ledger makes"
    for (table,) in connection.execute(_HIDDEN):
        yield f"the table {table} shows some rows to some roles only (row level security), as no ledger makes it"
    for name, table in connection.execute(_RULES):
        yield f"there is a rule {name!r} on {table}, which no ledger makes"
    for (name,) in connection.execute(_VIEWS):
        yield f"there is a view {name!r}, which no ledger makes"


def _of_indexes(connection: Connection) -> Iterator[str]:
    """Decisions find streams by index, while verifying reads by position. Where the extension amcheck is installed, the
    server compares every entry of an index with its table."""
    found, indexes = dict(connection.execute(_INVALID).fetchall()), _expected()[1]
    for index in indexes:
        if not found.get(index):
            yield f"the index {index} is gone, or not in use"
    row = connection.execute(_AMCHECK).fetchone()
    for index in indexes if row else ():
        try:
            connection.execute(f"SELECT {row[0]}.bt_index_check(?::regclass, true)", (index,))
        except DatabaseFault as fault:
            yield f"the index {index} does not agree with its table: {fault}"
