"""What the recorder lets into the log, and that it never goes out again."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from eventsourcing.application import LocalNotificationLog

from redrive.domain.errors import Conflict, StorageError
from redrive.domain.identity import RunId
from redrive.ledger.application import LogApplication
from tests.ledger.conftest import Open
from tests.ledger.world import World, open_files, recorded, stored, submission

pytestmark = pytest.mark.sqlite_only


def open_application(path: Path) -> LogApplication:
    """The library's application on a log."""
    application = LogApplication("redrive.ledger.sqlite.recorder:SqliteRecorder")
    application.recorder.open(str(path), busy_timeout_ms=10_000, durable=True)
    return application


@pytest.fixture(name="application")
def _application(tmp_path: Path) -> LogApplication:
    return open_application(tmp_path / "log.db")


def test_versions_follow_the_head(application: LogApplication) -> None:
    """1, 2, 3; positions as well."""
    put = application.recorder.insert_events
    assert list(put([stored("a", 1), stored("b", 1), stored("a", 2)]) or ()) == [1, 2, 3]
    assert list(put([stored("a", 3)]) or ()) == [4]


@pytest.mark.parametrize("version", [0, 1, 2, 4, 5, -1])
def test_a_hole_and_a_duplicate_are_refused(application: LogApplication, version: int) -> None:
    """Uniqueness alone would let an append past a hole."""
    application.recorder.insert_events([stored("a", 1), stored("a", 2)])
    with pytest.raises(Conflict, match="stream a is at version 2"):
        application.recorder.insert_events([stored("b", 1), stored("a", version)])
    assert application.recorder.max_notification_id() == 2, "the whole append is refused"


def test_a_stream_begins_with_version_1(application: LogApplication) -> None:
    """There is no hole before the first event either."""
    with pytest.raises(Conflict):
        application.recorder.insert_events([stored("a", 2)])


def test_unchanged_is_refused_when_the_stream_moved(application: LogApplication) -> None:
    """What a decision read is asserted in the transaction of what it wrote."""
    put = application.recorder.insert_events
    put([stored("a", 1), stored("b", 1)])
    put([stored("a", 2)], unchanged={"b": 1, "never": 0})
    for read in ({"a": 1}, {"a": 3}, {"b": 0}, {"never": 1}):
        with pytest.raises(Conflict, match="moved"):
            put([stored("b", 2)], unchanged=read)


@pytest.mark.parametrize("first", ["a", "b"])
def test_of_two_crosswise_appends_one_wins(tmp_path: Path, first: str) -> None:
    """Write skew: each read both streams and writes the other one."""
    one, two = open_application(tmp_path / "log.db"), open_application(tmp_path / "log.db")
    one.recorder.insert_events([stored("a", 1), stored("b", 1)])
    second = "b" if first == "a" else "a"
    one.recorder.insert_events([stored(first, 2)], unchanged={second: 1})
    with pytest.raises(Conflict):
        two.recorder.insert_events([stored(second, 2)], unchanged={first: 1})


