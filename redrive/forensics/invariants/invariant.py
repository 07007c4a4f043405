"""Invariants: what must hold of the views at every position, as SQL.

A text that begins with SELECT or WITH asks for the rows that violate it; any other is an expression that must be true
(like a CHECK, it holds also where it is NULL). It may read the tables of the views, and call functions that give the
same for the same; everything else is refused before it runs. A query that takes longer than five seconds is ended.

A *row invariant* is a SELECT from one table with nothing but a WHERE: whether it holds can be told row by row.
"""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from time import monotonic
from typing import Any, NamedTuple

from redrive.domain.errors import InvalidValue
from redrive.domain.values import clean_text
from redrive.projections.compensations import COMPENSATIONS
from redrive.projections.dead_letters import DEAD_LETTERS
from redrive.projections.effects import EFFECTS
from redrive.projections.fold import TABLES
from redrive.projections.queues import RUNS
from redrive.projections.tables import Table

MOST_CHARS = 20_000
MOST_SECONDS = 5.0
MOST_BYTES = 4_194_304
"""Of one value: no function is asked for more, because nothing ends one that is at work."""
SAMPLE = 3

BY_ROW: dict[str, Table] = {table.name: table for table in (RUNS, DEAD_LETTERS, EFFECTS, COMPENSATIONS)}
_READABLE = frozenset(table.name for table in TABLES)
_AGGREGATE_NAMES = "avg count group_concat json_group_array json_group_object max min string_agg sum total"
_SCALAR_NAMES = (
    "abs char coalesce concat concat_ws glob hex iif if ifnull instr json json_array json_array_length "
    "json_extract json_object json_quote json_type json_valid -> ->> length like likelihood likely lower "
    "ltrim nullif octet_length quote replace round rtrim sign substr substring trim typeof unhex unicode "
    "unlikely upper"
)
_WINDOW_NAMES = "row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value"
_MORE_THAN_ROWS = (
    "select from join left right full cross inner outer natural using on union except intersect exists with group "
    "having order limit offset over window filter distinct values indexed collate match regexp rowid oid _rowid_ "
    "returning , ;"
)
_AGGREGATES, _WINDOW = frozenset(_AGGREGATE_NAMES.split()), frozenset(_WINDOW_NAMES.split())
_NOT_BY_ROW = frozenset(_MORE_THAN_ROWS.split())
_FUNCTIONS = _AGGREGATES | _WINDOW | frozenset(_SCALAR_NAMES.split())
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE})
_TOKEN = re.compile(
    r"""\s+|--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|\w+|.""", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that must hold: *sql*, under a *name* where it has one. *settled*: not amid the events that one command
    appended together, only where they end."""

    sql: str
    name: str | None = None
    meaning: str = ""
    settled: bool = False


class ByRow(NamedTuple):
    """A row invariant: the *table*, what the query calls it, and the condition under which a row violates it."""

    table: Table
    alias: str
    condition: str


def checked(text: str) -> str:
    """*text*, when it can be an invariant at all. Raises InvalidValue."""
    sql = clean_text(text, "invariant", most=MOST_CHARS, blank=False).strip().rstrip(";").strip()
    if not sql or "\x00" in sql:
        raise InvalidValue("invariant", text, "SQL over the views: a SELECT of what violates it, or a condition")
    return sql


def is_query(sql: str) -> bool:
    """Whether *sql* asks for what violates it, rather than saying what must be true."""
    words = words_of(sql)
    return bool(words) and words[0].text in ("select", "with")


def by_row(sql: str) -> ByRow | None:
    """*sql* as a row invariant; None when it is none, or when it takes more than a look to see it."""
    words = words_of(sql)
    texts = [word.text for word in words]
    if not texts or texts[0] != "select" or texts.count("select") != 1 or texts.count("from") != 1:
        return None
    begin = texts.index("from")
    end = texts.index("where") if "where" in texts else len(texts)
    source = source_of(sql, words[begin + 1 : end])
    said = [text for text in (*texts[1:begin], *texts[end + 1 :]) if text != ","]
    if source is None or is_more_than_a_row(said) or end < begin:
        return None
    return ByRow(*source, sql[words[end].end :] if end < len(texts) else "1")


class Word(NamedTuple):
    """A token of SQL, in lower case, and where it stands."""

    text: str
    begin: int
    end: int


def words_of(sql: str) -> list[Word]:
    """The tokens of *sql*, without comments and white space."""
    found = (Word(match.group().lower(), *match.span()) for match in _TOKEN.finditer(sql))
    return [word for word in found if not word.text.isspace() and not word.text.startswith(("--", "/*"))]


def source_of(sql: str, words: Sequence[Word]) -> tuple[Table, str] | None:
    """The table of ``table [AS alias]``, and what the query calls it; None for anything else."""
    named = [word for word in words if word.text != "as"]
    table = BY_ROW.get(named[0].text.strip('"`[]')) if 1 <= len(named) <= 2 else None
    return None if table is None else (table, sql[named[-1].begin : named[-1].end])


def is_more_than_a_row(texts: Sequence[str]) -> bool:
    """Whether these tokens ask for more than what a row holds."""
    calls = {name for name, after in pairwise(texts) if after == "("}
    return bool({*texts} & _NOT_BY_ROW or calls & (_AGGREGATES | _WINDOW))


class Guard:
    """Runs invariants on *connection*: what may be read, for how long, and what it was that they read."""

    def __init__(self, connection: sqlite3.Connection, sql: str) -> None:
        self._connection, self._sql = connection, sql
        self._query = sql if is_query(sql) else f"SELECT ({sql}\n) AS holds"
        self._asks = is_query(sql)
        self._guards, self._deadline = False, 0.0
        self._reads: dict[str, set[str]] = {}
        self._learned = count()
        names = connection.execute("SELECT name FROM sqlite_master")
        self._others = {name for (name,) in names} - _READABLE
        connection.set_authorizer(self._authorize)
        connection.set_progress_handler(self._is_late, 20_000)

    def reads(self, query: str | None = None, values: Sequence[Any] = ()) -> dict[str, set[str]]:
        """The tables and columns that a query reads (default: the invariant); it is asked once. Raises InvalidValue."""
        self._reads = {}
        anew = f"{query or self._query}\n/* {next(self._learned)} */"  # compiled, whatever was cached
        self.ask(anew, values, 1)
        return self._reads

    def is_violated(self, query: str | None = None, values: Sequence[Any] = ()) -> bool:
        """Whether it is violated as the views stand, or by *query*, which says the same of *values*. Raises
        InvalidValue."""
        rows = self.ask(query or self._query, values, 1)
        return bool(rows) if self._asks else bool(rows) and rows[0][0] is not None and not _is_true(rows[0][0])

    def sample(self) -> tuple[dict[str, Any], ...]:
        """A few of the rows that violate it."""
        if not self._asks:
            return ()
        names: list[str] = []
        rows = self.ask(self._query, (), SAMPLE, names)
        return tuple({name: _shown(value) for name, value in zip(names, row, strict=True)} for row in rows)

    def ask(
        self, query: str, values: Sequence[Any], most: int, names: list[str] | None = None
    ) -> list[tuple[Any, ...]]:
        """At most *most* rows of a query, which may do nothing but read. Raises InvalidValue."""
        self._guards, self._deadline = True, monotonic() + MOST_SECONDS
        most_bytes = self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
        try:
            cursor = self._connection.execute(query, values)
            if names is not None:
                names += [column[0] for column in cursor.description or ()]
            rows = cursor.fetchmany(most)
            cursor.close()
        except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
            late = monotonic() > self._deadline
            in_time = f"a query that answers within {MOST_SECONDS:g} s"
            accepted = in_time if late else f"SQL that only reads the views ({error})"
            raise InvalidValue("invariant", self._sql, accepted) from None
        finally:
            self._guards = False
            self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, most_bytes)
        return rows

    def _is_table(self, name: str | None) -> bool:
        return name is None or name.startswith("sqlite_") or name in self._others

    def _is_late(self) -> bool:
        return self._guards and monotonic() > self._deadline

    def _authorize(self, action: int, one: str | None, two: str | None, *_where: str | None) -> int:
        if not self._guards:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            if one not in _READABLE:  # of what the query itself defines, "no column" is read where rows are counted
                return sqlite3.SQLITE_DENY if two or self._is_table(one) else sqlite3.SQLITE_OK
            self._reads.setdefault(one, set()).add(two or "")
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_OK if (two or "").lower() in _FUNCTIONS else sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _is_true(value: object) -> bool:
    """As SQLite has it: a number other than 0, or a text that begins with one."""
    if isinstance(value, (int, float)):
        return value != 0
    found = re.match(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", value) if isinstance(value, str) else None
    return found is not None and float(found.group()) != 0


def _shown(value: object) -> object:
    return value if value is None or isinstance(value, (int, float, str)) else repr(value)
