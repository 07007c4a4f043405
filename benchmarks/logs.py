"""Large logs, made quickly: by the engine in large batches, or as copies of what the engine wrote once."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import redrive
from benchmarks.failing_job import FAILURE, Acme, batches
from redrive.domain.identity import dead_letter_id_of
from redrive.ledger.agenda import AgendaRow

DAY_MS = 86_400_000
CHUNK = 20_000
LETTERS_PER_RUN = 50
_INSERT_EVENT = (
    "INSERT INTO events (originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_AGENDA = "INSERT INTO agenda VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


def unflushed(engine: redrive.Engine, on: bool) -> None:
    """Preparing a log need not be durable; measuring always is."""
    engine.ledger.recorder.writer.execute(f"PRAGMA synchronous = {'OFF' if on else 'FULL'}")


def fill(engine: redrive.Engine, events: int, size: int = 1_000) -> None:
    """Whole lifecycles of the failing job until the log holds *events* events or a few more."""
    unflushed(engine, True)
    work = batches(size)
    while (missing := events - engine.ledger.last_position()) > 0:
        work(engine, min(size, missing // 20 + 1))
    unflushed(engine, False)


def waiting_run(acme: Acme) -> redrive.RunId:
    """A run that failed once and is in backoff until tomorrow."""
    tomorrow = redrive.RetryPolicy(backoff=redrive.Backoff(strategy=redrive.Strategy.FIXED, initial_delay_ms=DAY_MS))
    run = acme.submit(redrive.Flow([redrive.Node("charge", retry=tomorrow)]), automation="invoices")
    claim = acme.claim(worker="w0", start=True)
    assert claim is not None
    acme.fail_attempt(claim.attempts[0], FAILURE)
    return run


def settled_run(acme: Acme) -> redrive.RunId:
    """A run whose nodes all failed, and whose dead letters an operator ignored."""
    once = redrive.RetryPolicy(
        max_attempts=1, terminal_behavior=redrive.TerminalBehavior(mode=redrive.Mode.DEAD_LETTER)
    )
    flow = redrive.Flow([redrive.Node(f"n{number}", retry=once) for number in range(LETTERS_PER_RUN)])
    run = acme.submit(flow, automation="imports")
    claim = acme.claim(worker="w0", start=True)
    assert claim is not None
    for attempt in claim.attempts:
        acme.fail_attempt(attempt, FAILURE)
        acme.ignore(dead_letter_id_of(acme.tenant, run, attempt.node), actor="ana", reason="known")
    return run


@dataclass(frozen=True, slots=True)
class Original:
    """What the engine wrote about one run: its rows of the log and of the agenda, and the ids in them."""

    events: list[tuple[str, int, str, bytes, str, str, int]]
    agenda: list[AgendaRow]
    ids: list[str]

    def copied(self, number: int, position: int) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
        """The rows under other ids of the same length, as they are when they begin after *position*."""
        new = {old: f"{number:08x}-{index:04x}{old[13:]}" for index, old in enumerate(self.ids)}
        swaps = [(old.encode(), fresh.encode()) for old, fresh in new.items()]
        events: list[tuple[object, ...]] = []
        for stream, version, topic, state, tenant, correlation, recorded in self.events:
            copied = _swapped(state, swaps)
            events.append((new[stream], version, topic, copied, tenant, new[correlation], recorded))
        agenda: list[tuple[object, ...]] = [
            row._replace(subject=new[row.subject], run=new[row.run], created=position + 1) for row in self.agenda
        ]
        return events, agenda


def _swapped(state: bytes, swaps: list[tuple[bytes, bytes]]) -> bytes:
    for old, new in swaps:
        state = state.replace(old, new)
    return state


def original_of(engine: redrive.Engine, run: redrive.RunId) -> Original:
    """The rows of *run* and of its dead letters."""
    rows = engine.ledger.recorder.reader().execute(
        "SELECT originator_id, originator_version, topic, state, tenant, correlation, recorded_at_ms "
        "FROM events WHERE correlation = ? ORDER BY position",
        (run,),
    )
    events = [row for row in rows if len(row[0]) == len(run)]
    agenda = [row for row in engine.ledger.agenda_rows() if row.run == run]
    return Original(events, agenda, list(dict.fromkeys(row[0] for row in events)))


def copy(path: Path, original: Original, copies: range) -> None:
    """Append *copies* of *original* to the log at *path*: real encoded events, inserted without the engine."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -262144")
    (position,) = connection.execute("SELECT max(position) FROM events").fetchone()
    numbers: Iterator[int] = iter(copies)
    while chunk := list(islice(numbers, max(1, CHUNK // len(original.events)))):
        events: list[tuple[object, ...]] = []
        agenda: list[tuple[object, ...]] = []
        for number in chunk:
            of_events, of_agenda = original.copied(number, position + len(events))
            events += of_events
            agenda += of_agenda
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT_EVENT, events)
        connection.executemany(_INSERT_AGENDA, agenda)
        connection.execute("COMMIT")
        position += len(events)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def one_attempt_flow() -> redrive.Flow:
    """The failing job's flow with a single attempt, so that its first failure is a dead letter."""
    return redrive.Flow([redrive.Node("charge", retry=redrive.RetryPolicy(max_attempts=1))])
