"""The server says no, or ends the connection: the caller is told so, and the next command works."""

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from redrive import RunId, StorageError
from redrive.ledger.mapper import NewRow
from redrive.ledger.postgres.recorder import PostgresRecorder
from redrive.ledger.transaction import LedgerTransaction
from redrive.processes import operations
from tests.ledger.postgres.rivals import Rival, stopping_at_commit
from tests.ledger.world import World, outcome_of, submission
from tests.processes.workshop import running, until
from tests.stores import outside


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A log with a run."""
    world = World(tmp_path / "log.db", busy_timeout_ms=20_000)
    world.submit("before")
    yield world
    world.check()
    world.ledger.close()


def recorder_of(world: World) -> PostgresRecorder:
    """The recorder."""
    recorder = world.ledger.recorder
    assert isinstance(recorder, PostgresRecorder)
    return recorder


def end_connection(world: World) -> None:
    """The server ends the connections of a process, for writing and for reading."""
    recorder = recorder_of(world)
    pids = [used.raw.info.backend_pid for used in (recorder.writer, *recorder._readers._idle) if not used.broken]
    with outside(world.path) as dba:
        for pid in pids:
            dba.execute("SELECT pg_terminate_backend(?::int, 10000)", (pid,))


def begun(world: World) -> Counter[str]:
    """How often each run was submitted."""
    return Counter(str(event.stream) for event in world.log() if event.topic == "run.submitted")


@contextmanager
def told(saying: str) -> Iterator[None]:
    """The block raises StorageError."""
    with pytest.raises(StorageError, match=saying):
        yield


def test_a_connection_that_ended_meanwhile_is_made_anew(world: World) -> None:
    """Nobody notices: nothing had been sent. Who asked for the news a moment ago does not ask again, and would be told
    that the server ended the connection: so it is a while ago."""
    end_connection(world)
    assert len(world.log()) == 3
    world.ledger.committer._heard_at = -math.inf
    world.note(world.submit("a"))
    end_connection(world)
    world.ledger.committer._heard_at = -math.inf
    assert world.do(lambda tx: tx.now_ms) == world.now


def test_a_connection_that_ends_before_the_commit(world: World) -> None:
    """Nothing is written, and it says so."""
    insert = recorder_of(world).write

    def write(rows: Sequence[NewRow]) -> int:
        end_connection(world)
        return insert(rows)

    recorder_of(world).write = write  # type: ignore[method-assign]
    with told("ended the connection"):
        world.submit("a")
    del recorder_of(world).write
    assert len(begun(world)) == 1
    world.submit("a")


@pytest.mark.parametrize("rival", [False, True])
def test_a_connection_that_ends_after_the_commit(world: World, rival: bool) -> None:
    """The acknowledgement is lost: the event's own id is in the log, so it is a success, once."""
    recorder, other = recorder_of(world), World(world.path)

    def commit() -> None:
        del recorder.commit
        recorder.writer.execute("COMMIT")
        if rival:
            other.submit("b")
        end_connection(world)
        recorder.commit()

    recorder.commit = commit  # type: ignore[method-assign]
    run = world.submit("a")
    world.note(run)
    assert begun(world)[run] == 1
    other.ledger.close()


def test_a_rival_at_the_same_version_is_no_acknowledgement(world: World) -> None:
    """While the commit failed, somebody else wrote this very version: nobody of the batch is told yes."""
    recorder, other, run = recorder_of(world), World(world.path), world.submit("a")

    def commit() -> None:
        del recorder.commit
        end_connection(world)
        other.note(run)
        recorder.commit()

    recorder.commit = commit  # type: ignore[method-assign]
    outcomes = world.together(submission("b"), operations.noting_run(run, "mine"))
    assert {type(outcome_of(outcome)) for outcome in outcomes} == {StorageError}
    assert len(world.ledger.stream(run)) == 2
    world.note(run)
    assert world.in_memory(run).version == 3
    other.ledger.close()


def test_connections_that_end_at_any_time(world: World) -> None:
    """What was acknowledged is there once, what was not at most once."""
    over, acknowledged = [False], list[RunId]()

    def end_them() -> None:
        while not over[0]:
            end_connection(world)
            time.sleep(0.003)

    with running(end_them):
        for n in range(150):
            try:
                acknowledged.append(world.submit(str(n)))
            except StorageError:
                continue
        over[0] = True
    counted = begun(world)
    assert set(counted.values()) == {1}
    assert {counted[run] for run in acknowledged} <= {1}
    assert [event.position for event in world.log()] == list(range(1, len(world.log()) + 1))


