"""Claims that do not meet: who decides about a run that is due holds an advisory lock on it, and others who claim pass
it over.

The lock is tried for, never waited for, and ends with the transaction in which the decision is made: with its commit,
with the connection of who crashed. Only claims ask for it, so that it holds up no other command; who wins a run is
still decided by the check at the commit. Unlike a row lock it writes nothing, and cannot deadlock with who writes the
row under the write lock.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from redrive.domain.identity import Tenant
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
    f"SELECT {_ROW}, set_config('redrive.taken', subject, true) IS NULL FROM untaken "
    f"UNION ALL (SELECT {_ROW}, true FROM line "
    "WHERE (SELECT count(*) FROM untaken) < ? AND subject NOT IN (SELECT subject FROM untaken) LIMIT 1)"
)
"""A line is read only as far as it is needed: rows are locked one after the other until there are enough. When there
are not, one more row tells that others hold some. The last one that was locked is remembered for ``TAKEN``."""

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


def untaken(
    tenant: Tenant | None,
    groups: Sequence[tuple[str, str]] | None,
    now_ms: int,
    limit: int,
    after: tuple[int, int],
) -> "Statement":
    """What finds and locks up to *limit* due runs of a tenant (None: of all), or of *groups* of tenant and handler,
    beyond *after*; a row ends with false, or with true where others hold it."""
    due, deep = (now_ms, *after), limit * DEEP
    rest = limit, limit
    if groups is not None:
        owners, handlers = [owner for owner, _ in groups], [handler for _, handler in groups]
        return _UNTAKEN.format(_OF_GROUPS), (owners, handlers, *due, deep, deep, *rest)
    if tenant is None:
        return _UNTAKEN.format(_OF_ALL), (*due, deep, *rest)
    return _UNTAKEN.format(_OF_TENANT), (*due, str(tenant), deep, *rest)
