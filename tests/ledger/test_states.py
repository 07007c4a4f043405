"""States in memory: bounded, never stale, and careful with what they do not understand."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from redrive.domain.dead_letter.judge import Act
from redrive.domain.errors import StorageError, StreamReadOnly
from redrive.domain.identity import RunId
from redrive.domain.limits import Limit
from redrive.processes import leases, operations
from redrive.processes.capacity import setting_limit
from redrive.processes.claimant import Claimant
from tests.ledger.conftest import Open
from tests.ledger.world import BROKEN, CHAIN, World, agenda_row, policy_of, put_raw
from tests.stores import in_postgres, outside


def story(world: World) -> list[str]:
    """A few runs with failures, retries and successes, interleaved; the topics of the log they leave."""
    runs = [world.submit(str(n), CHAIN) for n in range(6)]
    for n in range(60):
        for claim in world.claim(2):
            for attempt in claim.attempts:
                world.fail(attempt, BROKEN) if (attempt.lifetime + n) % 3 == 0 else world.complete(attempt, {"n": n})
        for run in runs:
            world.note(run, str(n))
            for letter in world.in_memory(run).dead_letters.values():
                if world.do(lambda tx, letter=letter: tx.dead_letter(letter)).status == "open":  # type: ignore[misc]
                    world.retry(letter)
        world.sweep()
        world.now += 3
    return [f"{e.topic} {e.version} {e.occurred_at_ms}" for e in world.log()]


def test_a_tiny_cache_changes_no_result(open_world: Open) -> None:
    """Everything is evicted all the time, and read again."""
    large, tiny = open_world("large.db"), open_world("tiny.db", cache_bytes=1)
    assert story(large) == story(tiny)
    assert len(tiny.ledger.committer.states._entries) <= 1
    large.check()
    tiny.check()


def test_the_bound_of_the_cache_holds(open_world: Open) -> None:
    """Bytes are counted for what is begun, read, grown and forgotten."""
    world = open_world(cache_bytes=50_000)
    story(world)
    states = world.ledger.committer.states
    assert states._bytes <= 50_000
    assert states._bytes == sum(entry.size for entry in states._entries.values())


def test_checking_a_long_log_keeps_the_bound(open_world: Open) -> None:
    """Rebuilding the agenda from the log does not read all of it into memory."""
    world = open_world(cache_bytes=20_000)
    for n in range(60):
        world.submit(str(n))
    world.check()
    assert world.ledger.committer.states._bytes <= 30_000


def test_two_ledgers_on_one_file_see_each_other(open_world: Open) -> None:
    """Every decision is made on the log as it is now, whoever wrote last."""
    one, two = open_world(), open_world()
    run = one.submit("a", CHAIN)
    for n in range(10):
        (one, two)[n % 2].note(run, str(n))
        assert (one, two)[(n + 1) % 2].in_memory(run).version == n + 2
    attempt = two.claim()[0].attempts[0]
    assert one.claim() == []
    one.complete(attempt)
    assert two.in_memory(run).succeeded == 1
    one.check()
    two.check()


def test_a_log_that_was_restored_and_went_on_elsewhere_is_read_again(open_world: Open) -> None:
    """As many events, at the same positions, but others: what is in memory did not happen."""
    one = open_world()
    run = one.submit("a")
    with restored(one.path):
        one.note(run, "gone")
        one.note(run, "gone")
        one.do(setting_limit(Limit("provider", "mail", concurrency=2)))
    two = open_world()
    two.do(operations.pausing(run))  # two events
    two.do(setting_limit(Limit("provider", "mail", concurrency=3)))
    assert one.in_memory(run).status == "paused"
    assert [limit.concurrency for limit in one.ledger.committer.limit_book.limits.values()] == [3]
    one.check()


@contextmanager
def restored(path: str) -> Iterator[None]:
    """The log is as before again, under whoever has it open."""
    with closing(sqlite3.connect(path)) as log, closing(sqlite3.connect(":memory:")) as kept:
        log.backup(kept)
        yield
        kept.backup(log)


def test_a_flow_that_another_ledger_registered_is_registered_once(open_world: Open) -> None:
    """Also when both submit the same flow for the first time in turn."""
    worlds = [open_world() for _ in range(3)]
    for n, world in enumerate(worlds * 2):
        world.submit(str(n))
    assert [e.topic for e in worlds[0].log()].count("flow.registered") == 1


def unreadable(world: World, key: str, *, first: bool) -> RunId:
    """A run with an event of a newer version: its first, or one that was added; it stands first in the queue."""
    run = RunId(f"unreadable-{key}") if first else world.submit(key)
    put_raw(world.path, run, "run.submitted/9" if first else "run.teleported/1", b'{"x": 1}')
    agenda_row(world.path, run)
    return run


def test_a_stream_with_an_unknown_event_is_read_only(world: World) -> None:
    """It is shown as far as it is understood; every command is refused, nothing is written."""
    run = unreadable(world, "a", first=False)
    before = world.log()
    assert before[-1].topic == "run.teleported"
    assert world.in_memory(run).key == "a"
    for command in (operations.noting_run(run, "x"), operations.pausing(run), operations.cancelling(run, policy_of)):
        with pytest.raises(StreamReadOnly, match=r"'run\.teleported/1'"):
            world.do(command)
    assert world.log() == before


def test_a_stream_that_begins_with_an_unknown_event_is_read_only(world: World) -> None:
    """Nothing of it is understood."""
    run = unreadable(world, "a", first=True)
    with pytest.raises(StreamReadOnly, match=r"'run\.submitted/9'"):
        world.note(run)
    assert [e.topic for e in world.ledger.stream(run)] == ["run.submitted"]


def test_a_stream_with_a_hole_is_damaged(open_world: Open) -> None:
    """An event was lost: what follows it is not folded as if nothing had been there."""
    world = open_world()
    run = world.submit("a")
    world.note(run)
    world.note(run)
    with outside(world.path) as other:
        other.execute("ALTER TABLE events DISABLE TRIGGER USER" if in_postgres() else "DROP TRIGGER events_no_delete")
        other.execute("DELETE FROM events WHERE topic = 'run.note-added/1' AND originator_version = 2")
    with pytest.raises(StorageError, match="ends with version 3, with holes"):
        open_world().note(run)


@pytest.mark.parametrize("first", [False, True])
def test_an_unreadable_run_at_the_head_of_the_queue_hides_nobody(world: World, first: bool) -> None:
    """It is never claimed; everything else works."""
    lost = unreadable(world, "a", first=first)
    run = world.submit("b")
    claims = world.claim(5)
    assert [claim.run_id for claim in claims] == [run]
    world.complete(claims[0].attempts[0])
    assert lost not in {row.run for row in world.ledger.agenda_rows() if row.kind == "lease"}
    assert world.claim(5) == []


def test_many_unreadable_runs_at_the_head_of_the_queue_hide_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many: a claim goes on beyond them, page by page; also with handlers, and under limits."""
    monkeypatch.setattr(leases, "MOST_CLAIMS", 2)
    monkeypatch.setattr(leases, "MOST_HELD", 4)
    lost = [world.submit(str(n)) for n in range(20)]
    for run in lost:
        put_raw(world.path, run, "run.teleported/1", b"{}")
    runs = [world.submit("b"), world.submit("c"), world.submit("d")]
    claimed = [world.do(leases.claiming(Claimant("w"), 1))[0].run_id]
    claimed.append(world.do(leases.claiming(Claimant("w", handlers={"a", "h"}), 1))[0].run_id)
    world.do(setting_limit(Limit("provider", "mail", concurrency=1)))
    claimed.append(world.do(leases.claiming(Claimant("w"), 1))[0].run_id)
    assert claimed == runs


