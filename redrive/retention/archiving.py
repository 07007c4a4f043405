"""Archiving: settled records that are old leave their states to an archive; the log keeps everything else.

A chunk at a time, under the log's write lock: judge, append to the archive, have it durable, read it back; then, in one
transaction, note where each state lies, empty it in the log, and say so in an event. A crash in between leaves a state
in the log, and perhaps once more in the archive, where nobody looks for it.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from redrive.domain.compensation.rules import FINAL as FINAL_COMPENSATIONS
from redrive.domain.compensation.state import CompensationState
from redrive.domain.dead_letter.state import DeadLetter
from redrive.domain.effect.state import Effect, EffectStatus
from redrive.domain.errors import StreamUnreadable
from redrive.domain.identity import Principal, RunId, StreamId, Tenant, derived_id
from redrive.domain.ports import Caller
from redrive.domain.records import RecordsArchived
from redrive.domain.run.state import FINAL, Run
from redrive.ledger.agenda_rows import State
from redrive.ledger.database import Connection
from redrive.ledger.mapper import event_id_of
from redrive.ledger.recorder import LogRecorder
from redrive.ledger.storage_errors import STORAGE
from redrive.ledger.transaction import LedgerTransaction
from redrive.retention.archive_file import ArchiveWriter, Kept
from redrive.retention.models import ArchiveReport

if TYPE_CHECKING:
    from redrive.engine import Engine

RUNS_PER_TRANSACTION = 200
BYTES_PER_TRANSACTION = 32 * 1024 * 1024  # or one run more: what is in memory, and how long others wait
_CANDIDATES = (
    "SELECT created, run_id FROM runs WHERE status IN ('completed', 'cancelled') AND finished_at_ms <= ? "
    "AND created > ? ORDER BY created LIMIT ?"
)
_LAST = "SELECT correlation, max(position) FROM events WHERE correlation IN ({}) GROUP BY correlation"
_ROWS = (
    "SELECT position, recorded_at_ms, state FROM events WHERE correlation = ? AND state <> ? AND "
    "(topic LIKE 'run.%' OR topic LIKE 'dead-letter.%' OR topic LIKE 'effect.%' OR topic LIKE 'compensation.%') "
    "ORDER BY position"
)
_STREAMS = "SELECT DISTINCT originator_id FROM events WHERE correlation = ?"
_UNSETTLED_EFFECTS = (EffectStatus.INTENDED, EffectStatus.UNKNOWN)


@dataclass
class _Chunk:
    """What of some runs is to be archived, and what of them is not."""

    runs: int = 0
    states: list[tuple[int, bytes]] = field(default_factory=list)
    unsettled: int = 0
    unreadable: int = 0
    bytes: int = 0
    judged: int = 0


def archive_records(
    engine: "Engine", *, before_ms: int, to: Path, actor: Principal, reason: str, dry_run: bool
) -> ArchiveReport:
    """Archive what is settled and was recorded no later than *before_ms*. Raises StorageError."""
    caller, writer = Caller(None, actor, reason), None
    runs = events = size = unsettled = unreadable = 0
    last = None
    try:
        for candidates in _candidates(engine, before_ms):
            if writer is None and not dry_run:
                writer = ArchiveWriter(to, engine.ledger.id)
            for chunk in _moved(engine, caller, candidates, before_ms, writer):
                runs, events, size = runs + chunk.runs, events + len(chunk.states), size + chunk.bytes
                unsettled, unreadable = unsettled + chunk.unsettled, unreadable + chunk.unreadable
                last = engine.ledger.last_position() if chunk.states and writer else last
    finally:
        if writer is not None:
            writer.close()
    return ArchiveReport(
        path=str(to),
        archive=None if writer is None else writer.id,
        runs=runs,
        events=events,
        bytes=size,
        unsettled=unsettled,
        unreadable=unreadable,
        before_ms=before_ms,
        last_position=last,
        dry_run=dry_run,
    )


def _candidates(engine: "Engine", before_ms: int) -> Iterator[list[RunId]]:
    """Runs that are over since long, as the views know them; the log decides. Those of which all is in an archive cost
    a look without the write lock."""
    engine.views.catch_up()
    after = 0
    while rows := engine.views.rows(_CANDIDATES, (before_ms, after, RUNS_PER_TRANSACTION)):
        if runs := _not_archived(engine.ledger.recorder, [RunId(run) for _, run in rows]):
            yield runs
        after = rows[-1][0]


def _not_archived(recorder: LogRecorder, runs: Sequence[RunId]) -> list[RunId]:
    """Those of *runs* whose last event is in no archive; where it is, all before it is."""
    reader = recorder.reader()
    last = dict(reader.execute(_LAST.format(", ".join("?" * len(runs))), runs).fetchall())
    archived = recorder.shelf.kept(list(last.values()), reader)
    return [run for run in runs if last.get(run) not in archived]


def _moved(
    engine: "Engine", caller: Caller, runs: Sequence[RunId], before_ms: int, writer: ArchiveWriter | None
) -> Iterator[_Chunk]:
    """What each transaction moved."""
    while runs:
        chunk = engine.ledger.transact(caller, _moving(runs, before_ms, writer))
        yield chunk
        runs = runs[chunk.judged :]


def _moving(
    runs: Sequence[RunId], before_ms: int, writer: ArchiveWriter | None
) -> Callable[[LedgerTransaction], _Chunk]:
    """Move what is settled of *runs*; without a *writer*, only tell."""

    def move(tx: LedgerTransaction) -> _Chunk:
        connection, chunk = tx.connection, _Chunk()
        for run in runs:
            _judge(tx, connection, run, before_ms, chunk)
            chunk.judged += 1
            if chunk.bytes >= BYTES_PER_TRANSACTION:
                break
        chunk.states.sort()
        if writer is not None and chunk.states:
            kept = writer.append(chunk.states)
            _empty(tx, writer, kept, chunk.states)
            tx.append_record(Tenant(), _stream_of(writer.id), _archived(writer, chunk, kept, before_ms))
        return chunk

    return move


def _judge(tx: LedgerTransaction, connection: Connection, run: RunId, before_ms: int, chunk: _Chunk) -> None:
    """Add the states of a run to a chunk, when all of it is old and settled."""
    rows = connection.execute(_ROWS, (run, b"")).fetchall()
    if not rows or max(row[1] for row in rows) > before_ms:
        return
    try:
        settled = all(
            _is_settled(tx.find_state(stream)) for (stream,) in connection.execute(_STREAMS, (run,)).fetchall()
        )
    except StreamUnreadable:
        chunk.unreadable += 1
        return
    if settled:
        chunk.runs += 1
        chunk.states += [(position, state) for position, _, state in rows]
        chunk.bytes += sum(len(state) for _, _, state in rows)
    else:
        chunk.unsettled += 1


def _is_settled(state: State | None) -> bool:
    """Whether nothing is to happen any more to what a stream tells of; one that is no record has no state."""
    match state:
        case Run():
            return state.status in FINAL
        case DeadLetter():
            return state.settled
        case Effect():
            return state.status not in _UNSETTLED_EFFECTS
        case CompensationState():
            return state.status in FINAL_COMPENSATIONS
        case None:
            return True


def _empty(
    tx: LedgerTransaction, writer: ArchiveWriter, kept: Sequence[Kept], states: Sequence[tuple[int, bytes]]
) -> None:
    """Note where the states lie now, and empty their rows: all of it, or nothing."""
    connection = tx.connection
    connection.execute("SAVEPOINT archiving")
    try:
        path = str(writer.path.absolute())
        connection.execute("INSERT INTO archives (id, path) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET path = ?",
                           (writer.id, path, path))  # fmt: skip
        (number,) = connection.execute("SELECT number FROM archives WHERE id = ?", (writer.id,)).fetchone()
        rows = [
            (one.position, number, one.offset, one.size, one.digest, event_id_of(state))
            for one, (_, state) in zip(kept, states, strict=True)
        ]
        connection.executemany("INSERT INTO archived VALUES (?, ?, ?, ?, ?, ?)", rows)
        with tx.emptying():
            emptied = connection.executemany(
                "UPDATE events SET state = ? WHERE position = ?", [(b"", one.position) for one in kept]
            )
            assert emptied.rowcount == len(kept)
        connection.execute("RELEASE archiving")
    except BaseException as error:
        try:
            connection.execute("ROLLBACK TO archiving")
            connection.execute("RELEASE archiving")
        except STORAGE as worse:  # all of the transaction is gone, for the reason that came first
            raise (error if isinstance(error, STORAGE) else worse) from None
        raise


def _archived(writer: ArchiveWriter, chunk: _Chunk, kept: Sequence[Kept], before_ms: int) -> RecordsArchived:
    return RecordsArchived(
        archive=writer.id,
        file=writer.path.name,
        runs=chunk.runs,
        events=len(kept),
        bytes=sum(one.size for one in kept),
        positions=tuple(_ranges([one.position for one in kept])),
        digest=hashlib.sha256(b"".join(one.digest for one in kept)).hexdigest(),
        before_ms=before_ms,
    )


def _ranges(positions: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending positions as ranges, first and last included."""
    for _, group in groupby(enumerate(positions), key=lambda pair: pair[1] - pair[0]):
        members = [position for _, position in group]
        yield members[0], members[-1]


def _stream_of(archive: str) -> StreamId:
    return StreamId(derived_id(Tenant(), "archive", archive))
