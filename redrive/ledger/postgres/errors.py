"""PostgreSQL's errors, said so that an operator knows what to do."""

import psycopg
from psycopg import errors

from redrive.ledger.storage_errors import DatabaseFault, LogMoved

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
    (psycopg.OperationalError, "the server cannot be reached, or ended the connection; try again"),
)

_REFUSED = (
    ("password", "the server does not let this user in: is the password right?"),
    ("pg_hba.conf", "the server does not let this user in from here"),
    ('role "', "the server does not know this user"),
    ('database "', "there is no such database on the server; CREATE DATABASE makes one"),
    ("too many", "the server has no connection left; use fewer processes, or raise max_connections"),
)
"""Who is not let in is told no code, only a text: these words of it, where the server speaks English."""


def fault_of(error: psycopg.Error) -> DatabaseFault:
    """*error* as the ledger knows it."""
    if isinstance(error, errors.DivisionByZero):  # the one that a transaction asks for, see the recorder
        return LogMoved("others wrote meanwhile to what this rests on")
    sentence = next((said for kind, said in _SENTENCES if isinstance(error, kind)), "the database refused")
    if type(error) is psycopg.OperationalError and "no password supplied" in str(error):
        sentence = "the server asks for a password: give it in PGPASSWORD, or in ~/.pgpass"
    elif type(error) is psycopg.OperationalError and "FATAL:" in str(error):
        told = str(error).partition("FATAL:")[2]
        sentence = next((said for words, said in _REFUSED if words in told), sentence)
    return DatabaseFault(f"{sentence} ({' '.join(str(error).split())})")
