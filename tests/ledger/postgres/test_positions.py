"""Positions are given without a gap, and seen in order: who follows the log by position misses nothing."""

from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import pytest

from tests.ledger.postgres.rivals import Rival, submitting
from tests.ledger.world import World, submission
from tests.processes.workshop import running, until
from tests.stores import outside

Read = Callable[[int], Sequence[int]]
LOG = 1_000_000


class Follower:
    """Who reads what lies beyond the last position it has seen."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self.seen: list[int] = []

    def look(self) -> None:
        """See what is new."""
        self.seen += self._read(self.seen[-1] if self.seen else 0)

    def missed(self) -> set[int]:
        """What is in the log and was passed over."""
        self.look()
        return set(self._read(0)) - set(self.seen)


def positions(world: World) -> Read:
    """How the log is read beyond a position."""
    return lambda after: [row[0] for row in world.ledger.recorder.rows_after(after, LOG)]


def test_who_follows_eight_writers_misses_nothing(tmp_path: Path) -> None:
    """Each position is seen once, in order, without a hole; while they write, and afterwards."""
    path = str(tmp_path / "log.db")
    world = World(path)
    rivals = [Rival(submitting, path, f"w{n}", 10) for n in range(8)]
    for rival in rivals:
        rival.hear()
    follower = Follower(positions(world))
    for rival in rivals:
        rival.tell()
    while any(rival.process.is_alive() for rival in rivals):
        follower.look()
    assert [rival.process.exitcode for rival in rivals] == [0] * 8
    assert follower.missed() == set()
    assert follower.seen == list(range(1, 8 * 10 + 2 + 1)), "and one flow, and one policy"
    world.ledger.close()


def test_who_comes_second_waits_for_the_first(tmp_path: Path) -> None:
    """Two in the order that a sequence would get wrong: the first has its position, the second wants to commit."""
    first, second = World(tmp_path / "log.db"), World(tmp_path / "log.db")
    follower = Follower(positions(second))
    second.submit("before")
    recorder, commit = first.ledger.recorder, first.ledger.recorder.commit

    def commit_late() -> None:
        recorder.commit = commit  # type: ignore[method-assign]
        recorder.writer.execute("SELECT 1")  # what was kept back is at the server
        with running(lambda: told.append(second.submit("b"))) as thread:
            thread.join(0.3)
            follower.look()
            assert (told, thread.is_alive(), len(follower.seen)) == ([], True, 3)
            commit()

    told: list[str] = []
    recorder.commit = commit_late  # type: ignore[method-assign]
    first.submit("a")
    assert (follower.missed(), follower.seen) == (set(), [1, 2, 3, 4, 5])
    for world in (first, second):
        world.ledger.close()


def test_a_sequence_without_a_lock_would_be_caught(postgres: str) -> None:
    """The same follower misses what got its number first and was committed last: the check can fail."""
    with psycopg.connect(postgres) as first, psycopg.connect(postgres, autocommit=True) as second:
        second.execute("DROP SCHEMA IF EXISTS t_naive CASCADE")
        second.execute("CREATE SCHEMA t_naive")
        second.execute("CREATE TABLE t_naive.events (position BIGSERIAL PRIMARY KEY)")
        read = "SELECT position FROM t_naive.events WHERE position > %s ORDER BY 1"
        follower = Follower(lambda after: [row[0] for row in second.execute(read, (after,))])
        first.execute("INSERT INTO t_naive.events DEFAULT VALUES")
        second.execute("INSERT INTO t_naive.events DEFAULT VALUES")
        follower.look()
        first.commit()
        assert follower.missed() == {1}
        second.execute("DROP SCHEMA t_naive CASCADE")


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_the_order_does_not_hang_on_what_the_database_is_set_to(tmp_path: Path, isolation: str) -> None:
    """A snapshot that is older than the lock would show less than the log holds."""
    first, second = World(tmp_path / "log.db"), World(tmp_path / "log.db")
    for world in (first, second):
        raw = world.ledger.recorder.writer
        raw.execute(f"SET default_transaction_isolation = '{isolation}'")
    commit, submitted = first.ledger.recorder.commit, list[str]()

    def commit_when_the_second_waits() -> None:
        first.ledger.recorder.commit = commit  # type: ignore[method-assign]
        first.ledger.recorder.writer.execute("SELECT 1")  # it has the lock
        with running(lambda: submitted.append(second.submit("b"))):
            until(lambda: waiting(tmp_path))
            commit()

    first.submit("a")
    first.ledger.recorder.commit = commit_when_the_second_waits  # type: ignore[method-assign]
    first.submit("c")
    assert [event.position for event in first.log()] == [1, 2, 3, 4, 5]
    for world in (first, second):
        world.ledger.close()


def waiting(path: Path) -> bool:
    """Whether anybody waits for a log's lock."""
    with outside(path / "log.db") as connection:
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool(connection.execute(query).fetchone()[0])


def test_many_in_one_commit_have_positions_in_a_row(tmp_path: Path) -> None:
    """Three hundred commands, more than one way to the server carries at once."""
    world = World(tmp_path / "log.db")
    world.together(*(submission(str(n)) for n in range(300)))
    assert [event.position for event in world.log()] == list(range(1, 303))
    world.check()
    world.ledger.close()
