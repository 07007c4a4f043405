"""Reading ahead in a second process: what is found is what one process finds, whatever becomes of the other."""

import shutil
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

import redrive
from redrive import other_process
from redrive.evidence import ahead
from redrive.evidence.glance import Glance, is_left
from redrive.evidence.store import StoredRow
from redrive.evidence.stretches import CHUNK, stretches, told
from tests.evidence import tampering
from tests.evidence.sealed import FLOW, NOW_MS, Sealed
from tests.evidence.tampering import Mutation
from tests.other_processes import WAYS, Started, Way, noted

RUNS, MORE = 5_300, 700
BEGUN = bytes(36) + bytes([0, 0, 4, 0]) + bytes(99)
"""What a process says that was not allowed to finish."""


@pytest.fixture(scope="session")
def wide_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of six stretches, the last of them short, with checkpoints within stretches."""
    made = Sealed(tmp_path_factory.mktemp("wide"))
    made.keys.init("test.example/log", NOW_MS)
    with made.open(now_ms=NOW_MS) as engine:
        for begun in range(0, RUNS, MORE):
            with engine.batch() as batch:
                for number in range(begun, min(begun + MORE, RUNS)):
                    batch.add(engine.local.submit, FLOW, automation="nightly", key=str(number))
            engine.seal()
    with closing(sqlite3.connect(made.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return made.folder


@pytest.fixture
def wide(wide_template: Path, tmp_path: Path) -> Sealed:
    """The same, for one test."""
    folder = tmp_path / "wide"
    shutil.copytree(wide_template, folder)
    return Sealed(folder)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """The processes that are started from now on: for every log, on a machine with one processor too."""
    monkeypatch.setattr(ahead, "FROM_LEAVES", 0)
    return noted(monkeypatch, processors=2)


def report_of(sealed: Sealed) -> redrive.VerifyReport:
    """What verifying finds; the footing tells when it was asked."""
    with sealed.open(pin=False) as engine:
        found = engine.verify(views=False, agenda=False)
    return found.model_copy(update={"footing": None})


def alone(sealed: Sealed) -> redrive.VerifyReport:
    """What one process finds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "FROM_LEAVES", 1 << 60)
        return report_of(sealed)


def test_a_log_that_is_sound(wide: Sealed, started: Started) -> None:
    """The process tells three stretches of four; the report is that of one process; the process has ended."""
    assert report_of(wide) == alone(wide)
    assert [process.poll() is not None for process in started] == [True]


def test_a_place_of_modules_that_is_no_text(wide: Sealed, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some programs put paths into ``sys.path``; imports pass over them, and so does this."""
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/nowhere")])
    assert report_of(wide).result == "SELF-CONSISTENT"
    assert len(started) == 1


def test_most_of_a_sound_log_is_not_read_again(wide: Sealed, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan reads the stretch that is left to it, and what it asks for beside."""
    size, read = alone(wide).size, list[int]()
    with wide.open(pin=False) as engine:
        rows_after = engine.evidence.store.rows_after

        def noting(position: float, limit: int) -> Sequence[StoredRow]:
            read.append(limit)
            return rows_after(position, limit)

        monkeypatch.setattr(engine.evidence.store, "rows_after", noting)
        assert engine.verify(views=False, agenda=False).matched == size
    left = [count for start, count in stretches(size) if is_left(start)]
    assert len(started) == 1
    assert left
    assert [limit for limit in read if limit == CHUNK] == [*left, CHUNK]  # the last one looks beyond the tree


def found_otherwise(template: Path, folder: Path, mutations: list[Mutation]) -> list[str]:
    """Those after which two processes tell something else than one."""
    wrong = []
    for number, mutation in enumerate(mutations):
        sealed = Sealed(folder / str(number))
        shutil.copytree(template, sealed.folder)
        with sealed.tampering() as connection:
            mutation.do(connection)
        if report_of(sealed) != alone(sealed):
            wrong.append(mutation.name)
        shutil.rmtree(sealed.folder)
    return wrong


def test_what_was_tampered_with(wide_template: Path, tmp_path: Path, started: Started) -> None:
    """The same findings, in the same order, with the same words."""
    mutations = tampering.of_each_kind(Sealed(wide_template).path, 1, seed=1)
    assert found_otherwise(wide_template, tmp_path, mutations) == []
    assert len(started) == len(mutations)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_what_was_tampered_with_in_many_ways(wide_template: Path, tmp_path: Path, started: Started) -> None:
    """The same, of more."""
    mutations = tampering.of_each_kind(Sealed(wide_template).path, 12, seed=2)
    assert found_otherwise(wide_template, tmp_path, mutations) == []


@pytest.mark.parametrize("fails", WAYS)
@pytest.mark.parametrize("tampered", [False, True])
def test_the_process_fails(
    fails: Way,
    tampered: bool,
    wide: Sealed,
    started: Started,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The scan looks at everything by itself."""
    if tampered:
        wide.sql("UPDATE events SET state = X'7B7D' WHERE position = 3001")
    expected = alone(wide)
    fails(monkeypatch, BEGUN)
    assert report_of(wide) == expected
    assert (expected.result == "TAMPERED") == tampered


def test_a_program_that_is_frozen_is_not_started_again(
    wide: Sealed, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its executable is the program itself, which might verify a log, and so on."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert report_of(wide).result == "SELF-CONSISTENT"
    assert started == []


def test_a_small_log_starts_no_process(sealed: Sealed) -> None:
    """By default."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(other_process, "started", lambda *_: pytest.fail("a process was started"))
        assert report_of(sealed).result == "SELF-CONSISTENT"


def test_one_processor_starts_no_process(wide: Sealed, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would only wait for this one."""
    monkeypatch.setattr(other_process, "processors", lambda: 1)
    assert report_of(wide).result == "SELF-CONSISTENT"
    assert started == []


def test_only_what_is_sound_is_told(wide: Sealed) -> None:
    """One column of one row: nothing is said of its stretch, the next one begins where it should."""
    with wide.tampering() as connection:
        glance = Glance(connection)
        first, second = glance.at(0, CHUNK), glance.at(CHUNK, CHUNK)
        assert first is not None
        assert second is not None
        assert (first.after, first.last, len(told(first))) == (0, second.after, 36 + 32 * CHUNK)
        connection.execute("UPDATE events SET correlation = 'x' WHERE position = ?", (second.last,))
        assert glance.at(CHUNK, CHUNK) is None
        assert glance.at(2 * CHUNK, CHUNK) is not None


def test_a_row_between_two_stretches(wide: Sealed, started: Started) -> None:
    """Each is sound by itself: nothing is taken that does not go on where the one before has ended."""
    with wide.tampering() as connection:
        positions = [row[0] for row in tampering.rows(connection)]
        at = positions[CHUNK]
        connection.execute("UPDATE tree_leaves SET position = position + 10 WHERE leaf_index >= ?", (CHUNK,))
        for position in reversed(positions[CHUNK:]):
            connection.execute("UPDATE events SET position = ? WHERE position = ?", (position + 10, position))
        tampering.inserting(tampering.rows(connection)[0], at)(connection)
    assert report_of(wide) == alone(wide)
    assert report_of(wide).result == "TAMPERED"
    assert len(started) == 2
