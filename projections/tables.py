"""Tables of a view: their columns once, and from them the schema and the statements of the hot path."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlite_utils import Database

Row = dict[str, Any]
"""A row in memory: its columns in the order of the table."""


@dataclass(frozen=True)
class Table:
    """A table: *columns* with the value that a new row begins with, its *key*, the columns that are *fixed* once the
    row exists (an update leaves them and their indexes alone), and its *indexes*."""

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, Any]
    fixed: frozenset[str] = frozenset()
    indexes: tuple[str, ...] = ()

    def create(self, db: Database) -> None:
        """Create the table, still without its indexes."""
        db.execute(self._create)

    def index(self, db: Database) -> None:
        """Create the indexes: ``a, b``, or partial ones, ``a, b WHERE c``, which sqlite-utils has no word for."""
        for number, index in enumerate(self.indexes):
            columns, where, condition = index.partition(" WHERE ")
            name = f"{self.name}_{number}"
            db.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {self.name} ({columns}){where}{condition}")

    def blank(self) -> Row:
        """A new row."""
        return dict(self.columns)

    def load(self, connection: sqlite3.Connection, column: str, values: Collection[str]) -> list[Row]:
        """The rows whose *column* is one of *values*."""
        query = f"{self._select} WHERE {column} IN (SELECT value FROM json_each(?))"
        names = tuple(self.columns)
        found = connection.execute(query, (json.dumps(list(values)),)).fetchall()
        return [dict(zip(names, row, strict=True)) for row in found]

    def write(self, connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
        """Insert or update *rows*: sqlite-utils takes three times as long, and this is where a fold spends its time."""
        connection.executemany(self._upsert, [tuple(row.values()) for row in rows])

    @cached_property
    def _create(self) -> str:
        """By sqlite-utils, but only once: it takes longer to write this than SQLite to do it, for each new view."""
        types: dict[str, type] = {name: str if value is None else type(value) for name, value in self.columns.items()}
        types |= {name: int for name in types if name.endswith("_ms")}
        pk = self.key[0] if len(self.key) == 1 else self.key
        with closing(Database(memory=True, execute_plugins=False)) as db:
            return str(db.create_table_sql(self.name, types, pk=pk, if_not_exists=True))

    @cached_property
    def _select(self) -> str:
        return f"SELECT {', '.join(self.columns)} FROM {self.name}"

    @cached_property
    def _upsert(self) -> str:
        marks = ", ".join("?" * len(self.columns))
        moving = [name for name in self.columns if name not in self.key and name not in self.fixed]
        sets = ", ".join(f"{name} = excluded.{name}" for name in moving)
        keys = ", ".join(self.key)
        return f"INSERT INTO {self.name} VALUES ({marks}) ON CONFLICT ({keys}) DO UPDATE SET {sets}"