def test_an_unknown_event_in_a_cached_stream_is_noticed(open_world: Open) -> None:
    """A newer version of redrive works on the same file while this one has the run in memory."""
    world = open_world()
    run = world.submit("a")
    attempt = world.claim()[0].attempts[0]
    put_raw(world.path, run, "run.teleported/1", b"{}")
    with pytest.raises(StreamReadOnly):
        world.complete(attempt)
    assert world.in_memory(run).version == 4


def test_a_dead_letter_with_an_unknown_event_is_never_swept(world: World) -> None:
    """Nor is its run requeued for it; other dead letters are."""
    _, lost = world.dead_letter("a")
    other, letter = world.dead_letter("b")
    for id_ in (lost, letter):
        world.retry(id_)
    put_raw(world.path, lost, "dead-letter.teleported/1", b"{}")
    report = world.sweep()
    assert [(act.run, act.act) for act in report.acted] == [(other, Act.DISPATCH)]


def test_what_is_unreadable_does_not_keep_the_log_from_being_opened(open_world: Open) -> None:
    """A newer version dead-lettered something; an older one is installed again and looks at what was held."""
    world = open_world()
    put_raw(world.path, "letter", "dead-letter.opened/9", b"{}")
    agenda_row(world.path, "letter", "dead_letter")
    older = open_world(engine="0.0.9")
    assert older.submit("a")
    assert "letter" in {row.subject for row in older.ledger.agenda_rows()}


def test_a_damaged_event_harms_only_its_own_stream(open_world: Open) -> None:
    """Garbage under a known topic: a StorageError that names it; others in the same commit are not harmed."""
    world = open_world()
    run, other = world.submit("a"), world.submit("b")
    put_raw(world.path, run, "run.note-added/1", b"\xff")
    outcomes = world.together(operations.noting_run(run, "x"), operations.noting_run(other, "x"))
    with pytest.raises(StorageError, match=rf"event {run} version 2 \(run.note-added/1\) cannot be read"):
        outcomes[0].result()
    assert outcomes[1].result() == "queued"


def test_another_engine_version_judges_again_what_was_held(open_world: Open) -> None:
    """What one version could not dispatch, the next one may; what it holds itself stays held."""
    world = open_world()
    letter = world.stuck_letter()
    assert [act.act for act in world.sweep().acted] == [Act.HOLD]
    assert list(world.ledger.due("dead_letter", None, 9)) == []
    newer = open_world(engine="0.2.0")
    assert [due.subject for due in newer.ledger.due("dead_letter", None, 9)] == [letter]
    newer.check()
    assert [act.act for act in newer.sweep("0.2.0").acted] == [Act.HOLD]
    assert list(open_world(engine="0.2.0").ledger.due("dead_letter", None, 9)) == []
