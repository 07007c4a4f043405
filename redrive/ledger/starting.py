"""A server that is about to be there, as when everything on a machine starts at once: it is waited for."""

import time
from collections.abc import Callable
from time import sleep
from typing import TypeVar

from redrive.domain.errors import StorageError
from redrive.ledger.storage_errors import DatabaseFault, ServerAway
from redrive.projections.logs import log

T = TypeVar("T")
PATIENCE_MS = 5_000
PAUSE_S = 0.1


def awaited(connected: Callable[[], T], timeout_ms: int) -> T:
    """What *connected* returns; while its server is starting, or not there yet, it is called again, for *timeout_ms* at
    most. Raises what it raises."""
    end: float | None = None
    while True:
        try:
            return connected()
        except (StorageError, DatabaseFault) as error:
            if not isinstance(error, ServerAway) and not isinstance(error.__cause__, ServerAway):
                raise
            if end is None:
                end = time.monotonic() + timeout_ms / 1_000
                log.info("server.awaited", error=str(error))
            if time.monotonic() >= end:
                raise
        sleep(PAUSE_S)