def test_of_racing_crosswise_appends_one_wins_every_time(tmp_path: Path) -> None:
    """The same with two connections in two threads, released together."""
    sides = [(open_application(tmp_path / "log.db"), *names) for names in (("a", "b"), ("b", "a"))]
    gate, wins = threading.Barrier(2), []

    def race(application: LogApplication, mine: str, other: str) -> None:
        for n in range(40):
            gate.wait()
            try:
                application.recorder.insert_events([stored(f"{mine}{n}", 1)], unchanged={f"{other}{n}": 0})
                wins.append(n)
            except Conflict:
                pass

    threads = [threading.Thread(target=race, args=side) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == list(range(40))


@pytest.mark.parametrize(
    "statement", ["UPDATE events SET topic = 'x'", "DELETE FROM events", "DELETE FROM events WHERE position = 1"]
)
def test_the_log_is_append_only(application: LogApplication, statement: str) -> None:
    """Also for those who open the file with another program."""
    application.recorder.insert_events([stored("a", 1)])
    told = pytest.raises(sqlite3.IntegrityError, match="the log is append-only")
    with closing(sqlite3.connect(application.recorder.path)) as other, told:
        other.execute(statement)


def test_positions_are_never_used_again(application: LogApplication) -> None:
    """When the tail went (somebody dropped the trigger), a view that has seen it must not meet its positions."""
    application.recorder.insert_events([stored("a", 1), stored("a", 2), stored("a", 3)])
    with closing(sqlite3.connect(application.recorder.path)) as other, other:
        other.execute("DROP TRIGGER events_no_delete")
        other.execute("DELETE FROM events WHERE position > 1")
    assert list(application.recorder.insert_events([stored("a", 2)]) or ()) == [4]


def test_recorded_at_never_goes_backwards(world: World, open_world: Open) -> None:
    """The clock may; and so may the clock of another process."""
    run = world.submit("a")
    world.now = 500
    world.note(run)
    other = open_world()
    other.now = 10
    other.note(run)
    assert [e.recorded_at_ms for e in world.log()][-2:] == [1_000_000] * 2
    assert [e.occurred_at_ms for e in world.log()][-2:] == [500, 10]


def test_the_library_appends_and_reads(application: LogApplication) -> None:
    """``events.put`` and ``events.get``, as eventsourcing documents them."""
    recordings = application.events.put([recorded("a", 1), recorded("a", 2), recorded("b", 1)])
    assert [r.notification.id for r in recordings] == [1, 2, 3]
    events = application.events
    assert [e.originator_version for e in events.get("a")] == [1, 2]
    assert [e.originator_version for e in events.get("a", gt=1)] == [2]
    assert [e.originator_version for e in events.get("a", lte=1)] == [1]
    assert [e.originator_version for e in events.get("a", desc=True, limit=1)] == [2]


def test_what_the_library_appends_is_recorded_in_order(application: LogApplication) -> None:
    """``recorded_at_ms`` never goes backwards, whoever writes."""
    application.events.put([recorded("a", 1, recorded_at_ms=50)])
    application.events.put([recorded("a", 2, recorded_at_ms=3), recorded("a", 3, recorded_at_ms=60)])
    rows = application.recorder.rows_after(0, 10)
    assert [row[7] for row in rows] == [50, 50, 60]


def test_the_notification_log_works(application: LogApplication) -> None:
    """Sections, ranges and topics."""
    application.events.put([recorded("a", n) for n in range(1, 26)])
    log = LocalNotificationLog(application.recorder, section_size=10)
    assert [n.id for n in log["11,20"].items] == list(range(11, 21))
    assert [n.id for n in log.select(start=5, limit=3, inclusive_of_start=False)] == [6, 7, 8]
    assert [n.id for n in log.select(start=None, limit=10, stop=2)] == [1, 2]
    assert log.select(start=1, limit=5, topics=["run.paused/1"]) == []
    assert len(log.select(start=1, limit=5, topics=["run.note-added/1"])) == 5


def test_an_append_beside_the_committer_is_noticed_by_it(world: World) -> None:
    """The library's door leads to the same log: no state in memory grows stale."""
    run = world.submit("a")
    version = world.in_memory(run).version
    world.ledger.recorder.insert_events([stored(run, version + 1)])
    assert world.in_memory(run).version == version + 1
    world.note(run)
    world.check()


def test_threads_that_end_leave_no_connection(world: World) -> None:
    """A host with a thread per request must not run out of files."""
    world.ledger.last_position()
    before = open_files(world.path)
    for _ in range(20):
        thread = threading.Thread(target=world.ledger.last_position)
        thread.start()
        thread.join()
    assert open_files(world.path) <= before + 1, "SQLite may keep one for the next connection"


def test_closing_while_threads_read_harms_nobody(open_world: Open) -> None:
    """They are told; the process does not crash, and no connection is left."""
    told: list[str] = []

    def read(world: World) -> None:
        try:
            while True:
                world.log()
                world.ledger.agenda_rows()
        except StorageError as error:
            told.append(str(error))

    for n in range(15):
        world = open_world(f"{n}.db", durable=False)
        world.together(*[submission(str(k)) for k in range(30)])
        threads = [threading.Thread(target=read, args=(world,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        world.ledger.close()
        for thread in threads:
            thread.join()
        assert open_files(world.path) == 0
    assert len(told) == 60
    assert all("closed" in text for text in told)


def test_reading_a_closed_log_says_so(world: World) -> None:
    """Also from a thread that never read before."""
    world.ledger.close()
    with pytest.raises(StorageError, match="closed"):
        world.ledger.last_position()
    world.ledger.close()


def test_a_lone_surrogate_names_no_stream(world: World) -> None:
    """Command-line arguments that are no UTF-8 arrive so; nothing is found, and nothing breaks."""
    assert world.ledger.stream("\ud800") == []
    assert world.do(lambda tx: tx.find_run(RunId("a\udcff"))) is None
