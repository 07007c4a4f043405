"""A schema of a simulation's own, on a server: made anew for each seed, and gone afterwards."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from redrive.faults.disk import LEDGER_ID, REBUILT, VIEW, blank
from redrive.faults.kinds import ON_SERVERS
from redrive.faults.server import through, untouched
from redrive.ledger.postgres.address import address_of
from redrive.ledger.postgres.connection import PostgresConnection
from redrive.ledger.postgres.errors import fault_of
from redrive.ledger.postgres.schema import create
from redrive.ledger.storage_errors import storage_errors

PREFIX = "redrive_simulation_"
MOST_WRITERS = 16
"""Each has two connections; a server has a hundred, mostly."""
WAIT_MS = 250
"""Longer than the server itself locks its catalogue when it tidies up."""
_RESTING = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(?) AND relkind = 'r' ORDER BY 1"


class Schema(NamedTuple):
    """Where the simulations of one process may make logs."""

    location: str
    name: str
    label: str
    owner: PostgresConnection

    def clear(self) -> None:
        """Drop it, with what is in it."""
        with storage_errors(self.label):
            self.owner.script(f'DROP SCHEMA IF EXISTS "{self.name}" CASCADE')

    def renew(self) -> None:
        """An empty log. Nothing tidies its tables up meanwhile: that takes locks, when it likes."""
        self.clear()
        with storage_errors(self.label):
            create(self.owner, self.name, self.label)
            self.owner.execute("UPDATE meta SET value = ? WHERE name = 'ledger_id'", (LEDGER_ID,))
            tables = [row[0] for row in self.owner.execute(_RESTING, (self.name,))]
            self.owner.script("; ".join(f"ALTER TABLE {table} SET (autovacuum_enabled = off)" for table in tables))


class SchemaPlace:
    """A log in a schema; views lie in *folder*."""

    kinds, writers, busy_timeout_ms = ON_SERVERS, MOST_WRITERS, WAIT_MS
    through, untouched = staticmethod(through), staticmethod(untouched)

    def __init__(self, schema: Schema, folder: Path) -> None:
        self._schema, self.location = schema, schema.location
        self.view, self.rebuilt = folder / VIEW, folder / REBUILT
        schema.renew()
        for path in (self.view, self.rebuilt):
            path.write_bytes(blank()[1])

    def connect(self) -> PostgresConnection:
        """A connection without faults, for what another program does to the log."""
        return PostgresConnection(_connected(self.location))

    def close(self) -> None:
        """No file stays; the schema does, for the next one."""
        for path in (self.view, self.rebuilt):
            for end in ("", "-wal", "-shm", ".lock"):
                path.with_name(f"{path.name}{end}").unlink(missing_ok=True)


@contextmanager
def schema_on(server: str) -> Iterator[Schema]:
    """A schema with a name of its own in the database that *server* names; the schema that a URL may name is left
    alone. Raises InvalidValue, StorageError."""
    address = address_of(server)
    name = f"{PREFIX}{os.urandom(5).hex()}"
    location = f"{address.conninfo}{'&' if '?' in address.conninfo else '?'}schema={name}"
    with storage_errors(address.label):
        owner = PostgresConnection(_connected(location))
    schema = Schema(location, name, address.label, owner)
    try:
        yield schema
    finally:
        schema.clear()
        owner.close()


def _connected(location: str) -> "psycopg.Connection[Any]":
    address = address_of(location)
    try:
        return psycopg.connect(
            address.conninfo, autocommit=True, options=f"-c search_path={address.schema} -c lock_timeout=10s"
        )
    except psycopg.Error as error:
        raise fault_of(error) from error
