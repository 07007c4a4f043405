"""PostgreSQL's errors, said so that an operator knows what to do."""

import psycopg
from psycopg import errors

from redrive.ledger.storage_errors import DatabaseFault, LogMoved, ServerAway

_AWAY = "the server cannot be reached, or ended the connection; try again"
_STARTING = "the database system is"  # starting up, shutting down, not yet accepting connections, in recovery mode
_SENTENCES: tuple[tuple[type[psycopg.Error] | tuple[type[psycopg.Error], ...], str], ...] = (
    (errors.DiskFull, "the server's disk is full: nothing was written; free space and try again"),
    (errors.LockNotAvailable, "another process holds the write lock for too long; try again"),
    (errors.QueryCanceled, "a statement_timeout of this role or database, or an operator, ended it; raise the timeout"),
    (errors.ReadOnlySqlTransaction, "the server takes no writes: is it a standby?"),
    (errors.InsufficientPrivilege, "this role may not do that; see `redrive db init`"),
    ((errors.UndefinedTable, errors.InvalidSchemaName), "there is no log here (any more); `redrive db init` makes one"),
    (errors.TooManyConnections, "the server has no connection left; use fewer processes, or raise max_connections"),
    ((errors.DataCorrupted, errors.IndexCorrupted), "the server's data is damaged; restore a backup"),
    (errors.IdleInTransactionSessionTimeout, "a transaction was idle for too long, and the server ended it"),
    (errors.UniqueViolation, "a row is there already that this process was about to write; try again"),
    (errors.InvalidAuthorizationSpecification, "the server does not let this user in"),
    (errors.InvalidCatalogName, "there is no such database on the server; CREATE DATABASE makes one"),
    (psycopg.OperationalError, _AWAY),
)

_REFUSED = (
    ("password", "the server does not let this user in: is the password right?"),
    ("pg_hba.conf", "the server does not let this user in from here"),
    ('role "', "the server does not know this user"),
    ('database "', "there is no such database on the server; CREATE DATABASE makes one"),
    (_STARTING, "the server is starting or stopping; try again"),
    ("too many", "the server has no connection left; use fewer processes, or raise max_connections"),
)
"""Who is not let in is told no code, only a text: these words of it, where the server speaks English."""


def fault_of(error: psycopg.Error) -> DatabaseFault:
    """*error* as the ledger knows it."""
    if isinstance(error, errors.DivisionByZero):  # the one that a transaction asks for, see the recorder
        return LogMoved("others wrote meanwhile to what this rests on")
    told = " ".join(str(error).split())
    if type(error) is psycopg.OperationalError:
        return _not_connected(told)
    sentence = next((said for kind, said in _SENTENCES if isinstance(error, kind)), "the database refused")
    return DatabaseFault(f"{sentence} ({told})")


def _not_connected(told: str) -> DatabaseFault:
    """Why there is no connection, which only the text tells."""
    if "no password supplied" in told:
        return DatabaseFault(f"the server asks for a password: give it in PGPASSWORD, or in ~/.pgpass ({told})")
    _, fatal, why = told.partition("FATAL:")
    sentence = next((said for words, said in _REFUSED if words in why), _AWAY)
    kind = ServerAway if _STARTING in why or (not fatal and "resolve host" not in told) else DatabaseFault
    return kind(f"{sentence} ({told})")
