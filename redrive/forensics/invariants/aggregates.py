"""Conditions over aggregates, ``(SELECT count(*) FROM runs WHERE status = 'running') <= 100``: taken to pieces, where
each is of one table and no more than a count, a sum, the greatest or the least."""

from collections.abc import Sequence
from typing import NamedTuple

from redrive.forensics.invariants.invariant import Word, is_more_than_a_row, source_of, words_of
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
    source = source_of(sql, words[end + 2 : where])
    if source is None or is_more_than_a_row(texts[3:end]) or is_more_than_a_row(texts[where + 1 :]):
        return None
    function, condition, value = texts[1], words[where + 1 :], _text(sql, words[3:end])
    holds = _text(sql, condition) if condition else "1"
    if value == "*":
        return Aggregate("count", *source, f"CASE WHEN ({holds}) THEN 1 END") if function == "count" else None
    if function == "count":
        return Aggregate("count", *source, f"CASE WHEN ({holds}) AND ({value}) IS NOT NULL THEN 1 END")
    return Aggregate(function, *source, f"CASE WHEN ({holds}) THEN ({value}) END")


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
