"""Claims and sweeps that do not meet: who decides about a run that is due, or whose dead letters are, holds an advisory
lock on it, and others who do the same pass it over.

The lock is tried for, never waited for. That of a claim ends with the transaction in which the decision is made, that
of a sweep with its page; each with the connection of who crashed. Only claims and only sweeps ask for theirs, so that
it holds up no other command; who wins a run is still decided by the check at the commit. Unlike a row lock it writes
nothing, and cannot deadlock with who writes the row under the write lock.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from redrive.domain.identity import Tenant
from redrive.domain.ports import START, DueKey
from redrive.ledger.recorder import COLUMNS

if TYPE_CHECKING:
    from redrive.ledger.postgres.pipeline import Statement

MOST_TAKEN = 200
"""Runs of one claim that are locked: all processes share a few thousand places for locks on the server."""

DEEP = 16  # how far beyond those that others decide about a claim looks
_ROW = "subject, tenant, due_ms, run, holder, created"
_DUE = "due_ms <= ? AND (due_ms, created) > (?, ?)"
_ORDER = "ORDER BY due_ms, created LIMIT ?"
_EACH = "SELECT DISTINCT ON (due_ms, created)"  # a run has a row for each handler that can go on with it
_OF_ALL = f"{_EACH} {_ROW} FROM agenda WHERE kind = 'run' AND {_DUE} {_ORDER}"
_OF_TENANT = f"{_EACH} {_ROW} FROM agenda WHERE kind = 'run' AND {_DUE} AND tenant = ? {_ORDER}"
_OF_GROUPS = (
    f"{_EACH} one.* FROM unnest(?::text[], ?::text[]) AS g (owner, handler), LATERAL (SELECT {_ROW} FROM agenda "
    f"WHERE kind = 'run' AND tenant = g.owner AND needs = g.handler AND {_DUE} {_ORDER}) AS one {_ORDER}"
)
_UNTAKEN = (
    "WITH line AS MATERIALIZED ({}), untaken AS MATERIALIZED ("
    "SELECT * FROM line WHERE pg_try_advisory_xact_lock(hashtextextended(subject, 0)) LIMIT ?) "
    f"SELECT {_ROW}, {{}} IS NULL FROM untaken "
    f"UNION ALL (SELECT {_ROW}, true FROM line "
    "WHERE (SELECT count(*) FROM untaken) < ? AND subject NOT IN (SELECT subject FROM untaken) LIMIT 1)"
)
"""A line is read only as far as it is needed: rows are locked one after the other until there are enough. When there
are not, one more row tells that others hold some. What is remembered is for ``TAKEN`` or ``SINCE``."""
_REMEMBER_TAKEN = "set_config('redrive.taken', subject, true)"
_REMEMBER_LOOKED = "set_config('redrive.looked', (SELECT max(position) FROM events)::text, true)"
_LOOKED = "nullif(current_setting('redrive.looked', true), '')::bigint"
SINCE: "Statement" = f"SELECT array_agg(DISTINCT originator_id) FROM events WHERE position > {_LOOKED}", ()
"""The streams that were written to after several were looked for: who held a lock then may have claimed."""
_PREFERRED = (
    "SELECT * FROM (SELECT *, row_number() OVER (ORDER BY due_ms, created) AS place FROM ({}) AS oldest) AS near "
    "ORDER BY place > ? AND subject NOT IN (SELECT unnest(?::text[])), place"
)
"""The line, near its head: the very oldest, then those that are preferred, then the others."""
NEAR = 8  # how many times as many as are wanted are near the head
OLDEST = 16  # of so many that are claimed together, one is the oldest there is

MOST_ALONG = 64
_TAKEN = "current_setting('redrive.taken', true)"
_READ = (
    f"SELECT {COLUMNS} FROM ({{}} (SELECT subject AS stream FROM agenda WHERE kind = 'dead_letter' AND run {{}})) AS w "
    f"JOIN events ON originator_id = stream WHERE {MOST_ALONG} >= (SELECT originator_version FROM events AS head "
    "WHERE head.originator_id = stream ORDER BY head.originator_version DESC LIMIT 1) ORDER BY 2, 3"
)
TAKEN: "Statement" = _READ.format(f"SELECT {_TAKEN} AS stream UNION ALL", f"= {_TAKEN} LIMIT 16"), ()
"""The events of a run that was locked, and of its dead letters on the agenda; of a stream that has many, none."""
LETTERS = _READ.format("", "= ANY (?::text[])")
"""Those of the dead letters of several runs."""

_KEPT = f"SELECT {_ROW}, pg_try_advisory_lock(hashtextextended(run, 1)) FROM ({{}} {_ORDER}) AS line"
_LETTERS_DUE = f"SELECT {_ROW} FROM agenda WHERE kind = 'dead_letter' AND {_DUE}"
_AT_HAND = _LETTERS_DUE.replace("agenda WHERE", "unnest(?::text[]) AS mine JOIN agenda ON subject = mine WHERE")


def untaken(
    tenant: Tenant | None,
    groups: Sequence[tuple[str, str]] | None,
    now_ms: int,
    limit: int,
    after: DueKey,
    preferred: Sequence[str] = (),
) -> "Statement":
    """What finds and locks up to *limit* due runs of a tenant (None: of all), or of *groups* of tenant and handler,
    beyond *after*; a row ends with false, or with true where others hold it. Of several, the oldest sixteenth comes
    first, then those that are *preferred* among the first of the line."""
    line, values = _line(tenant, groups, (now_ms, *after), limit * (NEAR if preferred else DEEP))
    if preferred:
        line, values = _PREFERRED.format(line), (*values, -(-limit // OLDEST), preferred)
    return _UNTAKEN.format(line, _REMEMBER_TAKEN if limit == 1 else _REMEMBER_LOOKED), (*values, limit, limit)


def _line(
    tenant: Tenant | None, groups: Sequence[tuple[str, str]] | None, due: Sequence[int], deep: int
) -> "Statement":
    if groups is not None:
        owners, handlers = [owner for owner, _ in groups], [handler for _, handler in groups]
        return _OF_GROUPS, (owners, handlers, *due, deep, deep)
    if tenant is None:
        return _OF_ALL, (*due, deep)
    return _OF_TENANT, (*due, str(tenant), deep)


def letters(tenant: Tenant | None, now_ms: int, limit: int, after: DueKey, mine: Sequence[str]) -> "Statement":
    """What finds due dead letters and tries to keep their runs from others who sweep: *mine*, or else the first *limit*
    beyond *after*. A row ends with true, or with false where others hold it."""
    line = _AT_HAND if mine else _LETTERS_DUE
    values = (mine, now_ms, *START) if mine else (now_ms, *after)
    if tenant is None:
        return _KEPT.format(line), (*values, limit)
    return _KEPT.format(line + " AND tenant = ?"), (*values, str(tenant), limit)