@pytest.mark.parametrize("committed", ["", "committed"])
def test_a_process_that_is_killed_at_its_commit(tmp_path: Path, committed: str) -> None:
    """The lock is free, and nothing is half written."""
    rival = Rival(stopping_at_commit, str(tmp_path / "log.db"), committed)
    first = rival.hear()
    assert rival.hear() == "stopped"
    rival.process.kill()
    rival.rest()
    world = World(tmp_path / "log.db", busy_timeout_ms=30_000)
    third = world.submit("third")
    assert ({first, third} < set(begun(world)), len(begun(world))) == (True, 3) if committed else (True, 2)
    world.check()
    world.ledger.close()


@pytest.mark.parametrize("busy_timeout_ms", [0, 300])
def test_a_lock_that_is_held_for_too_long(world: World, busy_timeout_ms: int) -> None:
    """It is waited for as long as was said, and no longer; nothing is written."""
    impatient = World(world.path, busy_timeout_ms=busy_timeout_ms)
    with outside(world.path) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(?)", (recorder_of(world)._key,))
        with told("holds the write lock for too long"):
            impatient.submit("a")
        assert len(impatient.log()) == 3, "who reads does not wait"
    impatient.submit("a")
    assert len(begun(world)) == 2
    impatient.ledger.close()


def test_a_first_command_that_fails_leaves_a_connection_that_works(world: World) -> None:
    """Whatever the driver was just about to prepare."""
    for n in range(4):
        impatient = World(world.path, busy_timeout_ms=50)
        for number in range(n):
            impatient.submit(f"{n}-{number}")
        with outside(world.path) as holder, told("write lock"):
            holder.execute("SELECT pg_advisory_xact_lock(?)", (recorder_of(world)._key,))
            impatient.submit("a")
        for number in range(3):
            impatient.submit(f"{n}-then-{number}")
        impatient.ledger.close()


def test_a_full_disk(world: World) -> None:
    """As the server reports it (a trigger does here): nothing is written, and it says what to do."""
    with outside(world.path) as dba:
        dba.execute(
            "CREATE FUNCTION full_disk() RETURNS TRIGGER LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
        )
        dba.execute("CREATE TRIGGER full_disk BEFORE INSERT ON events EXECUTE FUNCTION full_disk()")
    for _ in range(2):
        with told("the server's disk is full: nothing was written"):
            world.submit("a")
    with outside(world.path) as dba:
        dba.execute("DROP TRIGGER full_disk ON events")
    world.submit("a")
    assert len(begun(world)) == 2


def test_a_disk_that_is_full_at_the_commit(world: World) -> None:
    """A deferred trigger fails COMMIT itself."""
    with outside(world.path) as dba:
        dba.execute(
            "CREATE FUNCTION full_disk() RETURNS TRIGGER LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not write' USING ERRCODE = '53100'; END $$"
        )
        dba.execute(
            "CREATE CONSTRAINT TRIGGER full_disk AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
    with told("the server's disk is full"):
        world.submit("a")
    with outside(world.path) as dba:
        dba.execute("DROP TRIGGER full_disk ON events")
    world.submit("a")


def test_a_transaction_that_the_server_found_idle(world: World) -> None:
    """It is over, and so is what the batch wrote; the next command works."""
    writer = recorder_of(world).writer
    writer.execute("SET idle_in_transaction_session_timeout = 50")
    pid = writer.raw.info.backend_pid

    def there() -> bool:
        with outside(world.path) as dba:
            query = "SELECT count(*) FROM pg_stat_activity WHERE pid = ?"
            return bool(dba.execute(query, (pid,)).fetchone()[0])

    def dawdle(tx: LedgerTransaction) -> None:
        tx.connection.execute("SELECT 1")
        until(lambda: not there())
        tx.connection.execute("SELECT 1")

    with told("idle for too long|ended the connection"):
        world.do(dawdle)
    world.submit("a")


@pytest.mark.parametrize("within", ["begin", "commit"])
def test_an_interrupt_within_the_driver(world: World, within: str) -> None:
    """It passes on; the connection is dropped, and the next command has another."""
    recorder = recorder_of(world)
    call = getattr(recorder, within)

    def interrupted() -> None:
        def stop(*_: Any, **__: Any) -> Any:
            raise KeyboardInterrupt

        delattr(recorder, within)
        recorder.writer._pipeline._answers = stop  # type: ignore[method-assign]
        call()

    setattr(recorder, within, interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.submit("a") if within == "commit" else world.do(LedgerTransaction.alone)
    assert recorder.writer.broken
    world.submit("a")
    assert set(begun(world).values()) == {1}
