"""A server that takes every byte and answers nothing is given up; when it speaks again, the same process goes on."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from redrive.ledger.postgres.recorder import PostgresRecorder
from redrive.ledger.seams import patience_s
from redrive.ledger.transaction import LedgerTransaction
from tests.ledger.postgres.silence import SHORT_S, Way, impatient
from tests.ledger.postgres.test_faults import begun, recorder_of, told
from tests.ledger.world import World, submission
from tests.stores import SERVER, location_of

SILENT = f"has said nothing for {SHORT_S} s"


@pytest.fixture
def way(postgres: str) -> Iterator[Way]:
    """A way to the server of the tests."""
    way = Way(postgres)
    yield way
    way.close()


@pytest.fixture
def world(way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A process that takes this way, at a log with a run; it does not wait long for a connection."""
    with monkeypatch.context() as environment:
        environment.setenv(SERVER, way.url)
        world = World(tmp_path / "log.db", busy_timeout_ms=20_000)
    world.submit("before")
    recorder_of(world).busy_timeout_ms = 1_000  # for connections that are made anew
    yield world
    way.speak()
    world.ledger.close()


@pytest.fixture
def other(world: World) -> Iterator[World]:
    """A process that takes another way; it waits until the transaction of the first one has ended."""
    other = World(world.path, busy_timeout_ms=60_000)
    yield other
    other.check()
    other.ledger.close()


def fall_silent(world: World, when: str, direction: Callable[[], None]) -> None:
    """From the next *when* (begin, commit) of a process on, nothing passes in a direction."""
    recorder = recorder_of(world)
    call = getattr(recorder, when)

    def silently() -> None:
        delattr(recorder, when)
        direction()
        patience_s.set(SHORT_S)
        call()

    setattr(recorder, when, silently)


def under_the_lock(tx: LedgerTransaction) -> object:
    """Submit a run, as the only one who writes from the beginning on."""
    tx.alone()
    return submission("a")(tx)


@pytest.mark.parametrize("held", ["requests", "answers"])
@pytest.mark.parametrize("when", ["commit", pytest.param("begin", marks=pytest.mark.long)])
def test_nothing_is_acknowledged_that_is_not_durable(
    way: Way, world: World, other: World, held: str, when: str
) -> None:
    """What is under way is unknown, to be looked for; afterwards the same process goes on, and each run is there once,
    also when the COMMIT that was held arrives then."""
    fall_silent(world, when, getattr(way, held).clear)
    with (
        impatient(at_once=False),
        told("nobody knows whether the commit took place" if when == "commit" else "cannot be reached"),
    ):
        world.do(submission("a") if when == "commit" else under_the_lock)
    way.speak()
    run = other.submit("a")
    assert world.submit("a") == run
    world.note(run)
    assert world.in_memory(run).version == len(other.ledger.stream(run)) == 2
    assert set(begun(other).values()) == {1}


def test_reads_are_given_up_too(way: Way, world: World) -> None:
    """And work again afterwards."""
    before = world.log()
    way.answers.clear()
    with impatient(), told("cannot be reached"):
        world.log()
    way.speak()
    assert world.log() == before


def test_how_long_it_was_silent_is_said(way: Way, world: World) -> None:
    """On the connection that it was silent on."""
    way.answers.clear()
    with impatient(), pytest.raises(Exception, match=SILENT):
        recorder_of(world).writer.execute("SELECT 1")
    assert recorder_of(world).writer.broken


def test_a_server_that_is_silent_just_after_it_let_one_in(
    way: Way, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked of a new connection is not waited for for ever either."""
    connect = psycopg.connect

    def connected(*args: Any, **options: Any) -> Any:
        found = connect(*args, **options)
        way.answers.clear()
        patience_s.set(SHORT_S)
        return found

    recorder_of(world).writer.close()
    with impatient(at_once=False), monkeypatch.context() as patch, told(SILENT):
        patch.setattr(psycopg, "connect", connected)
        world.submit("a")
    way.speak()
    world.submit("a")
    assert Counter(begun(world).values()) == {1: 2}


@pytest.mark.long
def test_others_go_on_while_one_is_cut_off(way: Way, world: World, other: World) -> None:
    """It held nothing that they need."""
    way.answers.clear()
    run = other.submit("b")
    with impatient(), told("cannot be reached"):
        world.note(run)
    other.note(run, "meanwhile")
    way.speak()
    world.note(run, "again")
    assert world.in_memory(run).version == len(other.ledger.stream(run))


def test_patience_is_two_minutes(world: World) -> None:
    """Unless a test says otherwise; another server is asked in the same way."""
    assert isinstance(world.ledger.recorder, PostgresRecorder)
    assert patience_s.get() == 120
    assert location_of(world.path).startswith("postgresql://")
