"""Counts that are kept up to date, for each tenant: events by topic, what has a status by that, and totals."""

from collections import Counter
from collections.abc import Callable

from redrive.domain.run import events as runs
from redrive.projections.batch import Batch
from redrive.projections.tables import Row, Table

COUNTS = Table("counts", ("tenant", "kind", "name"), {"tenant": "", "kind": "", "name": "", "n": 0})
UNKNOWN = Table(
    "unknown_events",
    ("position",),
    {"position": 0, "stream": "", "version": 0, "topic": "", "tenant": "", "run_id": ""},
    indexes=("tenant, position",),
)

_TOTALS = {runs.AttemptStarted.TOPIC: "attempts", runs.ClaimAbandoned.TOPIC: "takeovers"}
_BY_STATUS: tuple[tuple[str, Callable[[Batch], dict[str, Row]]], ...] = (
    ("run", lambda batch: batch.runs),
    ("dead_letter", lambda batch: batch.letters),
    ("effect", lambda batch: batch.effects),
    ("compensation", lambda batch: batch.compensations),
)
_ADD = "INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT (tenant, kind, name) DO UPDATE SET n = n + excluded.n"


def write(batch: Batch) -> None:
    """Add what the batch counted. A count that falls to zero goes, so that the order of batches leaves no trace."""
    changes: Counter[tuple[str, str, str]] = Counter()
    for (tenant, cls), n in batch.events.items():
        topic = cls.TOPIC
        changes[tenant, "event", topic] += n
        if topic in _TOTALS:
            changes[tenant, "total", _TOTALS[topic]] += n
    for (tenant, name), n in batch.totals.items():
        changes[tenant, "total", name] += n
    for row in batch.unknown:
        changes[row["tenant"], "unknown", row["topic"]] += 1
    for kind, rows in _BY_STATUS:
        for id_, row in rows(batch).items():
            before, now = batch.before[id_], row["status"]
            if before != now:
                changes[row["tenant"], kind, now] += 1
                if before is not None:
                    changes[row["tenant"], kind, before] -= 1
    connection = batch.connection
    connection.executemany(_ADD, [(*key, n) for key, n in changes.items() if n])
    if any(n < 0 for n in changes.values()):
        connection.execute("DELETE FROM counts WHERE n = 0")
    UNKNOWN.write(connection, batch.unknown)
