"""Whose records a log holds."""

from redrive.domain.identity import Tenant
from redrive.ledger.recorder import LogRecorder
from redrive.ledger.storage_errors import storage_errors

_TENANTS = (
    "SELECT DISTINCT tenant FROM events WHERE position > ? "
    "AND substr(topic, 1, 4) <> 'log.' AND substr(topic, 1, 7) <> 'engine.'"
)


def tenants_in(recorder: LogRecorder, after: int = 0) -> set[Tenant]:
    """The tenants that wrote beyond position *after*; what concerns the log itself (limits, anchors) is nobody's. It
    reads all of that part of the log."""
    with storage_errors(recorder.path):
        return {Tenant.parse(str(row[0])) for row in recorder.reader().execute(_TENANTS, (after,)).fetchall()}
