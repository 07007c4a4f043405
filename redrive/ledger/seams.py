"""Where faults are put in: what opens connections to a log in SQLite, or is put around one to a server; what event ids
of a transaction begin with; the time that passes between commits; and for how long a server may say nothing.

In production nobody sets these. The fault simulator (``redrive.faults``) and tests do, in their own context only.
"""

import os
import sqlite3
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any


def _random_nonce() -> str:
    return os.urandom(10).hex()


connecting: ContextVar[Callable[..., sqlite3.Connection]] = ContextVar("redrive_connecting", default=sqlite3.connect)
wrapping: ContextVar[Callable[..., Any] | None] = ContextVar("redrive_wrapping", default=None)
nonces: ContextVar[Callable[[], str]] = ContextVar("redrive_nonces", default=_random_nonce)
ticking: ContextVar[Callable[[], float]] = ContextVar("redrive_ticking", default=time.monotonic)
patience_s: ContextVar[float] = ContextVar("redrive_patience_s", default=120.0)
