"""The fold: events into rows. A batch loads the rows it touches once, changes them in memory, writes each once."""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from redrive.domain.dead_letter.events import DeadLetterOpened
from redrive.domain.event import CATALOGUE, Recorded, UnknownEvent
from redrive.domain.records import FlowRegistered
from redrive.domain.run.events import RunCancelled, RunRequeued, RunSubmitted
from redrive.projections import compensations, counts, dead_letters, effects, lifecycle, queues
from redrive.projections.approvals import APPROVALS
from redrive.projections.batch import Batch
from redrive.projections.compensations import COMPENSATIONS
from redrive.projections.counts import COUNTS, UNKNOWN
from redrive.projections.dead_letters import DEAD_LETTERS
from redrive.projections.effects import EFFECTS
from redrive.projections.graphs import FLOWS
from redrive.projections.lifecycle import MENTIONS, SAYS, TEXTS
from redrive.projections.queues import BACKOFFS, RUNS
from redrive.projections.tables import Row, Table

TABLES: tuple[Table, ...] = (
    RUNS, BACKOFFS, APPROVALS, FLOWS, DEAD_LETTERS, EFFECTS, COMPENSATIONS, TEXTS, MENTIONS, COUNTS, UNKNOWN,
)  # fmt: skip

Says = Callable[[Any], str] | None
Plan = tuple[Callable[[Batch, Row, Any, int], None] | None, Callable[[Batch, Row, Any, Recorded], None] | None, Says]

_RUN_FOLDS, _LETTER_FOLDS = queues.folds.by_class, dead_letters.folds.by_class
_PLANS: dict[type, Plan] = {
    cls: (_RUN_FOLDS.get(cls), _LETTER_FOLDS.get(cls), SAYS.get(cls)) for cls in CATALOGUE.values()
}
"""What to do with an event of each class: one look-up, for this is where a rebuild spends its time."""
_NOTHING: Plan = (None, None, None)
_LETTER_CLASSES = frozenset(_LETTER_FOLDS)
_EFFECT_FOLDS, _COMPENSATION_FOLDS = effects.folds.by_class, compensations.folds.by_class
_OTHER_CLASSES = frozenset({*_EFFECT_FOLDS, *_COMPENSATION_FOLDS})
_NEEDS_WAITING = frozenset({RunRequeued, RunCancelled})


def create(connection: sqlite3.Connection) -> None:
    """Create the tables that a fold needs, without the indexes that only queries need."""
    db = Database(connection, execute_plugins=False)
    lifecycle.create(db)
    for table in TABLES:
        table.create(db)


