"""Where faults are put in: what opens connections to a log in SQLite, and what event ids of a transaction begin with.

In production nobody sets these. The fault simulator (``redrive.faults``) does, in its own context only.
"""

import os
import sqlite3
from collections.abc import Callable
from contextvars import ContextVar


def _random_nonce() -> str:
    return os.urandom(10).hex()


connecting: ContextVar[Callable[..., sqlite3.Connection]] = ContextVar("redrive_connecting", default=sqlite3.connect)
nonces: ContextVar[Callable[[], str]] = ContextVar("redrive_nonces", default=_random_nonce)
