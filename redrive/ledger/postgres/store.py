"""The schema that holds a log: whether there is one, how the server treats it, what a role may do with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from redrive.domain.errors import InvalidValue, StorageError
from redrive.ledger.postgres import schema
from redrive.ledger.postgres.address import address_of
from redrive.ledger.postgres.connecting import connect
from redrive.ledger.postgres.connection import PostgresConnection
from redrive.ledger.postgres.errors import fault_of
from redrive.ledger.postgres.grants import clean_role, grants, privileges, script
from redrive.ledger.postgres.names import home_of, lock_key
from redrive.ledger.starting import PATIENCE_MS, awaited
from redrive.ledger.storage_errors import storage_errors
from redrive.ledger.stores import DatabaseMade, DatabaseStatus, DatabaseUpgraded, view_of

STORE = "postgresql"
OLDEST_SERVER = 140_000
LONG_TRANSACTION_MS = 300_000
_LOG = """
SELECT (SELECT count(*) FROM events) AS events,
       (SELECT coalesce(max(position), 0) FROM events) AS last_position,
       (SELECT count(*) FROM agenda) AS agenda_rows,
       (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
         WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r') AS size_bytes
"""
_SERVER = """
SELECT current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('fsync')::boolean AS fsync,
       current_setting('full_page_writes')::boolean AS full_page_writes,
       current_setting('max_connections')::int AS max_connections,
       'PostgreSQL ' || current_setting('server_version') AS server,
       pg_is_in_recovery() AS standby,
       (SELECT sum(numbackends) FROM pg_stat_database)::int AS connections
"""
_OTHERS = """
SELECT count(*) FILTER (WHERE application_name LIKE 'redrive%%') AS redrive_connections,
       count(*) FILTER (WHERE state LIKE 'idle in transaction%%') AS idle_in_transaction,
       (max(extract(epoch FROM clock_timestamp() - xact_start)) FILTER (WHERE backend_type = 'client backend') * 1000
       )::bigint AS oldest_transaction_ms
  FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_LOCKED = """
SELECT coalesce(bool_or(granted), false) AS write_lock_held, count(*) FILTER (WHERE NOT granted) AS write_lock_waiting
  FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint = %s AND objid::bigint = %s
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_LACKS = {
    False: "SELECT has_table_privilege(%s, %s, %s)",
    True: "SELECT has_column_privilege(%s, %s, 'state', %s)",
}


class PostgresStore:
    """A schema for one log. *role* is granted what an application needs, *archiving*: and what archives need."""

    def __init__(
        self,
        url: str,
        *,
        busy_timeout_ms: int,
        connect_timeout_ms: int = PATIENCE_MS,
        role: str | None = None,
        archiving: bool = False,
    ) -> None:
        self._address, self._connect_timeout_ms = address_of(url), connect_timeout_ms
        self.location, self._schema = self._address.label, self._address.schema
        self._busy_timeout_ms, self._archiving = busy_timeout_ms, archiving
        self._role = None if role is None else clean_role(role)

    def script(self) -> str:
        """The SQL of ``make`` in a schema that is new."""
        return script(self._schema, self._role, archiving=self._archiving)

    def is_there(self) -> bool:
        """Whether the schema holds a log."""
        with self._connected() as connection:
            return schema.version_of(connection, self._schema) > 0

    def make(self) -> DatabaseMade:
        """Create the log's schema and tables where there are none, and grant."""
        with self._connected() as connection:
            if (number := connection.raw.info.server_version) < OLDEST_SERVER:
                raise StorageError(f"{self.location}: the server is PostgreSQL {number // 10_000}, redrive needs 14")
            self._require_role(connection)
            new = schema.version_of(connection, self._schema) == 0
            id_ = schema.prepare(connection, self._schema, self.location)
            if self._role is not None:
                self._grant(connection, self._role)
        return DatabaseMade(
            store=STORE,
            location=self.location,
            ledger_id=id_,
            schema_version=schema.SCHEMA_VERSION,
            new=new,
            role=self._role,
        )

    def upgrade(self) -> DatabaseUpgraded:
        """Bring the tables up to this version."""
        with self._connected() as connection:
            found = schema.version_of(connection, self._schema)
            if 0 < found < schema.SCHEMA_VERSION:
                found = schema.upgrade(connection, self._schema, self.location)
            self._require_log(found)
            return DatabaseUpgraded(
                store=STORE,
                location=self.location,
                ledger_id=schema.identity_of(connection, self.location),
                from_version=found,
                to_version=schema.SCHEMA_VERSION,
            )

    def status(self) -> DatabaseStatus:
        """How it is doing."""
        with self._connected("-c default_transaction_read_only=on") as connection:
            self._require_log(version := schema.version_of(connection, self._schema))
            id_ = schema.identity_of(connection, self.location)
            key = lock_key(self._address.schema) & 0xFFFF_FFFF_FFFF_FFFF
            found = {
                **self._row(connection, _LOG, self._schema),
                **self._row(connection, _SERVER),
                **self._row(connection, _OTHERS),
                **self._row(connection, _LOCKED, key >> 32, key & 0xFFFF_FFFF),
            }
        view = view_of(home_of(self._address, id_), id_)
        return DatabaseStatus(
            store=STORE,
            location=self.location,
            schema_version=version,
            newest_schema_version=schema.SCHEMA_VERSION,
            ledger_id=id_,
            view_path=view[0] if view else None,
            view_position=view[1] if view else None,
            view_lag=found["last_position"] - view[1] if view else None,
            warnings=tuple(_warnings(found)),
            **found,
        )

    def _require_log(self, version: int) -> None:
        """Raises StorageError when there is none, or a newer one."""
        if version == 0:
            raise StorageError(f"{self.location}: there is no log here; `redrive db init` makes one")
        if version > schema.SCHEMA_VERSION:
            raise StorageError(
                f"{self.location}: the log has schema {version}, this redrive knows {schema.SCHEMA_VERSION}: "
                "install a newer redrive"
            )

    def _require_role(self, connection: PostgresConnection) -> None:
        """Raises InvalidValue, before anything is made, when there is no role to grant to."""
        known = "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = ?)"
        if self._role is not None and not connection.execute(known, (self._role,)).fetchone()[0]:
            raise InvalidValue("--role", self._role, "a role that exists: CREATE ROLE makes one")

    def _grant(self, connection: PostgresConnection, role: str) -> None:
        """Grant, and look whether it came to pass: a server only warns those who have nothing to grant."""
        try:
            connection.raw.execute(grants(self._schema, role, archiving=self._archiving).encode())
        except psycopg.Error as error:
            raise fault_of(error) from error
        lacking = [
            f"{privilege} on {table}"
            for table, privilege in privileges(archiving=self._archiving)
            if not self._has(connection, role, table, privilege)
        ]
        if lacking:
            raise StorageError(
                f"{self.location}: role {role} still lacks {', '.join(lacking)}: the owner of the tables grants it"
            )

    def _has(self, connection: PostgresConnection, role: str, table: str, privilege: str) -> bool:
        name, column, _ = privilege.partition(" (")
        row = connection.raw.execute(_LACKS[bool(column)], (role, f"{self._schema}.{table}", name)).fetchone()
        return bool(row and row[0])

    def _row(self, connection: PostgresConnection, query: str, *values: object) -> dict[str, Any]:
        try:
            with connection.raw.cursor(row_factory=dict_row) as cursor:
                row = cursor.execute(query.encode(), values or ()).fetchone()
        except psycopg.Error as error:
            raise fault_of(error) from error
        assert row is not None
        return row

    @contextmanager
    def _connected(self, options: str = "") -> Iterator[PostgresConnection]:
        with storage_errors(self.location), awaited(lambda: self._connection(options), self._connect_timeout_ms) as raw:
            yield PostgresConnection(raw)

    def _connection(self, options: str) -> "psycopg.Connection[Any]":
        patience_ms = self._busy_timeout_ms
        try:
            return connect(self._address, busy_timeout_ms=patience_ms, application="redrive db", options=options)
        except psycopg.Error as error:
            raise fault_of(error) from error


def _warnings(found: dict[str, Any]) -> Iterator[str]:
    if not found["fsync"]:
        yield "fsync is off: a crash of the server's machine may damage the whole database"
    if not found["full_page_writes"]:
        yield "full_page_writes is off: a crash of the server's machine may damage pages"
    if found["standby"]:
        yield "this server is a standby: nothing can be written here"
    if (age := found["oldest_transaction_ms"]) is not None and age >= LONG_TRANSACTION_MS:
        yield f"a transaction has been open for {age // 1_000} s: what is deleted meanwhile keeps its room"
    if found["connections"] >= found["max_connections"] * 9 // 10:
        yield "nine of ten connections that the server gives are in use"