def index(connection: sqlite3.Connection) -> None:
    """Create the indexes: after a rebuild, which is faster without them."""
    db = Database(connection, execute_plugins=False)
    for table in TABLES:
        table.index(db)


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """Names this code: a view that other code folded, or code that knew other events, is not used."""
    digest = hashlib.sha256(json.dumps(sorted(CATALOGUE)).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    for table in TABLES:
        digest.update(repr((table.name, table.key, table.columns, table.indexes)).encode())
    return digest.hexdigest()[:32]


def fold(batch: Batch, events: Sequence[Recorded], after: Callable[[Recorded], None] | None = None) -> None:
    """Fold *events*, in log order, into the rows of *batch*; *after* is called when each of them is in the rows."""
    classes: list[type] = [recorded.event.__class__ for recorded in events]
    _count(batch, events, classes)
    _load(batch, events, classes)
    runs, letters, plans = batch.runs, batch.letters, _PLANS
    for recorded, cls in zip(events, classes, strict=True):
        of_run, of_letter, says = plans.get(cls, _NOTHING)
        if of_run is not None:
            row = runs.get(recorded.stream)
            if row is not None and row["readable"]:
                of_run(batch, row, recorded.event, recorded.position)
                row["updated"] = recorded.position
        elif of_letter is not None:
            row = letters.get(recorded.stream)
            if row is not None and row["readable"]:
                of_letter(batch, row, recorded.event, recorded)
                row["updated"], row["updated_at_ms"] = recorded.position, recorded.occurred_at_ms
        else:
            _begin(batch, recorded)
        if says is not None or recorded.reason:
            _listen(batch, recorded, says)
        if after is not None:
            after(recorded)


def write(batch: Batch) -> None:
    """Write every row of *batch*, in the open transaction."""
    connection = batch.connection
    if batch.flows:
        Database(connection, execute_plugins=False).table("flows").insert_all(batch.flows, ignore=True)
    counts.write(batch)
    for row in batch.runs.values():
        row["needs_review"] = queues.needs_review(row)
        row["succeeded_bits"] = f"{row['succeeded_bits']:x}" if row["succeeded_bits"] else ""
    RUNS.write(connection, batch.runs.values())
    DEAD_LETTERS.write(connection, batch.letters.values())
    EFFECTS.write(connection, batch.effects.values())
    COMPENSATIONS.write(connection, batch.compensations.values())
    _write_pending(connection, BACKOFFS, batch.waiting)
    _write_pending(connection, APPROVALS, batch.approvals)
    lifecycle.write(batch)


def _write_pending(connection: sqlite3.Connection, table: Table, pending: dict[str, dict[str, Row | None]]) -> None:
    """Write what is pending, by run and node; None: it is over."""
    over = [(run, node) for run, nodes in pending.items() for node, row in nodes.items() if row is None]
    connection.executemany(f"DELETE FROM {table.name} WHERE run_id = ? AND node = ?", over)
    table.write(connection, [row for nodes in pending.values() for row in nodes.values() if row is not None])


def _count(batch: Batch, events: Sequence[Recorded], classes: Sequence[type]) -> None:
    begin = 0
    for tenant, of_tenant in groupby(map(attrgetter("tenant"), events)):  # equal ones are mostly the same object
        name, end = str(tenant), begin + sum(1 for _ in of_tenant)
        by_class, begin = Counter(classes[begin:end]), end
        for cls, n in by_class.items():
            if cls is not UnknownEvent:
                batch.events[name, cls] += n


def _load(batch: Batch, events: Sequence[Recorded], classes: Sequence[type]) -> None:
    """Load the rows that *events* may touch and that are not in memory yet. A run that begins here has none."""
    present = set(classes)
    if RunSubmitted in present:
        batch.begun |= _streams(events, classes, {RunSubmitted})
    wanted: set[str] = {recorded.correlation for recorded in events} - batch.begun
    letters = _streams(events, classes, _LETTER_CLASSES) if present & _LETTER_CLASSES else set()
    others = _streams(events, classes, _OTHER_CLASSES) if present & _OTHER_CLASSES else set()
    if UnknownEvent in present:
        strange = _streams(events, classes, {UnknownEvent})
        wanted, letters, others = wanted | strange, letters | strange, others | strange
    if new := wanted - batch.seen:
        batch.seen |= new
        for row in RUNS.load(batch.connection, "run_id", new):
            row["succeeded_bits"] = int(row["succeeded_bits"] or "0", 16)
            batch.runs[row["run_id"]] = row
            batch.before[row["run_id"]] = row["status"]
    _load_rows(batch, DEAD_LETTERS, batch.letters, letters)
    _load_rows(batch, EFFECTS, batch.effects, others)
    _load_rows(batch, COMPENSATIONS, batch.compensations, others)
    if present & _NEEDS_WAITING and (runs := _streams(events, classes, _NEEDS_WAITING) - batch.begun):
        for table, pending in ((BACKOFFS, batch.waiting), (APPROVALS, batch.approvals)):
            for row in table.load(batch.connection, "run_id", runs):
                pending.setdefault(row["run_id"], {}).setdefault(row["node"], row)


def _load_rows(batch: Batch, table: Table, rows: dict[str, Row], wanted: set[str]) -> None:
    if new := wanted - rows.keys():
        for row in table.load(batch.connection, "id", new):
            rows[row["id"]] = row
            batch.before[row["id"]] = row["status"]


def _streams(events: Sequence[Recorded], classes: Sequence[type], chosen: Collection[type]) -> set[str]:
    return {recorded.stream for recorded, cls in zip(events, classes, strict=True) if cls in chosen}


def _begin(batch: Batch, recorded: Recorded) -> None:
    event = recorded.event
    if isinstance(event, FlowRegistered):
        batch.learn(event, recorded.position)
    elif isinstance(event, RunSubmitted):
        batch.runs[recorded.stream] = queues.submitted(str(recorded.tenant), event, recorded.position)
        batch.before[recorded.stream] = None
    elif isinstance(event, DeadLetterOpened):
        row = dead_letters.opened(str(recorded.tenant), event, recorded.position)
        row["updated"], row["updated_at_ms"] = recorded.position, recorded.occurred_at_ms
        batch.letters[recorded.stream] = row
        batch.before[recorded.stream] = None
        if (run := batch.runs.get(row["run_id"])) is not None:
            run["open_letters"] += 1
    elif isinstance(event, UnknownEvent):
        _meet_unknown(batch, recorded)
    elif (fold_effect := _EFFECT_FOLDS.get(event.__class__)) is not None:
        _fold_other(batch, recorded, batch.effects, effects.begun, fold_effect)
    elif (fold_compensation := _COMPENSATION_FOLDS.get(event.__class__)) is not None:
        _fold_other(batch, recorded, batch.compensations, compensations.begun, fold_compensation)


def _fold_other(
    batch: Batch,
    recorded: Recorded,
    rows: dict[str, Row],
    begun: Callable[[Recorded], Row | None],
    change: Callable[[Batch, Row, Any, Recorded], None],
) -> None:
    """An event of an effect or a compensation; the first of its stream begins the row."""
    row = rows.get(recorded.stream)
    if row is None and (row := begun(recorded)) is not None:
        rows[recorded.stream] = row
        batch.before[recorded.stream] = None
    if row is not None and row["readable"]:
        change(batch, row, recorded.event, recorded)
        row["updated"], row["updated_at_ms"] = recorded.position, recorded.occurred_at_ms


def _meet_unknown(batch: Batch, recorded: Recorded) -> None:
    """What this code does not understand ends what it can say about the stream: its row stays as it was."""
    values = (recorded.position, recorded.stream, recorded.version, recorded.topic, str(recorded.tenant))
    batch.unknown.append(dict(zip(UNKNOWN.columns, (*values, recorded.correlation), strict=True)))
    for rows in (batch.runs, batch.letters, batch.effects, batch.compensations):
        if (row := rows.get(recorded.stream)) is not None:
            row["readable"] = 0


def _listen(batch: Batch, recorded: Recorded, says: Says) -> None:
    said = "" if says is None else says(recorded.event)
    if recorded.reason:
        said = f"{said}\n{recorded.reason}" if said else recorded.reason
    batch.texts.append((recorded.position, said, recorded.stream, recorded.correlation, str(recorded.tenant)))
