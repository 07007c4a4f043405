"""Connecting to a log's server: the same way for who writes, who reads, and who looks after the database."""

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from redrive.ledger.postgres.address import Address

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
