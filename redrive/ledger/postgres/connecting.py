"""Connecting to a log's server: the same way for who writes, who reads, and who looks after the database."""

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from redrive.ledger.postgres.address import Address
from redrive.ledger.postgres.errors import fault_of
from redrive.ledger.postgres.pipeline import Pipeline
from redrive.ledger.postgres.values import loaded

_IDLE = "-c idle_in_transaction_session_timeout=60s"
_READING = "-c default_transaction_read_only=on"
_WRITING = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"  # the same statements for ever, by an index
_FIRST = (("SHOW synchronous_commit", ()), ("SET synchronous_commit = off", ()))
_PATIENCE = {"tcp_user_timeout": 30_000, "keepalives_idle": 30}  # a server that is gone without a word


def connect(
    address: Address, *, busy_timeout_ms: int, application: str, options: str = ""
) -> "psycopg.Connection[Any]":
    """A connection in autocommit mode, with the log's schema before it. What the URL says of options and of patience
    holds; *options* comes after it. Raises psycopg.Error."""
    given: dict[str, Any] = conninfo_to_dict(address.conninfo)
    patience: dict[str, Any] = {name: value for name, value in _PATIENCE.items() if name not in given}
    own = f"-c search_path={address.schema} -c lock_timeout={max(1, busy_timeout_ms)}"
    return psycopg.connect(
        address.conninfo,
        autocommit=True,
        options=f"{given.get('options', '')} {own} {options}",
        application_name=application,
        connect_timeout=max(2, busy_timeout_ms // 1000),
        client_encoding="UTF8",
        **patience,
    )


def session(address: Address, *, busy_timeout_ms: int, reading: bool = False) -> "tuple[psycopg.Connection[Any], str]":
    """A connection of one who writes to the log, or only reads it, and how durable the server makes what is told to be
    durable. Its commits wait for nothing: who writes asks for the flush. Raises DatabaseFault."""
    raw: psycopg.Connection[Any] | None = None
    try:
        raw = connect(
            address,
            busy_timeout_ms=busy_timeout_ms,
            application="redrive reading" if reading else "redrive",
            options=f"{_IDLE} {_READING if reading else _WRITING}",
        )
        asked = Pipeline(raw, b"redrive_first").run(_FIRST)  # the driver would wait for ever
        configured = str(loaded(asked[0], raw)[0][0])
    except BaseException as error:
        if raw is not None:
            raw.close()
        if isinstance(error, psycopg.Error):
            raise fault_of(error) from error
        raise
    return raw, "on" if configured == "off" else configured  # who is told "done" relies on it
