"""Conditions over aggregates, ``(SELECT count(*) FROM runs WHERE status = 'running') <= 100``: taken to pieces, where
each is of one table and no more than a count, a sum, the greatest or the least."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from redrive.forensics.invariants.invariant import AGGREGATES, BY_ROW, NOT_BY_ROW, WINDOW, Word, words_of
from redrive.projections.tables import Table

_KEPT = frozenset({"count", "sum", "max", "min"})
_VARIABLES = frozenset("?:@$")


class Aggregate(NamedTuple):
    """One aggregate: its *function*, the *table* and what the query calls it, and what a row *gives* to it, as SQL:
    NULL for a row that gives nothing, 1 for each that is counted."""

    function: str
    table: Table
    alias: str
    gives: str


class Condition(NamedTuple):
    """A condition, with ``?1``, ``?2`` … where its *aggregates* stood."""

    sql: str
    aggregates: tuple[Aggregate, ...]


def aggregated(sql: str) -> Condition | None:
    """*sql* as a condition over aggregates; None when it is none, or when it takes more than a look to see it."""
    words = words_of(sql)
    texts = [word.text for word in words]
    if not texts or texts[0] in ("select", "with") or _VARIABLES & {*texts}:
        return None
    found, rest, done, at = list[Aggregate](), "", 0, 0
    while at < len(words) - 1:
        if texts[at] == "(" and texts[at + 1] == "select":
            end = _closing(texts, at)
            one = None if end is None else _aggregate(sql, words[at + 1 : end])
            if end is None or one is None:
                return None
            found.append(one)
            rest += f"{sql[done : words[at].begin]} ?{len(found)} "
            done, at = words[end].end, end
        at += 1
    return Condition(rest + sql[done:], tuple(found)) if found else None


def _aggregate(sql: str, words: Sequence[Word]) -> Aggregate | None:
    """``SELECT function(what) FROM table [AS alias] [WHERE condition]``."""
    texts = [word.text for word in words]
    end = _closing(texts, 2) if len(texts) > 2 and texts[2] == "(" else None
    if texts[1:2] == [] or texts[1] not in _KEPT or end is None or end < 4 or texts[end + 1 : end + 2] != ["from"]:
        return None
    where = texts.index("where", end) if "where" in texts[end:] else len(texts)
    named = [word for word in words[end + 2 : where] if word.text != "as"]
    table = BY_ROW.get(named[0].text.strip('"`[]')) if 1 <= len(named) <= 2 else None
    what, condition = words[3:end], words[where + 1 :]
    if table is None or _is_more_than_a_row(what) or _is_more_than_a_row(condition):
        return None
    holds = _text(sql, condition) if condition else "1"
    alias = sql[named[-1].begin : named[-1].end]
    if [word.text for word in what] == ["*"]:
        return Aggregate("count", table, alias, f"CASE WHEN ({holds}) THEN 1 END") if texts[1] == "count" else None
    value = _text(sql, what)
    if texts[1] == "count":
        return Aggregate("count", table, alias, f"CASE WHEN ({holds}) AND ({value}) IS NOT NULL THEN 1 END")
    return Aggregate(texts[1], table, alias, f"CASE WHEN ({holds}) THEN ({value}) END")


def _is_more_than_a_row(words: Sequence[Word]) -> bool:
    texts = [word.text for word in words]
    calls = {name for name, after in pairwise(texts) if after == "("}
    return bool({*texts} & NOT_BY_ROW or calls & (AGGREGATES | WINDOW))


def _text(sql: str, words: Sequence[Word]) -> str:
    return sql[words[0].begin : words[-1].end]


def _closing(texts: Sequence[str], begin: int) -> int | None:
    """Where the parenthesis is closed that opens at *begin*."""
    depth = 0
    for at in range(begin, len(texts)):
        depth += (texts[at] == "(") - (texts[at] == ")")
        if depth == 0:
            return at
    return None
